"""GridSample of every mode, beside torch and onnxruntime."""

import itertools

import numpy as np
import onnx
import pytest

from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

RANDOM = np.random.default_rng(16)
AROUND = ("zeros", "border", "reflection")
IMAGES = {4: ((2, 3, 5, 4), (2, 3, 6, 2)), 5: ((2, 3, 5, 4, 3), (2, 2, 3, 4, 3))}


@pytest.mark.parametrize("rank", IMAGES)
@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
def test_as_torch_in_float64(rank, mode):
    torch = pytest.importorskip("torch")
    if (rank, mode) == (5, "cubic"):
        return  # which torch does not have
    x, grid = RANDOM.standard_normal(IMAGES[rank][0]), RANDOM.uniform(-1.7, 1.7, IMAGES[rank][1])
    for aligned, around in itertools.product((0, 1), AROUND):
        options = {"align_corners": bool(aligned), "padding_mode": around}
        name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
        expected = torch.nn.functional.grid_sample(
            torch.from_numpy(x), torch.from_numpy(grid), name, **options
        )
        for opset, called in ((20, mode), *[(16, name)] * (rank == 4)):
            given = {"mode": called, "align_corners": aligned, "padding_mode": around}
            node = onnx.helper.make_node("GridSample", ["x", "g"], ["y"], **given)
            assert is_verified(node, {"": opset}) == (mode != "nearest")
            (y,) = run_node(node, [x, grid], opset_version=opset)
            np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_as_onnxruntime(mode, assert_as_onnxruntime):
    x = RANDOM.standard_normal(IMAGES[4][0]).astype(np.float32)
    grid = RANDOM.uniform(-1.3, 1.3, IMAGES[4][1]).astype(np.float32)
    for aligned, around in itertools.product((0, 1), AROUND):
        given = {"mode": mode, "align_corners": aligned, "padding_mode": around}
        assert_as_onnxruntime("GridSample", 16, [x, grid], given)
