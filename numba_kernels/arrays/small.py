"""Contiguous arrays that one thread does, for which Numba finds out where they lie.

A kernel is done with ten numbers in a fifth of a microsecond; asking in Python for addresses, sizes and steps takes ten
times as long. A jitted function that takes arrays has all that at hand. It is compiled once for each dtype and rank,
whatever the operator, because it calls kernels by the addresses of their code: `codes` is where these stand, 0 for a
kernel that has not run yet. It answers whether it could do the work.
"""

from typing import Any

import numpy as np

from ..compile.jit import call_at, helper, kernel, small_kernel
from ..vector import VECTOR_BYTES, load_scalar

_WORD = np.int64(0)


@helper
def _place(x: Any, out: Any) -> Any:
    """Where x and `out` lie; 0, 0 where a kernel cannot write to `out` while it reads x."""
    src, dst = np.int64(x.ctypes.data), np.int64(out.ctypes.data)
    fits = out.shape == x.shape and (src == dst or abs(src - dst) >= x.nbytes)
    return (src, dst) if fits and x.size > 0 else (_WORD, _WORD)


@helper
def _rows(codes: Any, x: Any, out: Any) -> Any:
    """Along the last axis, by one of two kernels: for short rows, and for others."""
    n, size, one = np.int64(x.shape[-1]), np.int64(x.itemsize), np.int64(1)
    is_short = n * max(size, np.int64(4)) < VECTOR_BYTES
    code = load_scalar(one, codes if is_short else codes + 8)
    src, dst = _place(x, out)
    if code == 0 or src == 0:
        return False
    call_at(code, (dst, src, np.int64(x.size) // n, n, one, n * size, size, n * size, size))
    return True


@helper
def _elements(codes: Any, x: Any, out: Any) -> Any:
    """Element by element, by one kernel."""
    src, dst = _place(x, out)
    if src == 0:
        return False
    call_at(load_scalar(_WORD, codes), (dst, src, np.int64(x.size), np.int64(1)))
    return True


@small_kernel
def _small_rows(codes: Any, x: Any, out: Any) -> Any:
    return _rows(codes, x, out)


@kernel
def _large_rows(codes: Any, x: Any, out: Any) -> Any:
    return _rows(codes, x, out)


@small_kernel
def _small_elements(codes: Any, x: Any, out: Any) -> Any:
    return _elements(codes, x, out)


@kernel
def _large_elements(codes: Any, x: Any, out: Any) -> Any:
    return _elements(codes, x, out)


# For small arrays, and for those that take long enough for other threads to run.
BY_ROWS = _small_rows, _large_rows
BY_ELEMENTS = _small_elements, _large_elements
