"""Deviations in units of the noise, counted: how many lie where, whatever their number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST = 2.0**-126
"""A standard deviation of no more than this says that nothing is rounded."""

_STEP = 0.005
_MOST = 20.0


def ratios(actual: NDArray[Any], exact: NDArray[Any], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return |difference| / σ of the elements that are finite in both and rounded at all, or not equal, flat.

    Elements whose σ is 0 and that are equal say nothing, and are left out.
    """
    finite = np.isfinite(actual) & np.isfinite(exact)
    difference = np.abs(actual[finite].astype(np.float64) - exact[finite].astype(np.float64))
    spread = sigma[finite]
    told = (spread > SMALLEST) | (difference > 0)
    return np.asarray(difference[told] / np.maximum(spread[told], SMALLEST))


class Tally:
    """Ratios of many comparisons, in classes of 0.005 up to 20."""

    def __init__(self) -> None:
        self._counts = np.zeros(round(_MOST / _STEP) + 1, np.int64)
        self.count, self.within_two, self.within_six = 0, 0, 0
        self.largest, self.largest_rms = 0.0, 0.0

    def add(self, found: NDArray[np.float64]) -> None:
        """Count the ratios of a comparison."""
        if not found.size:
            return
        places = np.minimum(found / _STEP, len(self._counts) - 1).astype(np.int64)
        self._counts += np.bincount(places, minlength=len(self._counts))
        self.count += found.size
        self.within_two += int((found <= 2).sum())
        self.within_six += int((found <= 6).sum())
        self.largest = max(self.largest, float(found.max()))
        self.largest_rms = max(self.largest_rms, float(np.sqrt((found**2).mean())))

    def update(self, other: Tally) -> None:
        """Count what another has counted."""
        self._counts += other._counts
        self.count += other.count
        self.within_two += other.within_two
        self.within_six += other.within_six
        self.largest = max(self.largest, other.largest)
        self.largest_rms = max(self.largest_rms, other.largest_rms)

    @property
    def median(self) -> float:
        """The median ratio, to 0.005; 0 where nothing was counted."""
        if not self.count:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._counts), self.count / 2))
        return (place + 0.5) * _STEP
