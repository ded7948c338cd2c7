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


EQUATIONS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]), ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]), ("ii->i", [(3, 3)]),
    ("ij->", [(2, 3)]), ("i,j->ij", [(3,), (4,)]), ("ij,jk", [(2, 3), (3, 4)]),
    (" b i , b j -> b i j ", [(2, 3), (2, 4)]), ("ijk,ilm,njm,nlk,abc->", [(2, 2, 2)] * 5),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_sums_of_products(equation, shapes, assert_as_onnxruntime):
    inputs = [RANDOM.standard_normal(shape).astype(np.float32) for shape in shapes]
    assert_as_onnxruntime("Einsum", 12, inputs, {"equation": equation})
    whole = [RANDOM.integers(-5, 5, shape) for shape in shapes]
    assert_as_onnxruntime("Einsum", 12, whole, {"equation": equation})


def test_bits(assert_as_onnxruntime):
    a, b = RANDOM.integers(0, 255, (2, 3)).astype(np.uint8), RANDOM.integers(0, 255, 3).astype(np.uint8)
    for op_type in ("And", "Or", "Xor"):
        assert_as_onnxruntime(f"Bitwise{op_type}", 18, [a, b], {})
    assert_as_onnxruntime("BitwiseNot", 18, [a.astype(np.int32)], {})


def test_the_place_of_the_smallest(assert_as_onnxruntime):
    x = RANDOM.integers(0, 3, (3, 4, 5)).astype(np.float32)
    for axis, keeps, last in itertools.product((0, 1, -1), (0, 1), (0, 1)):
        given = {"axis": axis, "keepdims": keeps, "select_last_index": last}
        for opset in (12, 13):
            assert_as_onnxruntime("ArgMin", opset, [x], given)
    assert_as_onnxruntime("ArgMin", 11, [x], {})


def test_sequences_turned_around(assert_as_onnxruntime):
    x = RANDOM.standard_normal((4, 3, 2)).astype(np.float32)
    assert_as_onnxruntime("ReverseSequence", 10, [x, np.array([4, 1, 3])], {})
    assert_as_onnxruntime(
        "ReverseSequence", 10, [x, np.array([1, 3, 2, 2])], {"batch_axis": 0, "time_axis": 1}
    )
