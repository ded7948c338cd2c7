"""From extended precision to the dtype asked for, in one rounding."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

_DTYPES = tuple(
    np.dtype(dtype) for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble)
)


def rounded(x: NDArray[np.longdouble], dtype: DTypeLike | None) -> NDArray[Any]:
    """
    Round to ``dtype``, once, to nearest with ties to even; None returns ``x`` itself.

    NumPy goes to float16 and bfloat16 by way of float32, which would round twice. So float32 is reached by
    rounding to odd (towards zero, and an inexact result gets an odd last bit): it has at least 13 bits more
    than a half, and a value rounded to odd with two bits to spare rounds on as the exact one does.
    """
    if dtype is None:
        return x
    dtype = checked(np.dtype(dtype))
    with np.errstate(over="ignore", under="ignore"):
        if dtype.itemsize > 2:
            return x.astype(dtype)
        near = x.astype(np.float32)
        inexact = np.isfinite(x) & (near.astype(np.longdouble) != x)
        beyond = inexact & (np.abs(near) > np.abs(x))
        bits = near.view(np.uint32) - beyond.astype(np.uint32)  # one step towards zero, sign kept apart
        return np.asarray((bits | inexact.astype(np.uint32)).view(np.float32).astype(dtype))


def checked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype, if it is one that the reference takes and gives; a TypeError otherwise."""
    if dtype not in _DTYPES:
        message = (
            f"the reference takes float16, bfloat16, float32, float64 or longdouble (got {dtype}); "
            "convert with x.astype(np.float32)"
        )
        raise TypeError(message)
    return dtype
