"""The kernels as operators call them: whatever dtype ONNX allows in, the same dtype out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

_HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))

# softops.numba_kernels is imported by the first call: whoever only reads the table needs no compiler.


def softmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.softmax`, halves computed in float32."""
    from softops import numba_kernels

    return _through_float32(numba_kernels.softmax, x, axis)


def log_softmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.log_softmax`, halves computed in float32."""
    from softops import numba_kernels

    return _through_float32(numba_kernels.log_softmax, x, axis)


def hardmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.hardmax`, halves computed in float32."""
    from softops import numba_kernels

    return _through_float32(numba_kernels.hardmax, x, axis)


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """`softops.numba_kernels.sigmoid`, halves computed in float32."""
    from softops import numba_kernels

    return _through_float32(numba_kernels.sigmoid, x)


def _through_float32(kernel: Callable[..., NDArray[Any]], x: NDArray[Any], *axis: int) -> NDArray[Any]:
    """Call the kernel with what it takes: float16 and bfloat16 widened to float32 and rounded once."""
    if x.dtype not in _HALVES:
        return np.asarray(kernel(x, *axis))
    with np.errstate(over="ignore"):  # a log-probability below -65504 is -inf in float16
        return np.asarray(kernel(x.astype(np.float32), *axis)).astype(x.dtype)
