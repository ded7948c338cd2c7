"""The oracle's quantization: into extended precision, back, and rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .softmax import Extended


def dequantized(x: NDArray[Any], scale: float, zero: float) -> Extended:
    """(x - zero) scale; a scale may be anything."""
    with np.errstate(all="ignore"):
        return np.asarray((x.astype(np.longdouble) - zero) * np.longdouble(scale))


def quantized(y: Extended, scale: float, zero: float) -> Extended:
    """y / scale + zero, before it is rounded."""
    with np.errstate(all="ignore"):
        return np.asarray(y / np.longdouble(scale) + zero)


def saturated(value: Extended, dtype: DTypeLike, zero: float) -> NDArray[Any]:
    """
    Round to the nearest integer and keep it in range, as QuantizeLinear.

    Ties go to even before the zero point is added. What is no number becomes the lowest.
    """
    limits = np.iinfo(np.dtype(dtype))
    with np.errstate(all="ignore"):
        steps = np.clip(np.rint(value - zero) + zero, limits.min, limits.max)
    return np.where(np.isnan(steps), limits.min, steps).astype(dtype)
