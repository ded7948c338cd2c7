"""The kernels as operators call them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# softops.numba_kernels is imported by the first call: whoever only reads the table needs no compiler.


def softmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.softmax`."""
    from softops import numba_kernels

    return numba_kernels.softmax(x, axis)


def log_softmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.log_softmax`."""
    from softops import numba_kernels

    return numba_kernels.log_softmax(x, axis)


def hardmax(x: NDArray[Any], axis: int) -> NDArray[Any]:
    """`softops.numba_kernels.hardmax`."""
    from softops import numba_kernels

    return numba_kernels.hardmax(x, axis)


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """`softops.numba_kernels.sigmoid`."""
    from softops import numba_kernels

    return np.asarray(numba_kernels.sigmoid(x))
