"""
The standard deviation of each element, from that of a few samples.

With eight samples that of a single element is unsafe: deviations of eleven of it occur. So it is moderated by that of
its row, as if eight more samples had the mean of the row, and in short rows of the tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.ulp import Doubles, smallest_normal

LARGEST = 10.0
"""So many standard deviations a right runtime stays within: the tails are heavier than a Gauss curve's, of 3e8 numbers
the furthest was 5.8 away."""

LARGEST_RMS = 2.0
"""And so many in the root mean square over a tensor."""

LARGEST_RMS_OF_FEW = 3.5
"""The same of fewer numbers than `FEW`, of which still fewer are independent: chance takes four normal ones to 2.9 once
in a million times, and a right runtime took the eight of four softmaxes of two to 2.1."""

FEW = 16

_PRIOR = 8
_SHORT = 5


def largest_rms(count: int) -> float:
    """How many standard deviations a right runtime stays within in the root mean square over so many numbers."""
    return LARGEST_RMS_OF_FEW if count < FEW else LARGEST_RMS


def moderated(variance: Doubles, samples: int, dtype: np.dtype[Any], *, pooled: bool = False) -> Doubles:
    """
    Return the standard deviation of each element.

    Parameters
    ----------
    variance
        The mean squared distance of the samples from the exact value.
    samples
        How many.
    dtype
        What a runtime holds the tensor in: below its smallest normal number everything may be flushed. In float64 the
        exact value is as far off as a runtime's.
    pooled
        Whether all rows are alike, so that the whole tensor's mean moderates each.
    """
    if not variance.size:
        return variance
    is_short = pooled or variance.ndim == 0 or variance.shape[-1] < _SHORT
    mean = np.mean(variance) if is_short else np.mean(variance, -1, keepdims=True)
    sigma = np.sqrt((_PRIOR * mean + samples * variance) / (_PRIOR + samples))
    if dtype == np.float64:
        sigma = sigma * np.sqrt(2)
    return np.asarray(np.maximum(sigma, smallest_normal(dtype)))


def digits_of(variance: Doubles, exact: NDArray[Any]) -> float:
    """Significant decimal digits: of the root mean square of the values, over that of the noise; inf without noise."""
    finite = np.isfinite(exact)
    noise = float(np.sum(variance[finite]))
    size = float(np.sum(np.square(exact[finite], dtype=np.float64)))
    if noise == 0:
        return np.inf
    return max(0.5 * float(np.log10(size / noise)), 0.0) if size else 0.0
