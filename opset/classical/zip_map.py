"""ai.onnx.ml's ZipMap, which stands behind the classifiers of scikit-learn and which onnx has no implementation of."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation


def zip_map(node: Node) -> Operation:
    """A list with a dict for each row: its numbers by class label."""
    labels = node.attributes.get("classlabels_int64s") or node.attributes.get("classlabels_strings") or []

    def run(x: Array) -> list[dict[int | str, float]]:
        rows = np.atleast_2d(x)
        if rows.ndim != 2 or rows.shape[1] != len(labels):
            message = f"{len(labels)} class labels ask for rows of as many numbers"
            raise ValueError(message)
        return [dict(zip(labels, row, strict=True)) for row in rows.tolist()]

    return Operation(run)
