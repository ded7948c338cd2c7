"""Computes with roundings drawn at random: what a rule does that follows a computation step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Value
from .call import Call
from .precision import Precision, of_sum


class Rounder:
    """
    Rounds at random.

    Parameters
    ----------
    random
        Draws the signs: a rounding moves a number by one standard deviation, up or down.
    precision
        That of the node.
    """

    def __init__(self, random: np.random.Generator, precision: Precision) -> None:
        self._random = random
        self._alpha, self._one = precision.inside, precision.one

    def moved(self, x: Array, sigma: Array | float) -> Array:
        """Move numbers by so many standard deviations, up or down; by nothing where that is not finite."""
        if not np.isfinite(np.sum(sigma)):
            sigma = np.where(np.isfinite(sigma), sigma, 0)
        bits = np.unpackbits(np.frombuffer(self._random.bytes(x.size // 8 + 1), np.uint8), count=x.size)
        signs = bits.view(np.int8).reshape(x.shape)
        signs *= 2
        signs -= 1
        step = signs * sigma
        step += x
        return np.asarray(step)

    def __call__(self, x: Array, times: float = 1.0, floor: float = 0.0) -> Array:
        """Round numbers so many times."""
        return self.moved(x, times * self._alpha * np.maximum(np.abs(x), floor))

    def last(self, x: Array) -> Array:
        """Round what is handed out: to a half, where the node gives halves."""
        return self.moved(x, self._one * np.abs(x))

    def mean(self, x: Array, axes: tuple[int, ...]) -> Array:
        """A mean along axes, by its sum."""
        count = np.prod([x.shape[axis] for axis in axes])
        total, squares = (np.sum(each, axes, keepdims=True) for each in (x, x**2))
        return self(self.moved(total, of_sum(total, squares, float(count), self._alpha)) / count)

    def sum_of(self, total: Array, squares: Array, terms: float) -> Array:
        """A sum that is known, with that of the squares of its terms."""
        return self.moved(total, of_sum(total, squares, terms, self._alpha))


Stepwise = Callable[[Call, Rounder, Sequence[Value]], list[Value]]
"""Gives the outputs of a node in one sample, from its inputs there."""
