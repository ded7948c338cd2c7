"""Operators that onnx's reference runs for us, at versions before the one that it knows."""

import numpy as np
import onnx
import pytest

from softops.opset import UnsupportedModelError
from softops.opset.backend import prepare

RANDOM = np.random.default_rng(16)


def test_what_was_meant_before_there_was_a_choice(assert_as_onnxruntime):
    # ai.onnx@16::RoiAlign shifts by half a pixel unless it is asked not to
    x, rows = RANDOM.standard_normal((2, 3, 6, 5)).astype(np.float32), np.array([0, 1, 1])
    regions = np.float32([[0, 0, 3, 4], [1, 1, 2.5, 3.5], [0.5, 1, 4, 5]])
    sizes = {"output_height": 2, "output_width": 3, "sampling_ratio": 2}
    for opset, given in (
        (10, {}),
        (15, {}),
        (16, {}),
        (16, {"coordinate_transformation_mode": "output_half_pixel"}),
    ):
        assert_as_onnxruntime("RoiAlign", opset, [x, regions, rows], sizes | given)


def test_what_it_does_not_take_is_told_in_its_own_words():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        'g (uint8[3] x) => (uint8[3] y) { y = BitShift<direction = "UP">(x, x) }'
    )
    with pytest.raises(UnsupportedModelError, match=r"expected BitShift in a form .*direction.*'UP'"):
        prepare(model)
