"""ai.onnx.ml's ZipMap, which stands behind the classifiers of scikit-learn and which onnx has no implementation of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .node import Maker, Spot
from .plan import Work


def _zip_map(spot: Spot) -> Work:
    """A list with a dict for each row: its numbers by class label."""
    labels = spot.attributes.get("classlabels_int64s") or spot.attributes.get("classlabels_strings") or []

    def run(x: NDArray[Any]) -> list[dict[int | str, float]]:
        rows = np.atleast_2d(x)
        if rows.ndim != 2 or rows.shape[1] != len(labels):
            message = f"{len(labels)} class labels ask for rows of as many numbers"
            raise ValueError(message)
        return [dict(zip(labels, row, strict=True)) for row in rows.tolist()]

    return Work(run=run)


CLASSICAL: dict[str, Maker] = {"ZipMap": _zip_map}
