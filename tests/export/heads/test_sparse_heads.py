"""sparsemax and entmax15 heads, in onnxruntime and in our backend, against the exact kernels."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.export import entmax15_head, sparsemax_head
from softops.numba_kernels import entmax15, sparsemax
from softops.opset.backend import prepare

OPSETS = [7, 8, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
HEADS = {sparsemax_head: sparsemax, entmax15_head: entmax15}
RANDOM = np.random.default_rng(3)
WEIGHT, BIAS, X = RANDOM.normal(size=(12, 5)), RANDOM.normal(size=12), RANDOM.normal(size=(9, 5))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
head = pytest.mark.parametrize("head", list(HEADS), ids=lambda head: head.__name__)


def in_onnxruntime(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"features": x})


def in_softops(model, x):
    return prepare(model).run({"features": x})


RUNTIMES = [in_onnxruntime, in_softops]
in_both = pytest.mark.parametrize("run", RUNTIMES)


@head
@in_both
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", BFLOAT16], ids=str)
def test_probabilities_at_every_opset(head, run, opset, dtype):
    dtype = np.dtype(dtype)
    if run is in_onnxruntime and (opset, dtype, head) == (7, np.float64, entmax15_head):
        pytest.skip("onnxruntime has Min of opset 7 in float32 only")
    if dtype == BFLOAT16 and (opset < 13 or run is in_onnxruntime):
        pytest.skip("bfloat16 came with opset 13, and onnxruntime gives no NumPy arrays of it")
    weight, bias, x = (array.astype(dtype) for array in (WEIGHT, BIAS, X))
    label, p = run(head(weight, bias, opset=opset), x)
    logits = x.astype(np.float64) @ weight.astype(np.float64).T + bias.astype(np.float64)
    np.testing.assert_array_equal(label, logits.argmax(1))
    assert p.dtype == dtype
    # Logits up to 8 of five products, rounded as often, with slopes up to 1; then the rounding of the result.
    work = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    half = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(p.astype(np.float64), HEADS[head](logits), rtol=half, atol=64 * work)


@settings(max_examples=20, deadline=None)
@given(
    head=st.sampled_from(list(HEADS)),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 8)),
    scale=st.sampled_from([1e-3, 1, 100]),
    opset=st.sampled_from(OPSETS),
    strings=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_shape_and_scale(head, shape, scale, opset, strings, seed):
    random = np.random.default_rng(seed)
    weight = np.eye(*shape, dtype=np.float32)
    x = (random.normal(size=(4, shape[1])) * scale).astype(np.float32)
    labels = [f"class {i}" for i in range(shape[0])] if strings else None
    model = head(weight, labels=labels, opset=opset, temperature=2)
    exact = HEADS[head]((x @ weight.T).astype(np.float64) / 2)
    for run in RUNTIMES:
        label, p = run(model, x)
        best = (x @ weight.T).argmax(1)
        np.testing.assert_array_equal(label, best if labels is None else np.array(labels)[best])
        # The logits' products are the same here; some roundings of the largest, and of the sum, 1 each.
        np.testing.assert_allclose(p, exact, rtol=0, atol=8 * 2.0**-23)
        np.testing.assert_allclose(p.sum(1, dtype=np.float64), 1, rtol=0, atol=8 * 2.0**-23)


@head
def test_ten_thousand_classes(head):
    """All but a few thousand of them 0; the sum of float32 numbers that small is off by more than the threshold."""
    scores = (RANDOM.standard_normal(10_000) * 0.1).astype(np.float32)
    model = head(scores[:, None], outputs=["probabilities"])
    for scale in (0.01, 0.1, 1, 10):
        x = np.array([[scale]], np.float32)
        exact = HEADS[head]((x * scores).astype(np.float64))
        for run in RUNTIMES:
            (p,) = run(model, x)
            np.testing.assert_allclose(p, exact, rtol=0, atol=64 * 2.0**-23 * exact.max())
            assert abs(p.sum(dtype=np.float64) - 1) <= 64 * 2.0**-23


@head
def test_many_classes_need_an_opset_with_a_running_sum(head):
    with pytest.raises(
        ValueError, match=r"opset 11 or newer for more than 4096 classes \(got opset 10 and 4097"
    ):
        head(np.ones((4097, 1)), opset=10)
    assert "CumSum" in {node.op_type for node in head(np.ones((4097, 1)), opset=11).graph.node}


@head
@in_both
@pytest.mark.parametrize("opset", [9, 17])
def test_far_and_equal_logits(head, run, opset):
    x = np.array([[1e30, 0, -1e30], [5, 5, 5], [5, 5, -5], [-3e38, 3e38, 0]], np.float32)
    _, p = run(head(np.eye(3, dtype=np.float32), opset=opset), x)
    expected = [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 1, 0]]
    np.testing.assert_allclose(p, expected, rtol=1e-6)


@head
def test_other_outputs_and_bytes(head, tmp_path):
    path = tmp_path / "head.onnx"
    options = {"labels": list("abcdefghijkl"), "outputs": ["top_k", "logits"], "top_k": 3, "temperature": 0.5}
    model = head(WEIGHT, BIAS, **options, path=path)
    assert path.read_bytes() == head(WEIGHT, BIAS, **options).SerializeToString(deterministic=True)
    values, indices, labels, logits = in_onnxruntime(model, X)
    order = np.argsort(-logits, axis=1)[:, :3]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(labels, np.array(options["labels"])[order])
    expected = np.take_along_axis(HEADS[head](logits / 0.5), order, 1)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-14)


@head
@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"weight of finite.*nan at \[0, 1\]", {"weight": [[1.0, np.nan]]}),
        (ValueError, "temperature above 0", {"temperature": 0}),
        (ValueError, "outputs among.*'log_probabilities'", {"outputs": ["log_probabilities"]}),
        (ValueError, "2 labels", {"labels": ["a"]}),
        (ValueError, "more than once", {"labels": ["a", "a"]}),
        (TypeError, "options among.*'activation'", {"activation": "softmax"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments_write_nothing(head, error, message, arguments, tmp_path):
    with pytest.raises(error, match=message):
        head(**{"weight": np.eye(2)} | arguments, path=tmp_path / "head.onnx")
    assert list(tmp_path.iterdir()) == []
