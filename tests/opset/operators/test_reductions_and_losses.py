"""ReduceLogSumExp and the losses at every version: kernels, oracle, onnxruntime and torch agree."""

import ml_dtypes
import numpy as np
import onnx
import pytest

from softops.opset import operator

NEWEST = onnx.defs.onnx_opset_version()
RANDOM = np.random.default_rng(11)
X = RANDOM.standard_normal((2, 3, 4)).astype(np.float32) * 5
LABELS = RANDOM.integers(0, 3, (2, 4))
WEIGHTS = np.float32([0.5, 2, 1])
# onnxruntime's float32 sums and logarithms, and losses of a few units that are differences of larger ones.
CLOSE = {"rtol": 3e-6, "atol": 2e-6}


def reduce_node(opset, x, axes=None, **attributes):
    """Inputs and attributes of a ReduceLogSumExp at that opset."""
    if opset < 18:
        return [x], attributes | ({} if axes is None else {"axes": axes})
    return [x] + ([] if axes is None else [np.array(axes, np.int64)]), attributes


@pytest.mark.parametrize("opset", [1, 11, 13, 17, 18, NEWEST])
@pytest.mark.parametrize("axes", [None, [0], [-1], [0, 2], [1, 0, 2]], ids=str)
@pytest.mark.parametrize("keepdims", [1, 0])
def test_reduces_as_onnxruntime(onnxruntime_of, opset, axes, keepdims):
    inputs, attributes = reduce_node(opset, X, axes, keepdims=keepdims)
    # onnxruntime runs models up to the opset that it is built for; the meaning is the same since 18.
    (expected,) = onnxruntime_of("ReduceLogSumExp", min(opset, 25), inputs, attributes)
    row = operator("ReduceLogSumExp", opset)
    for method in (row.run, row.evaluate):
        (y,) = method(inputs, attributes)
        assert y.shape == expected.shape
        np.testing.assert_allclose(y, expected, **CLOSE)


@pytest.mark.parametrize("opset", [13, 18])
def test_over_nothing(onnxruntime_of, opset):
    inputs, attributes = reduce_node(opset, X[:, :0], [1], keepdims=0)
    (expected,) = onnxruntime_of("ReduceLogSumExp", opset, inputs, attributes)
    row = operator("ReduceLogSumExp", opset)
    for method in (row.run, row.evaluate):
        (y,) = method(inputs, attributes)
        np.testing.assert_array_equal(y, expected)
        (y,) = method(*reduce_node(opset, np.zeros((0, 2), np.int32), [0], keepdims=0))
        assert y.tolist() == [np.iinfo(np.int32).min] * 2


@pytest.mark.parametrize("noop", [0, 1])
@pytest.mark.parametrize("axes", [[], None], ids=["empty", "absent"])
def test_empty_axes(onnxruntime_of, noop, axes):
    inputs, attributes = reduce_node(18, X, axes, noop_with_empty_axes=noop, keepdims=0)
    (expected,) = onnxruntime_of("ReduceLogSumExp", 18, inputs, attributes)
    row = operator("ReduceLogSumExp", 18)
    for method in (row.run, row.evaluate):
        (y,) = method(inputs, attributes)
        assert y.shape == expected.shape == (X.shape if noop else ())
        np.testing.assert_allclose(y, expected, **CLOSE)
    assert operator("ReduceLogSumExp", 17).run([X], {"axes": [], "keepdims": 0})[0].shape == ()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
def test_integers_are_cut_off_towards_zero(dtype):
    row = operator("ReduceLogSumExp", 18)
    rows = [[1, 2, 3], [1000, 1000, 1000], [0, 0, 0], [0, 0, 2**31 - 1]]
    rows += [[-3, -2, -9], [-1, -1, -1], [-50, -60, -70]] if dtype.startswith("i") else []
    x = np.array(rows, dtype)
    exact = np.logaddexp.reduce(x.astype(np.float64), 1)
    expected = np.minimum(np.trunc(exact), float(np.iinfo(dtype).max)).astype(dtype)
    for method in (row.run, row.evaluate):
        (y,) = method([x, np.array([1])], {"keepdims": 0})
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected)


def test_integers_beyond_float64_keep_their_last_digits():
    row = operator("ReduceLogSumExp", 18)
    big = 2**53 + 1
    assert row.run([np.array([big, big, 0])], {"keepdims": 0})[0] == big
    top = np.iinfo(np.int64).max
    assert row.run([np.full(9, top)], {"keepdims": 0})[0] == top
    low = np.iinfo(np.int64).min
    assert row.run([np.array([low, top])], {"keepdims": 0})[0] == top


@pytest.mark.parametrize(("axes", "error"), [([3], np.exceptions.AxisError), ([0, 0], ValueError)])
def test_axes_that_are_none(axes, error):
    for opset in (13, 18):
        row = operator("ReduceLogSumExp", opset)
        for method in (row.run, row.evaluate):
            with pytest.raises(error):
                method(*reduce_node(opset, X, axes))
    with pytest.raises(ValueError, match=r"axes of rank 1 \(got shape \(\)\)"):
        operator("ReduceLogSumExp", 18).run([X, np.array(1)])


LOSSES = [
    *[("SoftmaxCrossEntropyLoss", opset) for opset in (12, 13)],
    *[("NegativeLogLikelihoodLoss", opset) for opset in (12, 13, 22)],
]


@pytest.mark.parametrize(("op_type", "opset"), LOSSES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [None, 1, -5])
def test_losses_are_those_of_onnxruntime(onnxruntime_of, op_type, opset, reduction, weighted, ignore_index):
    labels = np.where(LABELS == 2, -5, LABELS) if ignore_index == -5 else LABELS
    inputs = [X, labels] + ([WEIGHTS] if weighted else [])
    attributes = {"reduction": reduction, "ignore_index": ignore_index}
    attributes = {name: value for name, value in attributes.items() if value is not None}
    row = operator(op_type, opset)
    outputs = len(row.outputs)
    expected = onnxruntime_of(op_type, opset, inputs, attributes, outputs=outputs)
    for method in (row.run, row.evaluate):
        for ours, theirs in zip(method(inputs, attributes, outputs=outputs), expected, strict=True):
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize(("op_type", "opset"), LOSSES)
def test_losses_in_every_dtype(op_type, opset):
    row = operator(op_type, opset)
    for name in row.dtypes:
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        inputs = [X.astype(dtype), LABELS.astype(np.int32), WEIGHTS.astype(dtype)]
        (ours,), (exact,) = row.run(inputs), row.evaluate(inputs)
        assert ours.dtype == exact.dtype == dtype
        eps = float(ml_dtypes.finfo(dtype).eps)
        np.testing.assert_allclose(float(ours), float(exact), rtol=2 * eps)


@pytest.mark.parametrize(("op_type", "opset"), LOSSES)
def test_of_a_single_class_every_label_may_be_ignored_too(onnxruntime_of, op_type, opset):
    inputs, attributes = [-X[:, :1], LABELS * 0 - (LABELS == 1)], {"ignore_index": -1, "reduction": "none"}
    (expected,) = onnxruntime_of(op_type, opset, inputs, attributes)
    for method in (operator(op_type, opset).run, operator(op_type, opset).evaluate):
        np.testing.assert_allclose(method(inputs, attributes)[0], expected, **CLOSE)


@pytest.mark.parametrize(("op_type", "opset"), LOSSES)
def test_what_losses_refuse(op_type, opset):
    row = operator(op_type, opset)
    for method in (row.run, row.evaluate):
        for inputs, attributes, message in [
            ([X, LABELS + 1], {}, "labels from 0 to 2"),
            ([X, LABELS[:1]], {}, r"\(2, 4\)"),
            ([X, LABELS, WEIGHTS[:2]], {}, "weight"),
            ([X, LABELS], {"reduction": "max"}, "reduction"),
        ]:
            with pytest.raises(ValueError, match=message):
                method(inputs, attributes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, [0, 0, 0], [1, 2, 3]])
def test_a_mean_over_nothing_is_nan(dtype, weights):
    nothing = {"ignore_index": 0}
    inputs = [X.astype(dtype), LABELS * 0] + ([] if weights is None else [np.array(weights, dtype)])
    for op_type in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        row = operator(op_type, 13)
        for method in (row.run, row.evaluate):
            (mean,) = method(inputs, nothing)
            assert np.isnan(mean)
            assert (mean.dtype, mean.shape) == (dtype, ())
            assert method(inputs, nothing | {"reduction": "sum"})[0] == 0
            assert not method(inputs, nothing | {"reduction": "none"})[0].any()
            empty = [x[:0] if x.ndim > 1 else x for x in inputs]
            assert np.isnan(method(empty)[0])
            assert method(empty, {"reduction": "none"})[0].shape == (0, 4)


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [
        # log(1 + 1) and log(1 + 1/e) stay below the next integer, in which extended precision has no digits left
        ([[2**64 - 2, 2**64 - 2], [2**64 - 2, 2**64 - 3], [2**64 - 2, 0]], np.uint64),
        ([[2**63 - 2, 2**63 - 2], [2**63 - 2, 2**63 - 3], [2**63 - 2, 0]], np.int64),
    ],
)
def test_integers_at_the_end_of_their_range(rows, dtype):
    x = np.array(rows, dtype)
    for method in (operator("ReduceLogSumExp", 18).run, operator("ReduceLogSumExp", 18).evaluate):
        np.testing.assert_array_equal(method([x, np.array([1])], {"keepdims": 0})[0], x[:, 0])
