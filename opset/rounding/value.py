"""A value of a noisy run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Value


@dataclass(frozen=True)
class Noisy:
    """
    A value, and samples of what runtimes may make of it.

    Attributes
    ----------
    exact
        The value; floats in float64.
    copies
        The samples; None where all are equal to `exact`.
    dtype
        What a runtime holds it in; None for what is no array of floats.
    undecided
        Of a decision, whether rounding may change it, element by element.
    hangs_on
        The decisions before it that rounding may change, in words.
    """

    exact: Value
    copies: list[Value] | None = None
    dtype: np.dtype[Any] | None = None
    undecided: Array | None = None
    hangs_on: frozenset[str] = frozenset()

    def copy(self, sample: int) -> Value:
        """The value in a sample."""
        return self.exact if self.copies is None else self.copies[sample]

    def amplified(self, sample: int, factor: float, most: float = np.inf) -> Value:
        """
        The value in a sample, as many times as far from the exact one; of floats alone.

        Not where it is further off than `most` of the largest: there it is not rounding that moved it.
        """
        copy = self.copy(sample)
        if not isinstance(copy, np.ndarray) or copy.dtype != np.float64 or copy.shape != self.exact.shape:
            return copy
        with np.errstate(invalid="ignore"):
            apart = copy - self.exact
            size = np.abs(self.exact).max(initial=0, where=np.isfinite(self.exact))
            moved = self.exact + np.where(np.abs(apart) <= most * size, factor, 1) * apart
        return np.where(np.isfinite(moved), moved, copy)

    def variance(self) -> Array:
        """The mean squared distance of the samples, in float64; 0 where a number is not finite."""
        assert isinstance(self.exact, np.ndarray)
        if self.copies is None or self.exact.dtype != np.float64:
            return np.zeros(self.exact.shape)
        total = np.zeros(self.exact.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            for copy in self.copies:
                apart = copy - self.exact
                apart *= apart
                total += apart
        total[~np.isfinite(total)] = 0
        return total / len(self.copies)


NOTHING = Noisy(None)
"""An input that is left out."""
