"""Decisions by rank: which places of an ArgMax, ArgMin or TopK rounding may give to another element."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node
from .value import Noisy

RANKERS = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}
"""Operators of ONNX's own domain that rank, and which output says what has a rank."""

EXPLAINED = 10.0
"""So many standard deviations of their difference two numbers may be apart, and change places."""


def close_ranks(node: Node, scores: Noisy, places: Array) -> Array:
    """
    Tell, of the shape of ``places``, whose neighbour in rank is so near that rounding may change which is first.

    Samples alone would tell too little: of two equal numbers each rounded up or down, the order changes in a quarter of
    them.
    """
    if scores.copies is None or not places.size:
        return np.zeros(places.shape, bool)
    axis = int(node.attributes.get("axis", -1 if node.proto.op_type == "TopK" else 0))
    falling = node.proto.op_type == "ArgMax" or (
        node.proto.op_type == "TopK" and bool(node.attributes.get("largest", 1))
    )
    x = np.moveaxis(scores.exact, axis, -1)
    variance = np.moveaxis(_steady(scores.variance(), axis), axis, -1)
    order = np.argsort(-x if falling else x, axis=-1, kind="stable")
    ranks = places.shape[axis] if node.proto.op_type == "TopK" else 1
    close = _close(np.take_along_axis(x, order, -1), np.take_along_axis(variance, order, -1))
    none = np.zeros((*close.shape[:-1], 1), bool)
    either = np.concatenate([none, close], -1) | np.concatenate([close, none], -1)
    return np.asarray(np.moveaxis(either[..., :ranks], -1, axis).reshape(places.shape))


def _steady(variance: Array, axis: int) -> Array:
    """Half of it from the row's mean: that of one element, from a few samples, is unsafe; 0 where it is 0."""
    return np.where(variance > 0, (variance + variance.mean(axis, keepdims=True)) / 2, 0)


def _close(ranked: Array, variance: Array) -> Array:
    """Whether each number is near the next one; equal ones are where one of them has noise."""
    noise = variance[..., :-1] + variance[..., 1:]
    with np.errstate(invalid="ignore"):
        gap = np.abs(ranked[..., :-1] - ranked[..., 1:])
    return np.asarray((gap <= EXPLAINED * np.sqrt(noise)) & (noise > 0))
