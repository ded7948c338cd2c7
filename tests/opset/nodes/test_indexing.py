"""Operators that find, put and count numbers by their places, beside onnxruntime and NumPy."""

import itertools

import numpy as np
import onnx
import pytest
from verified import run

RANDOM = np.random.default_rng(9)
SHAPE = (2, 3, 4)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_slices_by_coordinates(assert_as_onnxruntime):
    x = numbers(*SHAPE)
    for opset in (11, 12, 13):
        assert_as_onnxruntime("GatherND", opset, [x, np.array([[0], [-1], [1]])], {})
        assert_as_onnxruntime("GatherND", opset, [x, np.array([[[0, -1], [1, 0]]])], {})
        assert_as_onnxruntime("GatherND", opset, [x, np.array([[0, 1, 2]])], {})
    for opset in (12, 13):
        assert_as_onnxruntime("GatherND", opset, [x, np.array([[[0]], [[2]]])], {"batch_dims": 1})
        indices = RANDOM.integers(-4, 4, (2, 3, 5, 1))
        assert_as_onnxruntime("GatherND", opset, [x, indices], {"batch_dims": 2})
    names = np.array([["a", "b"], ["c", "d"]], object)
    assert run("GatherND", 13, [names, np.array([[0, 1], [1, 0]])])[0].tolist() == ["b", "c"]


REDUCTIONS = [(11, None), (13, None), (16, "add"), (16, "mul"), (18, "max"), (18, "min"), (18, "add")]


@pytest.mark.parametrize(("opset", "reduction"), REDUCTIONS)
def test_slices_put_by_coordinates(opset, reduction, assert_as_onnxruntime):
    x = numbers(*SHAPE)
    how = {} if reduction is None else {"reduction": reduction}
    assert_as_onnxruntime("ScatterND", opset, [x, np.array([[-1], [0]]), numbers(2, 3, 4)], how)
    assert_as_onnxruntime("ScatterND", opset, [x, np.array([[0, 1], [1, -1]]), numbers(2, 4)], how)
    if reduction:
        assert_as_onnxruntime("ScatterND", opset, [x, np.array([[0], [0], [1]]), numbers(3, 3, 4)], how)


@pytest.mark.parametrize(("opset", "reduction"), REDUCTIONS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_numbers_put_along_an_axis(opset, reduction, axis, assert_as_onnxruntime):
    x = numbers(*SHAPE)
    how = {"axis": axis} | ({} if reduction is None else {"reduction": reduction})
    order = np.argsort(RANDOM.random(SHAPE), axis)
    assert_as_onnxruntime("ScatterElements", opset, [x, order, numbers(*SHAPE)], how)
    assert_as_onnxruntime("ScatterElements", opset, [x, order - x.shape[axis], numbers(*SHAPE)], how)
    some = np.zeros((1, 1, 1), np.int64) if reduction is None else np.zeros((1, 2, 3), np.int64)
    assert_as_onnxruntime("ScatterElements", opset, [x, some, numbers(*some.shape)], how)
    if reduction is None:
        (y,) = run("Scatter", 9, [x, order, numbers(*SHAPE)], axis=axis)
        assert y.shape == SHAPE


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(axis, assert_as_onnxruntime):
    for opset in (9, 11):
        indices = RANDOM.integers(-6, 7, (2, 3))
        assert_as_onnxruntime("OneHot", opset, [indices, np.array(4), np.float32([0.5, 2])], {"axis": axis})
        assert_as_onnxruntime("OneHot", opset, [indices, np.array([4]), np.array([0, 2])], {"axis": axis})


def test_what_is_not_zero(assert_as_onnxruntime):
    for shape in ((5,), (2, 3), SHAPE):
        assert_as_onnxruntime("NonZero", 13, [RANDOM.integers(0, 2, shape).astype(np.float32)], {})
        assert_as_onnxruntime("NonZero", 9, [RANDOM.integers(0, 2, shape).astype(bool)], {})


def test_compressed(assert_as_onnxruntime):
    x = numbers(*SHAPE)
    for axis, condition in ((0, [True, False]), (1, [False, True]), (-1, [True])):
        assert_as_onnxruntime("Compress", 11, [x, np.array(condition)], {"axis": axis})
    assert_as_onnxruntime("Compress", 9, [x, np.array([True, False, True])], {})
    # Of a condition that is longer than the axis nothing is said but that it must not be; the rest is left out.
    assert run("Compress", 11, [x[:, 0, 0], np.array([True, True, True])])[0].shape == (2,)


def test_triangles(assert_as_onnxruntime):
    for shape, upper in itertools.product(((3, 4), (4, 3), (2, 3, 3)), (0, 1)):
        x = numbers(*shape)
        assert_as_onnxruntime("Trilu", 14, [x], {"upper": upper})
        for k in (-5, -1, 1, 2, 7):
            assert_as_onnxruntime("Trilu", 14, [x, np.array(k)], {"upper": upper})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_cumulative_sums(dtype, assert_as_onnxruntime):
    x = (9 * numbers(*SHAPE)).astype(dtype)
    for axis, exclusive, reverse in itertools.product((0, 1, -1), (0, 1), (0, 1)):
        for opset in (11, 14):
            how = {"exclusive": exclusive, "reverse": reverse}
            assert_as_onnxruntime("CumSum", opset, [x, np.array(axis)], how)


def test_numbers_in_between(assert_as_onnxruntime):
    for start, limit, step in ((1, 5, 1.5), (5, 0, -2), (0, 1, 0.1), (3, 3, 1), (3, 2, 1)):
        assert_as_onnxruntime("Range", 11, [np.float32(start), np.float32(limit), np.float32(step)], {})
    for dtype in (np.int32, np.int64):
        assert_as_onnxruntime("Range", 11, [np.array(n, dtype) for n in (9, 1, -3)], {})


def test_identity_matrices(assert_as_onnxruntime):
    for k in (-1, 0, 2):
        assert_as_onnxruntime("EyeLike", 9, [numbers(3, 4)], {"k": k})
        assert_as_onnxruntime("EyeLike", 9, [numbers(3, 4)], {"k": k, "dtype": onnx.TensorProto.INT64})


def test_channels_and_blocks(assert_as_onnxruntime):
    x = numbers(2, 12, 4, 6)
    for opset, mode in ((1, {}), (11, {}), (13, {"mode": "DCR"}), (13, {"mode": "CRD"})):
        assert_as_onnxruntime("DepthToSpace", opset, [x], {"blocksize": 2, **mode})
    for opset in (1, 13):
        assert_as_onnxruntime("SpaceToDepth", opset, [x], {"blocksize": 2})
        (blocks,) = run("SpaceToDepth", opset, [x], blocksize=2)
        (back,) = run("DepthToSpace", 13, [blocks], blocksize=2)
        np.testing.assert_array_equal(back, x)
