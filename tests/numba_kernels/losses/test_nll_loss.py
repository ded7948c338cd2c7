"""nll_loss and cross_entropy as onnx itself runs the operators they are named after."""

import itertools

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import cross_entropy, log_softmax, nll_loss

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(5, 4), (3, 6, 2), (2, 3, 4, 2)]

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


def by_onnx(op_type, since, x, labels, weight, outputs=("loss",), **attributes):
    inputs = {"x": x, "labels": labels} | ({} if weight is None else {"weight": weight})
    attributes = {key: value for key, value in attributes.items() if value is not None}
    node = onnx.helper.make_node(op_type, list(inputs), list(outputs), **attributes)
    infos = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in inputs.items()
    ]
    results = [
        onnx.helper.make_tensor_value_info(name, infos[0].type.tensor_type.elem_type, None)
        for name in outputs
    ]
    graph = onnx.helper.make_graph([node], "loss", infos, results)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", since)])
    return ReferenceEvaluator(model).run(None, inputs)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_as_onnx(shape, reduction):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    labels = random.integers(0, shape[1], (shape[0], *shape[2:]))
    labels.flat[:2] = 0, 1
    for weight, ignore in itertools.product(
        (None, random.uniform(0.5, 2, shape[1]).astype(np.float32)), (None, 1)
    ):
        options = {"ignore_index": ignore, "reduction": reduction}
        log_prob = log_softmax(x, 1)
        (wanted,) = by_onnx("NegativeLogLikelihoodLoss", 22, log_prob, labels, weight, **options)
        np.testing.assert_allclose(nll_loss(log_prob, labels, weight=weight, **options), wanted, rtol=1e-6)
        outputs = ("loss", "log_prob")
        wanted = by_onnx("SoftmaxCrossEntropyLoss", 13, x, labels, weight, outputs, **options)
        actual = cross_entropy(x, labels, weight=weight, return_log_prob=True, **options)
        for a, b in zip(actual, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


@dtypes
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_exact(reduction, dtype):
    random = np.random.default_rng(1)
    log_prob = log_softmax((random.standard_normal((500, 7)) * 3).astype(dtype))
    labels, weight = random.integers(0, 7, 500), random.uniform(0.1, 1, 7).astype(dtype)
    each = np.where(labels == 3, 0, weight.astype(np.longdouble)[labels])
    losses = -log_prob.astype(np.longdouble)[np.arange(500), labels] * each
    wanted = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / each.sum()}[reduction]
    actual = nll_loss(log_prob, labels, weight=weight, ignore_index=3, reduction=reduction)
    assert actual.dtype == dtype
    assert np.max(ulp_error(np.asarray(actual), np.asarray(wanted))) <= (2 if dtype == np.float64 else 0.51)


@dtypes
def test_of_log_softmax_it_is_cross_entropy(dtype):
    random = np.random.default_rng(2)
    x, labels = random.standard_normal((50, 9, 2)).astype(dtype), random.integers(0, 9, (50, 2))
    actual = nll_loss(log_softmax(x, 1), labels, reduction="none")
    np.testing.assert_allclose(
        actual.astype(float),
        cross_entropy(x, labels, reduction="none").astype(float),
        rtol=8 * np.finfo(x.dtype).eps if dtype.name != "bfloat16" else 2.0**-6,
    )


@dtypes
def test_special_values(dtype):
    log_prob = np.array([[-np.inf, 0], [np.nan, -1], [0, np.nan]], dtype)
    losses = nll_loss(log_prob, [0, 0, 0], reduction="none").astype(float)
    np.testing.assert_array_equal(losses, [np.inf, np.nan, 0])
    assert nll_loss(log_prob, [1, 1, 0]) == dtype.type(1 / 3)
    assert np.isnan(nll_loss(log_prob, [-1] * 3, ignore_index=-1))
    assert nll_loss(log_prob, [-1] * 3, ignore_index=-1, reduction="sum") == 0
    assert nll_loss(log_prob[:0], np.zeros(0, int), reduction="none").shape == (0,)
    assert nll_loss(np.empty((2, 0), dtype), [-1, -1], ignore_index=-1, reduction="sum") == 0


@dtypes
def test_any_axis(dtype):
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((4, 5, 6)).astype(dtype), random.integers(0, 5, (4, 6))
    wanted = nll_loss(x, labels)
    for axis in (0, 1, 2, -1):
        assert nll_loss(np.moveaxis(x, 1, axis), labels, axis=axis) == wanted


def test_refusals():
    x = np.zeros((2, 3), np.float32)
    for call in (
        lambda: nll_loss(x, [0, 3]),
        lambda: nll_loss(x, [[0, 1]]),
        lambda: nll_loss(x, [0, 0], reduction="max"),
        lambda: nll_loss(x, [0, 0], weight=np.ones(2)),
    ):
        with pytest.raises(ValueError, match="nll_loss"):
            call()
    with pytest.raises(TypeError, match="nll_loss takes"):
        nll_loss(np.zeros((2, 3), int), [0, 0])
