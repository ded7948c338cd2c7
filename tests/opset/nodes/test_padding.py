"""Pad, Split and Tile of every version, beside NumPy and onnxruntime."""

import numpy as np
import onnx
import pytest
from verified import run

from softops.opset import ModelError
from softops.opset.backend import run_node

RANDOM = np.random.default_rng(6)
SHAPE = (4, 3, 5)


def image(rank):
    return RANDOM.standard_normal(SHAPE[:rank]).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_around_a_tensor(rank, mode, assert_as_onnxruntime):
    x = image(rank)
    before, after = [1, 2, 0][:rank], [2, 0, 3][:rank]
    widths = list(zip(before, after, strict=True))
    expected = np.pad(x, widths, mode)
    pads = np.array([*before, *after])
    for opset in (11, 13, 18, 19):
        (y,) = run("Pad", opset, [x, pads], mode=mode)
        np.testing.assert_array_equal(y, expected)
        if mode != "wrap" or opset == 19:
            assert_as_onnxruntime("Pad", opset, [x, pads], {"mode": mode})
    if mode != "wrap":
        given = {"pads": pads.tolist(), "mode": mode}
        np.testing.assert_array_equal(run("Pad", 2, [x], **given)[0], expected)
        assert_as_onnxruntime("Pad", 10, [x], {**given, "value": 0.5})
    first = {"paddings": pads.tolist(), "mode": mode}  # the attribute's name in version 1
    np.testing.assert_array_equal(run("Pad", 1, [x], **first)[0], expected)


def test_reflected_more_than_once():
    x = np.arange(3.0)
    for mode in ("reflect", "wrap", "edge"):
        (y,) = run("Pad", 19, [x, np.array([7, 8])], mode=mode)
        np.testing.assert_array_equal(y, np.pad(x, (7, 8), mode))


def test_numbers_cut_off_axes_and_a_value(assert_as_onnxruntime):
    x = image(3)
    for opset in (11, 18):
        assert_as_onnxruntime("Pad", opset, [x, np.array([-1, 0, 2, 1, -2, -1])], {})
        assert_as_onnxruntime("Pad", opset, [x, np.array([1, 0, 2, 1, 2, 1]), np.float32(0.5)], {})
    for mode, axes in (("constant", [-1]), ("edge", [2, 0]), ("reflect", [1])):
        pads = np.ones(2 * len(axes), np.int64)
        assert_as_onnxruntime("Pad", 18, [x, pads, None, np.array(axes)], {"mode": mode})
    (y,) = run("Pad", 19, [x.astype(np.int64), np.array([0, 0, 1, 0, 0, 0]), np.array(7)])
    assert (y[..., 0] == 7).all()
    with pytest.raises(ModelError, match="6 pads are needed, not 2"):
        run("Pad", 18, [x, np.array([1, 1])])
    with pytest.raises(ModelError, match="6 pads are needed, not 8"):
        run("Pad", 18, [x, np.ones(8, np.int64)])
    with pytest.raises(ModelError, match="expected a mode of constant, edge, reflect, wrap"):
        run_node(onnx.helper.make_node("Pad", ["x", "p"], ["y"], mode="other"), [x, np.zeros(6, np.int64)])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_parts(axis, assert_as_onnxruntime):
    x = image(3)
    length = x.shape[axis]
    lengths = [1, length - 1]
    for opset in (2, 11):
        assert_as_onnxruntime("Split", opset, [x], {"axis": axis, "split": lengths}, 2)
    for opset in (13, 18):
        assert_as_onnxruntime("Split", opset, [x, np.array(lengths)], {"axis": axis}, 2)
    for opset in (2, 11, 13):
        assert_as_onnxruntime("Split", opset, [x], {"axis": axis}, length)
    for count in range(1, length + 1):
        if (count - 1) * -(-length // count) <= length:
            assert_as_onnxruntime("Split", 18, [x], {"axis": axis, "num_outputs": count}, count)


def test_the_first_split_takes_its_lengths_as_an_input_too():
    x = image(2)
    a, b = run("Split", 1, [x, np.float32([1, 3])], outputs=2, axis=0)
    np.testing.assert_array_equal(np.concatenate([a, b]), x)
    assert len(a) == 1


@pytest.mark.parametrize("lengths", [[1, 2], [2, 3], [5, -1]])
def test_parts_that_do_not_fit(lengths):
    with pytest.raises(ModelError, match="do not make up the length 4"):
        run("Split", 13, [image(2), np.array(lengths)], outputs=2)


def test_tile(assert_as_onnxruntime):
    for rank, times in ((1, [3]), (2, [2, 1]), (3, [1, 0, 2])):
        assert_as_onnxruntime("Tile", 6, [image(rank), np.array(times)], {})
        assert_as_onnxruntime("Tile", 13, [image(rank), np.array(times)], {})
    (y,) = run("Tile", 1, [image(2), np.float32(3), np.float32(1)])
    assert y.shape == (4, 9)
