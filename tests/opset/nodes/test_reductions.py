"""Reductions of every rank, version and dtype, beside NumPy and onnxruntime."""

import itertools

import ml_dtypes
import numpy as np
import pytest
import verified

RANDOM = np.random.default_rng(2)
SHAPE = (2, 3, 5, 4)
EXACT = {
    "ReduceSum": np.sum,
    "ReduceMean": np.mean,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceL1": lambda x, **how: np.sum(np.abs(x), **how),
    "ReduceL2": lambda x, **how: np.sqrt(np.sum(x**2, **how)),
    "ReduceSumSquare": lambda x, **how: np.sum(x**2, **how),
    "ReduceLogSum": lambda x, **how: np.log(np.sum(x, **how)),
}
FLOATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def run(op_type, opset, inputs, **attributes):
    return verified.run(op_type, opset, inputs, **attributes)[0]


@pytest.mark.parametrize("op_type", EXACT)
@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_axes_as_numpy(op_type, rank):
    x = RANDOM.uniform(0.5, 2, SHAPE[:rank])
    for keeps, axes in itertools.product((0, 1), ([], [0], [-1], [0, -1], [1, 2])):
        if not all(-rank <= axis < rank for axis in axes) or len({axis % rank for axis in axes}) < len(axes):
            continue
        expected = EXACT[op_type](x, axis=tuple(axes) or None, keepdims=bool(keeps))
        for opset in (11, 13, 18, 21):
            is_input = opset >= (13 if op_type == "ReduceSum" else 18)
            inputs = [x, np.array(axes, np.int64)] if is_input and axes else [x]
            given = {"axes": axes} if axes and not is_input else {}
            y = run(op_type, opset, inputs, keepdims=keeps, **given)
            assert (y.dtype, y.shape) == (x.dtype, np.shape(expected))
            np.testing.assert_allclose(y, expected, rtol=1e-13)


@pytest.mark.parametrize("op_type", EXACT)
def test_halves_and_singles_are_rounded_once(op_type):
    for dtype in FLOATS:
        x = RANDOM.uniform(0.5, 1.5, (3, 7)).astype(dtype)
        y = run(op_type, 18, [x, np.array([1])])
        exact = EXACT[op_type](x.astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(y.astype(np.float64), exact, rtol=float(ml_dtypes.finfo(dtype).eps))


@pytest.mark.parametrize("op_type", EXACT)
def test_no_axes_to_reduce(op_type, assert_as_onnxruntime):
    # ai.onnx@18: composite reductions still do what is no reduction, such as the logarithm
    x, nothing = RANDOM.uniform(0.5, 2, (2, 3)).astype(np.float32), np.zeros(0, np.int64)
    for noop in (0, 1):
        assert_as_onnxruntime(op_type, 18, [x, nothing], {"noop_with_empty_axes": noop})
        assert_as_onnxruntime(op_type, 18, [x], {"noop_with_empty_axes": noop})


@pytest.mark.parametrize("op_type", EXACT)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integers(op_type, dtype, assert_as_onnxruntime):
    x = RANDOM.integers(1, 4, (2, 3, 2)).astype(dtype)
    assert_as_onnxruntime(op_type, 13, [x], {"keepdims": 0})
    if op_type != "ReduceLogSum":
        assert_as_onnxruntime(op_type, 13, [x - 3], {"keepdims": 0})


def test_extremes_of_booleans_and_of_nothing():
    x = np.array([[True, False], [False, False]])
    assert run("ReduceMax", 20, [x, np.array([1])], keepdims=0).tolist() == [True, False]
    assert run("ReduceMin", 20, [x, np.array([0])], keepdims=0).tolist() == [False, False]
    nothing = np.zeros((2, 0), np.float32)
    expected = {"ReduceSum": 0, "ReduceProd": 1, "ReduceMax": -np.inf, "ReduceMin": np.inf, "ReduceL2": 0}
    for op_type, value in expected.items():
        assert run(op_type, 18, [nothing, np.array([1])], keepdims=0).tolist() == [value] * 2
    assert (
        run("ReduceMax", 18, [nothing.astype(np.int32), np.array([1])], keepdims=0).tolist() == [-(2**31)] * 2
    )
    assert np.isnan(run("ReduceMean", 18, [nothing, np.array([1])])).all()


def test_a_norm_of_what_has_no_square():
    for x in (
        np.float32([3e30, 4e30]),
        np.array([3e200, 4e200]),
        np.array([3e-200, 4e-200]),
        np.float32([0, 0]),
    ):
        np.testing.assert_allclose(
            run("ReduceL2", 18, [x]), np.hypot(*x.astype(np.longdouble)).reshape(1), rtol=1e-7
        )
