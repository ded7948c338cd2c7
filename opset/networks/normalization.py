"""Normalizations."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation


def batch_normalization(node: Node) -> Operation | None:
    """Out of training; before version 14 a node with one output is meant so, as onnxruntime reads it."""
    if node.attributes.get("training_mode", 0) or node.outputs > 1:
        return None
    epsilon = node.attributes.get("epsilon", 1e-5)
    whole = not node.attributes.get("spatial", 1)

    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        shape = x.shape[1:] if whole else (-1, *[1] * (x.ndim - 2))
        slope = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        shift = bias - mean * slope
        y: Array = x * slope.reshape(shape) + shift.reshape(shape)
        return y.astype(x.dtype)

    return Operation(run, fresh=True)
