"""A linear layer with its loss and gradients, in onnxruntime and in our backend, against the kernels and torch."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import pytest
from in_runtimes import in_onnxruntime, in_softops

from softops.export import linear_loss
from softops.numba_kernels import linear_cross_entropy_grad

RANDOM = np.random.default_rng(6)
X, WEIGHT, BIAS = RANDOM.normal(size=(6, 4)), RANDOM.normal(size=(5, 4)), RANDOM.normal(size=5)
LABELS, OF_CLASSES = np.array([1, 4, -100, 0, 2, 4]), RANDOM.random(5) + 0.1
OPSETS = [7, 9, 11, 13, 17, onnx.defs.onnx_opset_version()]


def feeds_of(dtype, dy=None):
    feeds = {
        "x": X.astype(dtype),
        "weight": WEIGHT.astype(dtype),
        "bias": BIAS.astype(dtype),
        "labels": LABELS,
    }
    return feeds if dy is None else {**feeds, "dy": dy.astype(dtype)}


def kernels(feeds, **options):
    """Of float64 copies of what the model is given."""
    wide = {name: value if name == "labels" else value.astype(np.float64) for name, value in feeds.items()}
    if "dy" in wide:
        options["dy"] = wide.pop("dy")
    return linear_cross_entropy_grad(**wide, **options, return_loss=True)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_numbers_are_those_of_the_kernels(opset, reduction):
    dy = RANDOM.random(6) if reduction == "none" else None
    feeds = feeds_of("float32", dy)
    for smoothing, softcap, weight in itertools.product((0, 0.1), (None, 2.0), (None, OF_CLASSES)):
        model = linear_loss(
            5,
            4,
            reduction=reduction,
            label_smoothing=smoothing,
            softcap=softcap,
            class_weight=weight,
            ignore_index=-100,
            opset=opset,
        )
        wanted = kernels(
            feeds,
            reduction=reduction,
            label_smoothing=smoothing,
            softcap=softcap or 0.0,
            class_weight=None if weight is None else weight.astype("float32").astype(float),
            ignore_index=-100,
        )
        for run in (in_onnxruntime, in_softops):
            for actual, exact in zip(run(model, feeds), wanted, strict=True):
                # some tens of roundings of float32, of numbers of size 1 to 5
                np.testing.assert_allclose(actual, exact, rtol=2e-6, atol=4e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_it_is_what_autograd_says(bias):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    model = linear_loss(5, 4, bias=bias, ignore_index=-100, label_smoothing=0.2, dtype="float64")
    feeds = {name: value for name, value in feeds_of("float64").items() if bias or name != "bias"}
    leaves = [torch.tensor(value, requires_grad=True) for name, value in feeds.items() if name != "labels"]
    loss = torch.nn.functional.cross_entropy(
        torch.nn.functional.linear(*leaves), torch.tensor(LABELS), label_smoothing=0.2
    )
    loss.backward()
    found, *gradients = in_onnxruntime(model, feeds)
    np.testing.assert_allclose(found, loss.item(), rtol=1e-14)
    for actual, leaf in zip(gradients[: 2 + bias], leaves, strict=True):
        np.testing.assert_allclose(actual, leaf.grad.numpy(), rtol=0, atol=1e-14)


def test_chosen_outputs_and_what_they_need():
    model = linear_loss(5, 4, outputs=["dbias", "loss"])
    assert [value.name for value in model.graph.output] == ["dbias", "loss"]
    dbias, loss = in_onnxruntime(model, {**feeds_of("float32"), "labels": np.maximum(LABELS, 0)})
    assert (dbias.shape, loss.shape) == ((5,), ())
    assert not [n for n in linear_loss(5, 4, outputs=["loss"]).graph.node if n.op_type == "Softmax"]
    with pytest.raises(ValueError, match="expected outputs among loss, dx, dweight, dbias"):
        linear_loss(5, 4, outputs=["dlabels"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_have_gradients_of_weights_in_float32(dtype):
    model = linear_loss(5, 4, ignore_index=-100, dtype=ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    feeds = feeds_of(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    found = in_softops(model, feeds)
    assert [x.dtype.name for x in found] == [dtype, dtype, "float32", "float32"]
    for actual, exact in zip(found, kernels(feeds, ignore_index=-100), strict=True):
        eps = float(ml_dtypes.finfo(actual.dtype).eps)
        np.testing.assert_allclose(actual.astype(float), exact, rtol=eps, atol=4e-6)


def test_rows_that_do_not_count():
    """A mean over nothing is NaN and has gradients of 0; scores of an ignored row do not matter to others."""
    model = linear_loss(5, 4, ignore_index=-100)
    feeds = feeds_of("float32")
    for run in (in_onnxruntime, in_softops):
        loss, *gradients = run(model, {**feeds, "labels": np.full(6, -100)})
        assert np.isnan(loss)
        assert not any(gradient.any() for gradient in gradients)
        large = feeds["x"].copy()
        large[2] = 1e30
        for actual, expected in zip(run(model, {**feeds, "x": large}), run(model, feeds), strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_refusals():
    for options, message in (
        ({"label_smoothing": 1.5}, "label_smoothing between 0 and 1"),
        ({"softcap": 0}, "softcap above 0"),
        ({"reduction": "max"}, "expected a reduction"),
        ({"class_weight": [1.0]}, "class_weight of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            linear_loss(5, 4, **options)
