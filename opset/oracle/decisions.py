"""The oracle's ArgMax, TopK and Multinomial: by comparing, one definition after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .softmax import softmax

Indices = NDArray[np.int64]


def arg_max(x: NDArray[Any], axis: int, *, last: bool) -> Indices:
    """The least (or ``last`` the greatest) index of an element that no other exceeds; a NaN exceeds all numbers."""
    lines = np.moveaxis(x if x.dtype.kind in "iu" else x.astype(np.longdouble), axis, -1)
    winners = (lines != lines) | (lines == lines.max(-1, keepdims=True))
    n = lines.shape[-1]
    index = np.arange(n)
    return np.asarray(np.where(winners, index, -1).max(-1) if last else np.where(winners, index, n).min(-1))


def top_k(lines: NDArray[Any], k: int, *, largest: bool) -> Indices:
    """Indices of each last-axis line sorted by value, a NaN above all numbers, and then by index: the first ``k``."""
    index = np.empty((*lines.shape[:-1], k), np.int64)
    for place in np.ndindex(lines.shape[:-1]):
        # As numbers of Python, which hold every integer and every float exactly.
        line = lines[place] if lines.dtype.kind in "iu" else lines[place].astype(np.float64)
        keys = [_key(value, largest=largest) for value in line.tolist()]
        index[place] = sorted(range(len(keys)), key=keys.__getitem__)[:k]
    return index


def multinomial(x: NDArray[Any], numbers: NDArray[np.float64]) -> Indices:
    """The first class up to which the probabilities add up to more than the random number."""
    cumulated = softmax(x, 1).cumsum(1)
    reached = cumulated[:, None, :] > numbers[:, :, None] * cumulated[:, None, -1:]
    return np.asarray(reached.argmax(-1))


def _key(value: float, *, largest: bool) -> tuple[bool, float]:
    """What sorts first comes first: Python's sort is stable, so that the index decides among equals."""
    if value != value:
        return not largest, 0
    return largest, -value if largest else value
