"""Attention by its kernel, against onnxruntime's and torch's."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from softops.opset import operator

# Scores are sums of at most 9 products, together below 40: 2 (9 + 2) 2^-24 40 for either side at most.
TOLERANCE = 5e-5


def without_end(inputs):
    """The inputs of a node, whose last one is given."""
    last = max(i for i, x in enumerate(inputs) if x is not None)
    return inputs[: last + 1]


def test_agrees_with_onnxruntime(attention_calls, onnxruntime_of):
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def check(data):
        inputs, attributes, version = data.draw(attention_calls)
        inputs = [x.astype(np.float32) if x is not None and x.dtype.kind not in "bi" else x for x in inputs]
        q, k, _, mask, past, *_ = inputs
        total = k.shape[-2] + (0 if past is None else past.shape[2])
        heads = attributes.get("q_num_heads") or q.shape[1]
        # what its CPU kernel has not: nothing to attend to, integer and short masks, broadcasting
        assume(total and q.size and (past is None or past.size) and k.size)
        # beside a past it lets a single query see all new keys, where the text has past_sequence_length for offset
        assume(not (attributes.get("is_causal") and past is not None and q.shape[-2] == 1 < k.shape[-2]))
        if mask is not None:
            assume(mask.dtype.kind != "i" and mask.shape[-1:] in ((), (total,)))
            inputs[3] = np.ascontiguousarray(np.broadcast_to(mask, (q.shape[0], heads, q.shape[-2], total)))
        attributes = {name: value for name, value in attributes.items() if "precision" not in name}
        attributes["scale"] = max(attributes.get("scale", 0.5), 0.25)  # it refuses 0
        attributes["softcap"] = abs(attributes.get("softcap", 0.0))  # it takes a negative one for none
        (got,) = operator("Attention", version).run(inputs, attributes)
        outputs = 1 if past is None else 3  # beside a past it asks for a present
        expected = onnxruntime_of("Attention", version, without_end(inputs), attributes, outputs=outputs)[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)

    check()


@pytest.mark.parametrize("mode", [0, 1, 3])  # in mode 2 onnxruntime writes -3.4e38 for -inf
@pytest.mark.parametrize("version", [23, 24])
def test_scores_agree_with_onnxruntime(onnxruntime_of, version, mode):
    rng = np.random.default_rng(4)
    q, k, v, past_key, past_value = (
        rng.standard_normal((2, heads, length, 8), np.float32)
        for heads, length in ((4, 3), (2, 3), (2, 3), (2, 5), (2, 5))
    )
    attributes = {"is_causal": 1, "softcap": 2.0, "qk_matmul_output_mode": mode}
    inputs = [q, k, v, rng.random((3, 8)) < 0.8, past_key, past_value]
    got = operator("Attention", version).run(inputs, attributes, outputs=4)
    expected = onnxruntime_of("Attention", version, inputs, attributes, outputs=4)
    for own, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
def test_agrees_with_torch(dtype, causal):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    rng = np.random.default_rng(5)
    tensors = [torch.from_numpy(rng.standard_normal((2, 4, 33, 16))).to(getattr(torch, dtype)) for _ in "qkv"]
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=causal)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    arrays = [x.double().numpy().astype(kind) for x in tensors]
    (got,) = operator("Attention", 23).run(arrays, {"is_causal": int(causal)})
    # torch rounds the probabilities of halves before the second product: one more half ULP of each
    unit = {"float32": 1e-5, "float64": 1e-13, "float16": 2.0**-9, "bfloat16": 2.0**-6}[dtype]
    np.testing.assert_allclose(got.astype(np.float64), expected.double().numpy(), rtol=0, atol=unit * 2)
