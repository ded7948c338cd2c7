"""Rules of operators that sample images: the products with their weights, and coordinates that are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from .call import Call


def _steepest(x: Array) -> float:
    """The root mean square step from a number to the next, along the axis where that is largest."""
    steps = [np.diff(x, axis=axis) for axis in range(max(x.ndim - 3, 0), x.ndim) if x.shape[axis] > 1]
    return max((float(np.sqrt(np.mean(step**2))) for step in steps), default=0.0)


def _sampled(call: Call, products: float, places: float) -> Array:
    """So many products for each number, at coordinates off by so many roundings of a step to the next one."""
    x = call.inputs[0]
    size = np.maximum(np.abs(call.run(np.abs(x), *call.inputs[1:])[0]), np.abs(call.y))
    return np.asarray(call.alpha * np.hypot(products * size, places * _steepest(x)))


def resize(call: Call) -> Array | None:
    """
    Resize and Upsample: none by the nearest number.

    A coordinate is rounded, by as much as it is large, and so much of the step to the next number comes in: a quarter
    of the length in the root mean square, as runtimes round it.
    """
    mode = call.attribute("mode", "nearest")
    if mode == "nearest":
        return None
    return _sampled(call, 6 if mode == "cubic" else 3, max(call.inputs[0].shape[-2:]) / 4)


def grid_sample(call: Call) -> Array:
    """GridSample: as Resize, at coordinates that are given between -1 and 1."""
    return _sampled(call, 3, max(call.inputs[0].shape[2:]))


RULES: dict[tuple[str, str], Any] = {
    **{("", name): resize for name in ("Resize", "Upsample")},
    ("", "GridSample"): grid_sample,
}
