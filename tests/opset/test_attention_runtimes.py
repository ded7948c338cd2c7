"""Attention by its kernel, against onnxruntime's and torch's."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from softops.opset import attention

NAMES = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")
# Scores are sums of at most 9 products, together below 40: 2 (9 + 2) 2^-24 40 for either side at most.
TOLERANCE = 5e-5


def run_in_onnxruntime(inputs, attributes, version, outputs):
    given_names = [name if x is not None else "" for name, x in zip(NAMES, inputs, strict=True)]
    feeds = {name: x for name, x in zip(given_names, inputs, strict=True) if x is not None}
    while not given_names[-1]:
        given_names.pop()
    kind = onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Attention", given_names, outputs, **attributes)],
        "attention",
        [onnx.helper.make_tensor_value_info(name, kind(x.dtype), x.shape) for name, x in feeds.items()],
        [onnx.helper.make_tensor_value_info(name, kind(inputs[0].dtype), None) for name in outputs if name],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=11
    )
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


def test_agrees_with_onnxruntime(attention_calls):
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def check(data):
        inputs, attributes, version = data.draw(attention_calls)
        inputs = [x.astype(np.float32) if x is not None and x.dtype.kind not in "bi" else x for x in inputs]
        q, k, _, mask, past, _, _ = inputs
        total = k.shape[-2] + (0 if past is None else past.shape[2])
        heads = attributes.get("q_num_heads") or q.shape[1]
        # what its CPU kernel has not: nothing to attend to, integer and short masks, broadcasting
        assume(total and q.size and (past is None or past.size) and k.size)
        if mask is not None:
            assume(mask.dtype.kind != "i" and mask.shape[-1:] in ((), (total,)))
            inputs[3] = np.ascontiguousarray(np.broadcast_to(mask, (q.shape[0], heads, q.shape[-2], total)))
        attributes = {name: value for name, value in attributes.items() if "precision" not in name}
        attributes["scale"] = max(attributes.get("scale", 0.5), 0.25)  # it refuses 0
        attributes["softcap"] = abs(attributes.get("softcap", 0.0))  # it takes a negative one for none
        (got,) = attention.run(inputs, attributes, version=version)
        names = ["Y"] if past is None else ["Y", "present_key", "present_value"]  # it asks for both
        expected = run_in_onnxruntime(inputs, attributes, version, names)[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)

    check()


@pytest.mark.parametrize("mode", [0, 1, 3])  # in mode 2 onnxruntime writes -3.4e38 for -inf
@pytest.mark.parametrize("version", [23, 24])
def test_scores_agree_with_onnxruntime(version, mode):
    rng = np.random.default_rng(4)
    q, k, v, past_key, past_value = (
        rng.standard_normal((2, heads, length, 8), np.float32)
        for heads, length in ((4, 3), (2, 3), (2, 3), (2, 5), (2, 5))
    )
    attributes = {"is_causal": 1, "softcap": 2.0, "qk_matmul_output_mode": mode}
    inputs = [q, k, v, rng.random((3, 8)) < 0.8, past_key, past_value, None]
    got = attention.run(inputs, attributes, version=version, outputs=4)
    names = ["Y", "present_key", "present_value", "qk_matmul_output"]
    for own, theirs in zip(got, run_in_onnxruntime(inputs, attributes, version, names), strict=True):
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
    (got,) = attention.run(arrays, {"is_causal": int(causal)}, version=23)
    # torch rounds the probabilities of halves before the second product: one more half ULP of each
    unit = {"float32": 1e-5, "float64": 1e-13, "float16": 2.0**-9, "bfloat16": 2.0**-6}[dtype]
    np.testing.assert_allclose(got.astype(np.float64), expected.double().numpy(), rtol=0, atol=unit * 2)
