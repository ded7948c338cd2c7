"""Numbers in a few bits, beside onnxruntime and the text."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import pytest
from verified import run

from softops.opset.backend import run_node

RANDOM = np.random.default_rng(7)
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
X = (40 * RANDOM.standard_normal((2, 3, 4))).astype(np.float32)
INTEGERS = [np.uint8, np.int8, np.uint16, np.int16]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_quantized(dtype, assert_as_onnxruntime):
    few = dtype in (np.uint8, np.int8)
    for opset in (10, 13, 19, 21) if few else (21, 23):
        assert_as_onnxruntime("QuantizeLinear", opset, [X, np.float32(0.7), dtype(11)], {})
        assert_as_onnxruntime("QuantizeLinear", opset, [X * 1e6, np.float32(0.01), dtype(11)], {})
        if opset >= 13:
            for axis, length in ((1, 3), (-1, 4)):
                more = RANDOM.uniform(0.2, 2, length).astype(np.float32), np.arange(length).astype(dtype)
                assert_as_onnxruntime("QuantizeLinear", opset, [X, *more], {"axis": axis})
    assert_as_onnxruntime("QuantizeLinear", 13, [X, np.float32(0.7)], {})
    number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    assert_as_onnxruntime("QuantizeLinear", 21, [X, np.float32(0.7)], {"output_dtype": number})
    for block, axis in ((2, 2), (3, 2), (2, 1)):
        shape = list(X.shape)
        shape[axis] = -(-shape[axis] // block)
        scale, zero = (
            RANDOM.uniform(0.2, 2, shape).astype(np.float32),
            RANDOM.integers(0, 9, shape).astype(dtype),
        )
        given = {"block_size": block, "axis": axis}
        assert_as_onnxruntime("QuantizeLinear", 21, [X, scale, zero], given)
        assert_as_onnxruntime("DequantizeLinear", 21, [X.astype(np.int16).astype(dtype), scale, zero], given)


def test_ties_go_to_even():
    (y,) = run("QuantizeLinear", 13, [np.float32([0.5, 1.5, 2.5, -0.5, -1.5]), np.float32(1), np.int8(0)])
    assert y.tolist() == [0, 2, 2, 0, -2]


def test_the_division_has_the_dtype_of_the_scale():
    # 1001 / 3 is 333.667, in float16 333.75; 2051 is no float16
    x, three = np.float32([1001, 2051]), 3
    (y,) = run("QuantizeLinear", 21, [x, np.float32(three), np.uint16(0)])
    assert y.tolist() == [334, 684]
    (y,) = run("QuantizeLinear", 23, [np.float32([2051]), np.float16(1), np.uint16(0)])
    assert y.tolist() == [2052]
    (y,) = run("QuantizeLinear", 23, [np.float32([2051]), np.float16(1), np.uint16(0)], precision=1)
    assert y.tolist() == [2051]


@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn"]
)
def test_small_floats(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    largest = float(ml_dtypes.finfo(dtype).max)
    x = np.float32([0, 1, -1.5, 2 * largest, -largest, 1e9])
    opset = 23 if name.startswith("float4") else 19
    (y,) = run("QuantizeLinear", opset, [x * 2, np.float32(2), np.zeros((), dtype)])
    assert y.dtype == dtype
    assert y.astype(np.float32).tolist() == [0, 1, -1.5, largest, -largest, largest]
    if opset == 19:
        (y,) = run("QuantizeLinear", opset, [x, np.float32(1), np.zeros((), dtype)], saturate=0)
        assert not np.isfinite(y[[3, 5]].astype(np.float32)).any()
    (back,) = run("DequantizeLinear", opset, [y[:3], np.float32(2)])
    assert back.tolist() == [0, 2, -3] if opset == 19 else back.dtype == np.float32


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_four_bits(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    (y,) = run(
        "QuantizeLinear", 21, [np.float32([-100, -3, 2.5, 7.6, 100]), np.float32(1), np.array(0, dtype)]
    )
    assert y.dtype == dtype
    assert y.astype(int).tolist() == ([-8, -3, 2, 7, 7] if name == "int4" else [0, 0, 2, 8, 15])
    (back,) = run("DequantizeLinear", 21, [y, np.float32(0.5), np.array(1, dtype)])
    assert back.tolist() == ((y.astype(np.float32) - 1) / 2).tolist()


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


def test_dequantized_since_version_19(assert_as_onnxruntime):
    for dtype, opset in itertools.product((np.uint8, np.int8, np.int32), (19, 21, 23)):
        x = (100 * X).astype(np.int32).astype(dtype)
        assert_as_onnxruntime("DequantizeLinear", opset, [x, np.float32(0.3)], {})
        if dtype != np.int32:
            assert_as_onnxruntime("DequantizeLinear", opset, [x, np.float16(0.3), dtype(5)], {})
    (y,) = run(
        "DequantizeLinear", 23, [np.int8([3, -4]), np.float32(0.25)], output_dtype=onnx.TensorProto.FLOAT16
    )
    assert y.dtype == np.float16
    assert y.tolist() == [0.75, -1]


def test_a_range_found_by_the_operator_itself(assert_as_onnxruntime):
    for x in (X, np.abs(X) + 1, -np.abs(X), X[:, :1], np.zeros((2, 2), np.float32)):
        assert_as_onnxruntime("DynamicQuantizeLinear", 11, [x], {}, 3)


def test_products_of_integers(assert_as_onnxruntime):
    for left, right in itertools.product((np.uint8, np.int8), repeat=2):
        a, b = RANDOM.integers(0, 255, (2, 3, 5)).astype(left), RANDOM.integers(0, 255, (5, 4)).astype(right)
        assert_as_onnxruntime("MatMulInteger", 10, [a, b], {})
        assert_as_onnxruntime("MatMulInteger", 10, [a, b, left(7), right(3)], {})
        assert_as_onnxruntime("MatMulInteger", 10, [a, b, left(7), np.arange(4).astype(right)], {})
    a, rows = RANDOM.integers(0, 255, (3, 5)).astype(np.uint8), np.array([1, 20, 7], np.uint8)
    (y,) = run("MatMulInteger", 10, [a, a.T, rows])
    assert (y == (a.astype(int) - rows[:, None]) @ a.T.astype(int)).all()


def test_convolutions_of_integers(assert_as_onnxruntime):
    x, w = (
        RANDOM.integers(0, 255, (1, 4, 6, 5)).astype(np.uint8),
        RANDOM.integers(0, 255, (6, 2, 3, 3)).astype(np.uint8),
    )
    for given in ({"group": 2}, {"group": 2, "pads": [1, 1, 1, 1], "strides": [2, 1]}):
        assert_as_onnxruntime("ConvInteger", 10, [x, w], given)
        assert_as_onnxruntime("ConvInteger", 10, [x, w, np.uint8(9)], given)
        assert_as_onnxruntime("ConvInteger", 10, [x, w, np.uint8(9), np.uint8(100)], given)
    zeros = np.arange(6).astype(np.uint8)
    (y,) = run("ConvInteger", 10, [x, w, np.uint8(9), zeros], group=2)
    kernels = (w.astype(np.int32) - zeros.reshape(-1, 1, 1, 1)).astype(np.float64)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], group=2)
    (same,) = run_node(node, [x.astype(np.float64) - 9, kernels])
    np.testing.assert_array_equal(y, same)
