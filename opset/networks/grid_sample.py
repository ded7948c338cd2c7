"""GridSample of any rank: numbers of an image between its places."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from .resize import cubic_weights

Doubles = NDArray[np.float64]

_MODES = {"bilinear": "linear", "bicubic": "cubic"}
"""Names of modes before version 20."""

_CUBIC = -0.75
"""The coefficient of bicubic interpolation, as in torch, from which the operator comes."""


def grid_sample(node: Node) -> Operation | None:
    """
    At each place of a grid, whose coordinates go from -1 to 1, the number there, the nearest one, or by weights.

    What stands outside is 0, the border, or the image mirrored. The nearest number hangs on roundings: disputed.
    """
    attributes = node.attributes
    mode = attributes.get("mode", "linear")
    mode, aligned = _MODES.get(mode, mode), bool(attributes.get("align_corners", 0))
    around = attributes.get("padding_mode", "zeros")
    if mode not in _TAPS or around not in ("zeros", "border", "reflection"):
        return None

    def kept(place: Doubles, weight: Doubles, length: int) -> tuple[NDArray[np.intp], Doubles]:
        if around == "zeros":
            weight = np.where((place < 0) | (place >= length), 0, weight)
        return _inside(place, length, around, aligned=aligned).astype(np.intp), weight

    def run(x: Array, grid: Array) -> Array:
        rank, lengths = x.ndim - 2, x.shape[2:]
        images = np.arange(len(x)).reshape(-1, *[1] * rank)
        last = np.moveaxis(x, 1, -1)
        axes = []
        for axis, length in enumerate(lengths):
            where = (grid[..., rank - 1 - axis].astype(np.float64) + 1) / 2
            where = where * (length - 1) if aligned else where * length - 0.5
            axes.append([kept(place, weight, length) for place, weight in _TAPS[mode](where)])
        total: Any = 0
        for taps_of_all in itertools.product(*axes):
            weight: Any = 1
            for _, own in taps_of_all:
                weight = weight * own
            total = (
                total + np.asarray(weight)[..., None] * last[(images, *(there for there, _ in taps_of_all))]
            )
        return np.ascontiguousarray(np.moveaxis(total, -1, 1)).astype(x.dtype)

    return Operation(run, fresh=True, disputed=mode == "nearest", interpolates=True)


def _inside(places: Doubles, length: int, around: str, *, aligned: bool) -> Doubles:
    """The place in the image whose number stands at each place."""
    if around != "reflection":
        return np.clip(places, 0, length - 1)
    period = max(2 * (length - 1), 1) if aligned else 2 * length
    turned = places % period
    return np.where(turned > length - 1, period - turned if aligned else period - 1 - turned, turned)


def _nearest(where: Doubles) -> list[tuple[Doubles, Doubles]]:
    return [(np.rint(where), np.ones_like(where))]


def _linear(where: Doubles) -> list[tuple[Doubles, Doubles]]:
    first = np.floor(where)
    return [(first, first + 1 - where), (first + 1, where - first)]


def _cubic(where: Doubles) -> list[tuple[Doubles, Doubles]]:
    first = np.floor(where)
    return [(first + k, cubic_weights(np.abs(where - first - k), _CUBIC)) for k in range(-1, 3)]


_TAPS: dict[str, Callable[[Doubles], list[tuple[Doubles, Doubles]]]] = {
    "nearest": _nearest,
    "linear": _linear,
    "cubic": _cubic,
}
"""Of each mode the places that a number between is made of, with their weights."""
