"""What several operators ask of arrays."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HALVES = frozenset((np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)))
"""What is computed in float32 and rounded once."""

KERNEL_DTYPES = HALVES | {np.dtype(np.float32), np.dtype(np.float64)}
"""What kernels take."""

TEXT = "OSU"
"""Kinds of dtype that strings come in, mixed at will."""


def same_dtype(a: Array, b: Array) -> None:
    """Raise a TypeError where two arrays, that are not both text, have not one dtype."""
    if a.dtype != b.dtype and a.dtype.kind not in TEXT:
        message = f"both must have one dtype, not {a.dtype} and {b.dtype}"
        raise TypeError(message)
