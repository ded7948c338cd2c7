"""Unique and NonMaxSuppression beside onnxruntime and NumPy."""

import itertools

import numpy as np
import onnx
import pytest

from softops.opset.backend import run_node

RANDOM = np.random.default_rng(15)


@pytest.mark.parametrize("shape", [(7,), (4, 3), (3, 2, 4)], ids=str)
@pytest.mark.parametrize("in_order", [0, 1])
def test_each_once(shape, in_order, assert_as_onnxruntime):
    x = RANDOM.integers(0, 3, shape).astype(np.float32)
    x[-1] = x[0]
    for axis in (None, 0, -1):
        given = {"sorted": in_order} | ({} if axis is None else {"axis": axis})
        for outputs in (1, 4):
            assert_as_onnxruntime("Unique", 11, [x], given, outputs)


def test_unique_text_in_the_order_it_comes():
    node = onnx.helper.make_node("Unique", ["x"], ["y", "first", "inverse", "counts"], sorted=0)
    y, first, inverse, counts = run_node(node, [np.array(["b", "a", "b", "c"], object)])
    assert y.tolist() == ["b", "a", "c"]
    assert (first.tolist(), inverse.tolist(), counts.tolist()) == ([0, 1, 3], [0, 1, 0, 2], [2, 1, 1])


@pytest.mark.parametrize("by_center", [0, 1])
def test_boxes_that_do_not_overlap(by_center, assert_as_onnxruntime):
    boxes = RANDOM.random((2, 12, 4)).astype(np.float32)
    if not by_center:
        boxes[:, ::2] = boxes[:, ::2, [2, 3, 0, 1]]  # any two opposite corners
    scores = np.round(RANDOM.random((2, 3, 12)), 1).astype(np.float32)  # some are equal
    for most, overlap, least in itertools.product((None, 0, 2, 10), (None, 0.0, 0.3), (None, 0.4)):
        inputs = [boxes, scores, None if most is None else np.array([most])]
        inputs += [None if value is None else np.float32([value]) for value in (overlap, least)]
        assert_as_onnxruntime("NonMaxSuppression", 11, inputs, {"center_point_box": by_center})
