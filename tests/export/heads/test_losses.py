"""The loss and the gradients, in onnxruntime and in our backend, against torch and the kernels."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_runtimes import in_onnxruntime, in_softops

from softops import numba_kernels
from softops.export import gradient, loss

OPSETS = [7, 9, 11, 12, 13, 17, 21, onnx.defs.onnx_opset_version()]
RANDOM = np.random.default_rng(5)
WEIGHT = RANDOM.random(5) + 0.1
LOGITS, LABELS = RANDOM.normal(size=(6, 5)), np.array([1, 4, -100, 0, 2, 4])
DEEP, DEEP_LABELS = RANDOM.normal(size=(2, 5, 3, 4)), RANDOM.integers(0, 5, (2, 3, 4))
DEEP_LABELS[0, 1] = -100
DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
WEIGHTS = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])


def runtimes(opset, dtype):
    """onnxruntime has Min of opset 7, which takes the place of Where, in float32 only."""
    return [in_softops] if (opset, dtype) == (7, "float64") else [in_onnxruntime, in_softops]


def close(actual, expected, dtype):
    """Some ten roundings of float32 (float64), of 24 terms of size 1 or 2, and one of the output's dtype."""
    eps = np.finfo(dtype).eps
    work = max(np.finfo(np.float32).eps, eps) if eps > 1e-7 else eps
    work = np.finfo(np.float32).eps if dtype != "float64" else work
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=eps, atol=32 * work)


@DTYPES
@REDUCTIONS
@WEIGHTS
@pytest.mark.parametrize("opset", OPSETS)
def test_the_loss_is_that_of_torch(opset, dtype, reduction, weight):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    rounded = None if weight is None else weight.astype("float32" if dtype == "float16" else dtype)
    for logits, labels, dims in ((LOGITS, LABELS, ()), (DEEP, DEEP_LABELS, ("height", "width"))):
        x = logits.astype(dtype)
        exact = torch.tensor(x.astype(np.float64))
        expected = torch.nn.functional.cross_entropy(
            exact,
            torch.tensor(labels),
            weight=None if weight is None else torch.tensor(rounded.astype(np.float64)),
            reduction=reduction,
        ).numpy()
        logs = torch.log_softmax(exact, 1).numpy()
        for decompose in (True, False) if opset >= 12 else (True, None):
            model = loss(
                5,
                reduction=reduction,
                class_weight=weight,
                ignore_index=-100,
                dims=dims,
                outputs=["loss", "log_probabilities"],
                decompose=decompose,
                opset=opset,
                dtype=dtype,
            )
            assert decompose is not False or "SoftmaxCrossEntropyLoss" in {
                n.op_type for n in model.graph.node
            }
            for run in runtimes(opset, dtype):
                actual, actual_logs = run(model, {"logits": x, "labels": labels})
                close(actual, expected, dtype)
                close(actual_logs, logs, dtype)


@DTYPES
@REDUCTIONS
@WEIGHTS
@pytest.mark.parametrize("opset", OPSETS)
def test_the_gradient_of_the_loss_is_that_of_autograd(opset, dtype, reduction, weight):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    model = gradient(
        "loss", 5, reduction=reduction, class_weight=weight, ignore_index=-100, opset=opset, dtype=dtype
    )
    feeds = {"logits": LOGITS.astype(dtype), "labels": LABELS}
    dy = np.arange(1.0, 7)
    if reduction == "none":
        feeds["dy"] = dy.astype(dtype)
    x = torch.tensor(feeds["logits"].astype(np.float64), requires_grad=True)
    rounded = None if weight is None else weight.astype("float32" if dtype == "float16" else dtype)
    value = torch.nn.functional.cross_entropy(
        x,
        torch.tensor(LABELS),
        weight=None if weight is None else torch.tensor(rounded.astype(np.float64)),
        reduction=reduction,
    )
    value.backward(torch.tensor(dy) if reduction == "none" else None)
    for run in runtimes(opset, dtype):
        close(run(model, feeds)[0], x.grad.numpy(), dtype)


@DTYPES
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("of", ["softmax", "log_softmax"])
def test_the_gradients_are_those_of_the_kernels(of, opset, dtype):
    x, dy = LOGITS.astype(dtype), RANDOM.normal(size=LOGITS.shape).astype(dtype)
    y = getattr(numba_kernels, of)(x)
    expected = getattr(numba_kernels, f"{of}_grad")(dy.astype(np.float64), y.astype(np.float64))
    for run in (in_onnxruntime, in_softops):
        close(run(gradient(of, 5, opset=opset, dtype=dtype), {"dy": dy, "y": y})[0], expected, dtype)


def test_the_gradient_is_what_autograd_says():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    dy = RANDOM.normal(size=LOGITS.shape)
    for of in ("softmax", "log_softmax"):
        x = torch.tensor(LOGITS, requires_grad=True)
        y = getattr(torch, of)(x, 1)
        y.backward(torch.tensor(dy))
        model = gradient(of, 5, dtype="float64")
        (dx,) = in_onnxruntime(model, {"dy": dy, "y": y.detach().numpy()})
        np.testing.assert_allclose(dx, x.grad.numpy(), rtol=0, atol=1e-14)


def test_bfloat16_is_computed_in_float32():
    x = LOGITS.astype(ml_dtypes.bfloat16)
    for model in (
        loss(5, ignore_index=-100, dtype=x.dtype),
        gradient("loss", 5, ignore_index=-100, dtype=x.dtype),
    ):
        (half,) = in_softops(model, {"logits": x, "labels": LABELS})
        assert half.dtype == x.dtype
    exact = numba_kernels.cross_entropy(x.astype(np.float64), LABELS, ignore_index=-100)
    (half,) = in_softops(loss(5, ignore_index=-100, dtype=x.dtype), {"logits": x, "labels": LABELS})
    assert abs(float(half) - exact) <= 2.0**-8 * exact + 1e-6


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 30)),
    opset=st.sampled_from(OPSETS),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    decompose=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_shape_gives_what_the_kernels_give(shape, opset, reduction, decompose, seed):
    random = np.random.default_rng(seed)
    x, labels = random.normal(size=shape).astype(np.float32), random.integers(0, shape[1], shape[0])
    model = loss(shape[1], reduction=reduction, decompose=decompose or opset < 12, opset=opset)
    expected = numba_kernels.cross_entropy(x.astype(np.float64), labels, reduction=reduction)
    slopes = numba_kernels.cross_entropy_grad(x.astype(np.float64), labels, reduction="sum")
    for run in (in_onnxruntime, in_softops):
        np.testing.assert_allclose(
            run(model, {"logits": x, "labels": labels})[0], expected, rtol=1e-5, atol=1e-6
        )
        (dx,) = run(gradient("loss", shape[1], reduction="sum", opset=opset), {"logits": x, "labels": labels})
        np.testing.assert_allclose(dx, slopes, atol=1e-6)


@pytest.mark.parametrize("opset", [7, 12, 17])
def test_when_no_label_counts(opset):
    feeds = {"logits": LOGITS.astype(np.float32), "labels": np.full(6, 3)}
    for decompose in {True, opset < 12}:
        for reduction, expected in (("mean", np.nan), ("sum", 0), ("none", np.zeros(6))):
            model = loss(5, ignore_index=3, reduction=reduction, decompose=decompose, opset=opset)
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(in_onnxruntime(model, feeds)[0], expected)


def test_a_row_that_does_not_count_carries_no_nan_into_the_gradient():
    x = LOGITS.astype(np.float32)
    x[2] = np.nan
    (dx,) = in_onnxruntime(gradient("loss", 5, ignore_index=-100), {"logits": x, "labels": LABELS})
    assert (dx[2] == 0).all()
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("decompose", [True, False])
@pytest.mark.parametrize("label", [5, 99])
def test_a_label_out_of_range_is_refused_when_run(run, decompose, label):
    feeds = {"logits": LOGITS.astype(np.float32), "labels": np.full(6, label)}
    with pytest.raises(Exception, match=r"(?i)index|bounds|range|label"):
        run(loss(5, decompose=decompose), feeds)


@pytest.mark.parametrize(
    ("build", "error", "message", "arguments"),
    [
        (loss, ValueError, "reduction among.*'average'", {"reduction": "average"}),
        (loss, ValueError, r"class_weight of shape \(5,\).*\(4,\)", {"class_weight": np.ones(4)}),
        (loss, ValueError, "finite.*nan", {"class_weight": [np.nan] * 5}),
        (loss, TypeError, "ignore_index as an integer.*1.5", {"ignore_index": 1.5}),
        (loss, ValueError, "ignore_index within int64", {"ignore_index": 2**63}),
        (loss, ValueError, "opset 12 or newer.*got 11", {"opset": 11, "decompose": False}),
        (loss, ValueError, "outputs among loss.*'label'", {"outputs": ["label"]}),
        (loss, TypeError, "dims as a list", {"dims": "time"}),
        (loss, ValueError, r"dims from 1 to \d+ \(got 0\)", {"dims": [0]}),
        (loss, ValueError, "dims as the name of an axis", {"dims": [""]}),
        (loss, ValueError, "the batch axis .got 'batch' twice", {"dims": ["time", "batch"]}),
        (loss, TypeError, "classes as an integer.*'5'", {"classes": "5"}),
        (loss, ValueError, "opset 13 or newer for bfloat16", {"opset": 12, "dtype": ml_dtypes.bfloat16}),
        (loss, TypeError, "options among", {"axis": 1}),
        (gradient, ValueError, "gradient of softmax.*'hardmax'", {"of": "hardmax"}),
        (gradient, ValueError, "for the loss only", {"of": "softmax", "reduction": "sum"}),
        (gradient, ValueError, "for the loss only", {"of": "softmax", "class_weight": np.ones(5)}),
        (gradient, ValueError, r"classes from 1 to \d+ \(got -1\)", {"of": "softmax", "classes": -1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments_write_nothing(build, error, message, arguments, tmp_path):
    with pytest.raises(error, match=message):
        build(**{"classes": 5} | arguments, path=tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_equal_arguments_give_equal_bytes(tmp_path):
    for build in (lambda **o: loss(5, class_weight=WEIGHT, **o), lambda **o: gradient("loss", 5, **o)):
        path = tmp_path / "model.onnx"
        build(path=path)
        assert path.read_bytes() == build().SerializeToString(deterministic=True)
