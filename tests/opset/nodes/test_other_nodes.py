"""Nodes of other operators in forms that onnx's own implementation gets wrong or lacks, beside onnxruntime."""

import itertools

import numpy as np
import onnx
import pytest

from softops.opset.backend import run_node

RANDOM = np.random.default_rng(11)
IMAGE = RANDOM.standard_normal((2, 4, 7, 6)).astype(np.float32)
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

STARTS, ENDS = (-9, -4, -1, 0, 2, 3, 9, -(2**63)), (-9, -5, -4, -1, 0, 2, 9, -(2**63))


def test_slices_backwards_from_beyond_the_ends(assert_as_onnxruntime):
    for start, end, step in itertools.product(STARTS, ENDS, (1, -1, -3)):
        inputs = (A, *(np.int64([number]) for number in (start, end, 2, step)))
        assert_as_onnxruntime("Slice", 13, inputs, {})


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("opset", [10, 13])
def test_dequantized(dtype, opset, assert_as_onnxruntime):
    x, half = A.astype(dtype), np.array(0.5, np.float32)
    assert_as_onnxruntime("DequantizeLinear", opset, (x, half), {})
    assert_as_onnxruntime("DequantizeLinear", opset, (x, half, np.array(7, dtype)), {})
    if opset == 13:
        for axis, length in ((1, 3), (-1, 4)):
            more = (np.arange(1, length + 1, dtype=np.float32) / 4, np.arange(length).astype(dtype))
            assert_as_onnxruntime("DequantizeLinear", opset, (x, *more), {"axis": axis})
            assert_as_onnxruntime("DequantizeLinear", opset, (x, more[0]), {"axis": axis})


def test_powers_before_opset_7():
    # ai.onnx@1::Pow broadcasts by attributes, as Add does
    node = onnx.helper.make_node("Pow", ["x", "e"], ["y"], broadcast=1, axis=0)
    (y,) = run_node(node, [A, np.float32([1, 2])], opset_version=1)
    np.testing.assert_array_equal(y, A ** np.float32([1, 2])[:, None, None])


def test_powers_of_one_dtype_by_another(assert_as_onnxruntime):
    base, exponents = np.float32([0.5, 2, 3, -2]), np.array([2, -1, 0, 3])
    for opset in (12, 13, 15):
        for dtype in (np.float32, np.int32, np.int64):
            assert_as_onnxruntime("Pow", opset, [base, exponents.astype(dtype)], {})
        assert_as_onnxruntime("Pow", opset, [np.array([2, 3, 4]), np.array([3, 0, 1])], {})
        assert_as_onnxruntime("Pow", opset, [np.array([4, 9, 16], np.int32), np.float32([0.5, 0.5, 1.5])], {})
    (y,) = run_node(onnx.helper.make_node("Pow", ["x", "e"], ["y"]), [np.array([2, 1]), np.array([-1, -3])])
    assert y.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
def test_remainders(dtype, assert_as_onnxruntime):
    a = np.array([-9, -4, 4, 9, 7], dtype)[:, None]
    b = np.array([4, -4, 3], dtype)
    assert_as_onnxruntime("Mod", 13, [a, b], {"fmod": 1})
    if dtype != np.float32:
        assert_as_onnxruntime("Mod", 10, [a, b], {})


def test_sums_and_means_of_several(assert_as_onnxruntime):
    others = [A, A[:, :1] / 3, np.float32(0.1)]
    for count in (1, 2, 3):
        for op_type in ("Sum", "Mean"):
            assert_as_onnxruntime(op_type, 8, others[:count], {})
            assert_as_onnxruntime(op_type, 13, others[:count], {})
