"""The meaning of cross_entropy: ONNX's SoftmaxCrossEntropyLoss-13, and SciPy's log_softmax with the label picked."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import log_softmax

from softops.numba_kernels import cross_entropy

NAN, INF = np.nan, np.inf
SHAPES = [(6, 5), (4, 3, 7), (2, 6, 3, 5)]
REDUCTIONS = ["none", "sum", "mean"]
# 2 ULP in float32. In float64 SciPy's own error shows: a unit in the last place of the logits, absolute.
CLOSE = {"float32": {"rtol": 2.4e-7}, "float64": {"rtol": 1e-15, "atol": 5e-15}}


@pytest.fixture(params=SHAPES, ids=str)
def example(request, dtype):
    random = np.random.default_rng(len(request.param))
    shape = request.param
    x = (random.standard_normal(shape) * 3).astype(dtype)
    labels = random.integers(0, shape[1], (shape[0], *shape[2:]))
    return x, labels, random.uniform(0.1, 2, shape[1]).astype(dtype)


def by_scipy(x, labels, weight, ignore_index, reduction):
    logs = log_softmax(x.astype(np.float64), axis=1)
    weight = np.ones(x.shape[1]) if weight is None else weight.astype(np.float64)
    losses, weights = np.zeros(labels.shape), np.zeros(labels.shape)
    for index in np.ndindex(labels.shape):
        label = labels[index]
        if label != ignore_index:
            losses[index] = -weight[label] * logs[index[0], label, *index[1:]]
            weights[index] = weight[label]
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction]


@pytest.mark.parametrize("ignore_index", [None, 1, -1, -100, 1000])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_agrees_with_scipy(example, reduction, weighted, ignore_index):
    x, labels, weight = example
    weight = weight if weighted else None
    if ignore_index is not None:
        labels.flat[[0, 3]] = ignore_index
    actual = cross_entropy(x, labels, weight=weight, ignore_index=ignore_index, reduction=reduction)
    assert actual.dtype == x.dtype
    assert actual.shape == (labels.shape if reduction == "none" else ())
    expected = by_scipy(x, labels, weight, ignore_index, reduction)
    np.testing.assert_allclose(actual, expected, **CLOSE[x.dtype.name])


def onnx_losses(x, labels, weight, **attributes):
    names = ["x", "labels", *(["weight"] if weight is not None else [])]
    values = [x, labels, *([weight] if weight is not None else [])]
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in zip(names, values, strict=True)
    ]
    node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", names, ["loss"], **attributes)
    loss = onnx.helper.make_tensor_value_info("loss", inputs[0].type.tensor_type.elem_type, None)
    graph = onnx.helper.make_graph([node], "loss", inputs, [loss])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, values, strict=True)))[0]


@pytest.mark.parametrize("ignore_index", [None, 1, -1])
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_onnxruntime(example, weighted, ignore_index):
    x, labels, weight = example
    weight = weight if weighted else None
    attributes = {} if ignore_index is None else {"ignore_index": ignore_index}
    if ignore_index is not None:
        labels.flat[[0, 3]] = ignore_index
    for reduction in REDUCTIONS:
        actual = cross_entropy(x, labels, weight=weight, ignore_index=ignore_index, reduction=reduction)
        expected = onnx_losses(x, labels, weight, reduction=reduction, **attributes)
        # onnxruntime rounds at every step of its decomposition, to a unit of the largest logits and losses
        units = 20 * np.finfo(x.dtype).eps
        np.testing.assert_allclose(actual, expected, rtol=units, atol=units)


def test_axis(example):
    x, labels, weight = example
    wanted = cross_entropy(x, labels, weight=weight, reduction="none")
    for axis in range(-x.ndim, x.ndim):
        moved = np.moveaxis(x, 1, axis)
        np.testing.assert_array_equal(
            cross_entropy(moved, labels, axis=axis, weight=weight, reduction="none"), wanted
        )


def test_one_row_without_a_batch(dtype):
    row = np.array([0.3, 2, -1], dtype)
    assert cross_entropy(row, 2, axis=-1) == cross_entropy(row[None], [2])


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"])
def test_labels_of_any_integer_type(kind, dtype):
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(dtype)
    labels = np.array([3, 0, 1, 1, 2])
    assert cross_entropy(x, labels.astype(kind)) == cross_entropy(x, labels)


def test_weights_may_be_of_another_float_type(dtype):
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(dtype)
    wanted = cross_entropy(x, [0, 1, 2, 2, 1], weight=np.array([1, 0.5, 0.25]))
    assert wanted.dtype == dtype
    for weight in ([1.0, 0.5, 0.25], np.float32([1, 0.5, 0.25]), np.float16([1, 0.5, 0.25])):
        assert cross_entropy(x, [0, 1, 2, 2, 1], weight=weight) == wanted


def test_nothing_counts(dtype):
    """The mean over nothing is NaN, the sum 0: rows ignored, weightless, or none at all."""
    x = np.ones((3, 2), dtype)
    cases = [((x, [-1] * 3), {"ignore_index": -1}), ((x, [0] * 3), {"weight": np.array([0, 1], dtype)})]
    cases.append(((x[:0], np.zeros(0, int)), {}))
    for arguments, options in cases:
        assert np.isnan(cross_entropy(*arguments, **options))
        assert cross_entropy(*arguments, **options, reduction="sum") == 0
        assert (cross_entropy(*arguments, **options, reduction="none") == 0).all()


def test_no_classes(dtype):
    x = np.empty((3, 0), dtype)
    with pytest.raises(ValueError, match="got 0 at index"):
        cross_entropy(x, [0, 0, 0])
    assert cross_entropy(x, [-1] * 3, ignore_index=-1, reduction="none").tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("row", "label", "loss"),
    [
        ([0, NAN, 1], 0, NAN),
        ([0, NAN, 1], 1, NAN),
        ([INF, 0, 1], 1, NAN),
        ([INF, 0, 1], 0, NAN),
        ([-INF] * 3, 2, NAN),
        ([0, -INF, 0], 1, INF),
        ([0, -INF, -INF], 0, 0),
        ([1e30, 0, 0], 0, 0),
    ],
)
def test_special_values(row, label, loss, dtype):
    for tail in ([], [-INF] * 300):  # a row within one vector, and a long one that means the same
        x = np.array([[1, 2, 3, *tail], [*row, *tail], [3, 2, 1, *tail]], dtype)
        losses = cross_entropy(x, [0, label, 0], reduction="none")
        np.testing.assert_array_equal(losses[1], loss)
        assert np.isfinite(losses[[0, 2]]).all()
        assert cross_entropy(x, [0, -1, 0], ignore_index=-1) == cross_entropy(x[[0, 2]], [0, 0])
        for reduction in ("sum", "mean"):
            result = cross_entropy(x, [0, label, 0], reduction=reduction)
            assert np.isfinite(result) if loss == 0 else np.array_equal(result, loss, equal_nan=True)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_beyond_the_largest_number(reduction, dtype):
    """A loss or a sum that the dtype cannot hold is +inf, silently as in any array arithmetic of the kernels."""
    largest = np.finfo(dtype).max
    assert np.all(cross_entropy(np.array([[largest, -largest]] * 2), [1, 1], reduction=reduction) == INF)
    x = np.array([[largest * 0.6, 0]] * 4, dtype)
    assert cross_entropy(x, [1] * 4, reduction="sum") == INF


def test_opposite_infinities_sum_to_nan(dtype):
    x = np.array([[0, -INF], [-INF, 0]], dtype)
    assert np.isnan(cross_entropy(x, [1, 0], weight=np.array([-1, 1], dtype), reduction="sum"))


def test_the_arguments_stay_as_they_are(example):
    x, labels, weight = example
    copies = [array.copy() for array in example]
    labels.flat[0] = copies[1].flat[0] = -1
    cross_entropy(x, labels, weight=weight, ignore_index=-1)
    for array, copy in zip(example, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_long_batch_sums_without_drift(dtype):
    """100 000 equal losses: their sum and mean are those of one, rounded once."""
    n = 100_000
    x = np.repeat(np.array([[0.1, 0.7, -0.4]], dtype), n, axis=0)
    one = float(cross_entropy(x[:1].astype(np.float64), [1]))
    assert cross_entropy(x, np.ones(n, int)) == dtype.type(one)
    assert cross_entropy(x, np.ones(n, int), reduction="sum") == dtype.type(one * n)


def test_combinations_of_options_leave_none_out(dtype):
    """Every option together, against the definition written out for each row."""
    x = np.random.default_rng(3).standard_normal((2, 3, 4)).astype(dtype)
    for axis, ignore, reduction in itertools.product(range(3), (None, 0, -7), REDUCTIONS):
        moved = np.moveaxis(x, axis, 1)
        labels = np.zeros((moved.shape[0], moved.shape[2]), int)
        labels[1:, ::2] = 1
        weight = np.linspace(0.5, 1.5, x.shape[axis])
        actual = cross_entropy(x, labels, axis=axis, weight=weight, ignore_index=ignore, reduction=reduction)
        expected = by_scipy(moved, labels, weight, ignore, reduction)
        np.testing.assert_allclose(actual, expected, **CLOSE[dtype.name])
