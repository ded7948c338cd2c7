"""Convolutions and pools beside onnxruntime."""

import itertools

import numpy as np
import onnx
import pytest

from softops.opset.backend import run_node

RANDOM = np.random.default_rng(11)
IMAGE = RANDOM.standard_normal((2, 4, 7, 6)).astype(np.float32)
TIES = RANDOM.integers(0, 3, (2, 3, 5, 5))

PADDING = [
    {},
    {"pads": [0, 1, 2, 0]},
    {"auto_pad": "VALID", "strides": [2, 1]},
    *({"auto_pad": f"SAME_{end}", "strides": list(strides)}
      for end, strides in itertools.product(("UPPER", "LOWER"), ((1, 1), (2, 2), (3, 2)))),
]  # fmt: skip


@pytest.mark.parametrize("padding", PADDING, ids=str)
def test_windows(padding, assert_as_onnxruntime):
    weights = RANDOM.standard_normal((6, 2, 3, 2)).astype(np.float32)
    assert_as_onnxruntime("Conv", 11, (IMAGE, weights), {**padding, "group": 2})
    window = {**padding, "kernel_shape": [3, 2]}
    for opset in (7, 11, 19):
        for counted in (0, 1):
            assert_as_onnxruntime("AveragePool", opset, (IMAGE,), {**window, "count_include_pad": counted})
    for opset in (8, 10, 12):
        assert_as_onnxruntime("MaxPool", opset, (IMAGE,), window)
        assert_as_onnxruntime("MaxPool", opset, (IMAGE,), window, outputs=2)


def test_indices_of_the_largest(assert_as_onnxruntime):
    for attributes in ({}, {"pads": [1, 1, 1, 1]}, {"dilations": [2, 1]}):
        for dtype in (np.float32, np.int8):
            window = {**attributes, "kernel_shape": [2, 2]}
            assert_as_onnxruntime("MaxPool", 12, (TIES.astype(dtype),), window, outputs=2)


def test_the_first_pooling_counts_no_pads():
    # ai.onnx@7::AveragePool is the first to ask whether pads count, and its default is the meaning before
    node = onnx.helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], auto_pad="SAME_UPPER")
    (y,) = run_node(node, [np.ones((1, 1, 2, 2), np.float32)], opset_version=1)
    assert y.tolist() == [[[[1, 1], [1, 1]]]]
