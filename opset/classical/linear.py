"""ai.onnx.ml's LinearRegressor, in float64."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from ..operators.linear_classifier import transformed
from .rows import matrix_of


def linear_regressor(node: Node) -> Operation | None:
    """A weighted sum of the features for each target. A softmax of one target is for nobody to say."""
    attributes, targets = node.attributes, node.attributes.get("targets", 1)
    transform = attributes.get("post_transform", "NONE")
    if targets == 1 and transform != "NONE":
        return None
    weights = (
        np.array(attributes.get("coefficients") or [], np.float32).astype(np.float64).reshape(targets, -1)
    )
    offsets = np.array(attributes.get("intercepts") or [0], np.float32).astype(np.float64)

    def run(x: Array) -> Array:
        scores = matrix_of(x).astype(np.float64) @ weights.T + offsets
        return transformed(scores, transform).astype(np.float32)

    return Operation(run, fresh=True)
