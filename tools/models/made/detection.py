"""A detection head of torch: scores by a sigmoid, boxes decoded on a grid, the best of them kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_CLASSES, _ANCHORS, _KEPT, _STRIDE = 4, 2, 10, 8
_SIZE = 64


class Detector(nn.Module):
    """
    Pictures of 3 x 64 x 64 to the ten best boxes, or to all of them.

    Boxes of shape (rows, 10, 4) as left, top, right, bottom in pixels; their scores of shape (rows, 10), falling; their
    classes. All of them: boxes of shape (rows, 128, 4), scores of shape (rows, 4 classes, 128).
    """

    def __init__(self, *, every: bool = False) -> None:
        super().__init__()
        self.every = every
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU()),
            *(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.SiLU()),
            *(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.SiLU()),
        )
        self.head = nn.Conv2d(32, _ANCHORS * (5 + _CLASSES), 1)
        cells = torch.arange(_SIZE // _STRIDE, dtype=torch.float32)
        self.register_buffer("grid", torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1)[None, None])
        self.register_buffer("anchors", torch.tensor([[8.0, 12.0], [24.0, 20.0]]).view(1, _ANCHORS, 1, 1, 2))

    def forward(self, pixels: Any) -> Any:
        raw = self.head(self.features(pixels))
        rows, _, high, wide = raw.shape
        parts = raw.view(rows, _ANCHORS, 5 + _CLASSES, high, wide).permute(0, 1, 3, 4, 2).sigmoid()
        middle = (parts[..., :2] * 2 - 0.5 + self.grid) * _STRIDE
        half = (parts[..., 2:4] * 2) ** 2 * self.anchors / 2
        boxes = torch.cat([middle - half, middle + half], -1).reshape(rows, -1, 4)
        of_classes = (parts[..., 4:5] * parts[..., 5:]).reshape(rows, -1, _CLASSES)
        if self.every:
            return boxes, of_classes.transpose(1, 2)
        scores, classes = of_classes.max(-1)
        best, places = scores.topk(_KEPT, -1)
        kept = boxes.gather(1, places[..., None].expand(-1, -1, 4)).clamp(0, _SIZE)
        return kept, best, classes.gather(1, places)


def suppress(path: Path) -> None:
    """Put NonMaxSuppression, which torch alone does not export, behind boxes and scores in a file."""
    model = onnx.load(path)
    limits = {"most": np.int64(10), "overlap": np.float32(0.5), "least": np.float32(0.3)}
    model.graph.initializer.extend(numpy_helper.from_array(np.array([v]), k) for k, v in limits.items())
    both = [value.name for value in model.graph.output]
    model.graph.node.append(helper.make_node("NonMaxSuppression", [*both, *limits], ["selected"]))
    model.graph.output.append(helper.make_tensor_value_info("selected", TensorProto.INT64, [None, 3]))
    onnx.save(model, path)
