"""Which numbers or boxes are kept: Unique and NonMaxSuppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Array
from .node import Node, Operation


def unique(node: Node) -> Operation:
    """Each number once, or each slice along an axis; in order, or as they come; with places, and how often."""
    axis, in_order = node.attributes.get("axis"), bool(node.attributes.get("sorted", 1))

    def run(x: Array) -> list[Array]:
        values, first, inverse, counts = np.unique(x, True, True, True, axis)
        if not in_order:
            order = np.argsort(first)
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            values, first, counts = np.take(values, order, axis or 0), first[order], counts[order]
            inverse = rank[inverse]
        return [values, first, inverse.ravel(), counts]

    return Operation(run, many=True, fresh=True)


def non_max_suppression(node: Node) -> Operation:
    """
    For each image and class the boxes of the highest scores that do not overlap one chosen before by too much.

    Of equal scores the first. Whether an overlap is too much may hang on a rounding: disputed.
    """
    by_center = bool(node.attributes.get("center_point_box", 0))

    def run(
        boxes: Array,
        scores: Array,
        most: Array | None = None,
        overlap: Array | None = None,
        least: Array | None = None,
    ) -> Array:
        limit = 0 if most is None else int(most.item())
        too_much = 0.0 if overlap is None else float(overlap.item())
        chosen = []
        for image, classes in enumerate(scores):
            corners = _corners(boxes[image].astype(np.float64), by_center=by_center)
            for number, row in enumerate(classes):
                candidates = np.argsort(-row, kind="stable")
                if least is not None:
                    candidates = candidates[row[candidates] > least.item()]
                chosen += [(image, number, box) for box in _apart(candidates, corners, limit, too_much)]
        return np.array(chosen, np.int64).reshape(-1, 3)

    return Operation(run, fresh=True, disputed=True)


def _corners(boxes: NDArray[np.float64], *, by_center: bool) -> NDArray[np.float64]:
    """The lower corner in the first two columns, the upper one in the last."""
    if by_center:
        return np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
    return np.hstack([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])])


def _apart(candidates: Array, corners: NDArray[np.float64], limit: int, too_much: float) -> list[int]:
    """The first candidates, at most so many, that overlap none before by more than the share of both."""
    areas = np.prod(corners[:, 2:] - corners[:, :2], 1)
    kept: list[int] = []
    while len(candidates) and len(kept) < limit:
        best, candidates = int(candidates[0]), candidates[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[candidates, :2])
        high = np.minimum(corners[best, 2:], corners[candidates, 2:])
        common = np.prod(np.maximum(high - low, 0), 1)
        union = areas[best] + areas[candidates] - common
        share = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        candidates = candidates[share <= too_much]
    return kept
