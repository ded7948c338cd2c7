"""Contiguous arrays, for which Numba finds out where they lie.

A kernel is done with ten numbers in a fifth of a microsecond; asking in Python for addresses, sizes and steps takes ten
times as long. A jitted function that takes arrays has all that at hand. It is compiled once for each dtype and rank,
whatever the operator, because it calls kernels by the addresses of their code: `codes` is where these stand (see
`Codes`), 0 for a kernel that has not run yet. It answers whether it could do the work; a shared one, below 0 if not.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ..compile.jit import helper, keep_alive, kernel, small_kernel
from ..compile.shares import call_at, neighbours, share_out, stack_words
from ..vector import VECTOR_BYTES, load_scalar

_WORD = np.int64(0)
# What the shared ones answer in place of what `share_out` gives.
_NOT_DONE = np.int64(-1)
# Rows from this length on are worth spreading over threads, one by one.
LONG = 32768


class Codes(IntEnum):
    """What stands where in the eight words of an operator and a dtype."""

    SHORT_ROWS = 0
    """Or elements, where an operator has no rows."""
    ROWS = 1
    SHORT_ROWS_SHARED = 2
    """This and what follows: of the kernel for shares."""
    ROWS_SHARED = 3
    BLOCKS_SHARED = 4
    """Of a few long rows, block by block."""
    STAGES = 5
    """In how many stages that works, 0 for not at all."""
    KEPT = 6
    """How many float64 numbers are kept of a block."""
    BITS = 7
    """How many bits the length of a block has."""


@helper
def _word(codes: Any, which: Any) -> Any:
    return load_scalar(_WORD, codes + 8 * which)


@helper
def _place(x: Any, out: Any) -> Any:
    """Where x and `out` lie; 0, 0 where a kernel cannot write to `out` while it reads x."""
    src, dst = np.int64(x.ctypes.data), np.int64(out.ctypes.data)
    fits = out.shape == x.shape and (src == dst or abs(src - dst) >= x.nbytes)
    return (src, dst) if fits and x.size > 0 else (_WORD, _WORD)


@helper
def _is_short(n: Any, size: Any) -> Any:
    return n * max(size, np.int64(4)) < VECTOR_BYTES


@helper
def _rows(codes: Any, x: Any, out: Any) -> Any:
    """Along the last axis, by one of two kernels: for short rows, and for others."""
    n, size, one = np.int64(x.shape[-1]), np.int64(x.itemsize), np.int64(1)
    code = _word(codes, Codes.SHORT_ROWS if _is_short(n, size) else Codes.ROWS)
    src, dst = _place(x, out)
    if code == 0 or src == 0:
        return False
    call_at(code, (dst, src, np.int64(x.size) // n, n, one, n * size, size, n * size, size))
    return True


@helper
def _elements(codes: Any, x: Any, out: Any) -> Any:
    """Element by element, by one kernel."""
    src, dst = _place(x, out)
    code = _word(codes, Codes.SHORT_ROWS)
    if code == 0 or src == 0:
        return False
    call_at(code, (dst, src, np.int64(x.size), np.int64(1)))
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


@kernel
def _shared_rows(codes: Any, x: Any, out: Any, parts: Any) -> Any:
    n, size, one = np.int64(x.shape[-1]), np.int64(x.itemsize), np.int64(1)
    count = np.int64(x.size) // n
    src, dst = _place(x, out)
    if src == 0:
        return _NOT_DONE
    stages = _word(codes, Codes.STAGES)
    if n >= LONG and count < parts and stages:
        code = _word(codes, Codes.BLOCKS_SHARED)
        if code == 0:
            return _NOT_DONE
        bits = _word(codes, Codes.BITS)
        count *= (n + ((one << bits) - one)) >> bits
        kept = np.empty(count * _word(codes, Codes.KEPT))
        given = stack_words((dst, src, np.int64(kept.ctypes.data), n))
        late = share_out(code, given, count, one, stages, parts)
        keep_alive(kept)
        return late
    code = _word(codes, Codes.SHORT_ROWS_SHARED if _is_short(n, size) else Codes.ROWS_SHARED)
    if code == 0:
        return _NOT_DONE
    given = stack_words((dst, src, n, one, n * size, size, n * size, size))
    return share_out(code, given, count, neighbours(n, one), one, min(parts, count))


@kernel
def _shared_elements(codes: Any, x: Any, out: Any, parts: Any) -> Any:
    src, dst = _place(x, out)
    code, one = _word(codes, Codes.SHORT_ROWS_SHARED), np.int64(1)
    if src == 0 or code == 0:
        return _NOT_DONE
    return share_out(code, stack_words((dst, src, one)), np.int64(x.size), neighbours(one, one), one, parts)


# For small arrays, for those that take long enough for other threads to run, and for those that several threads share.
BY_ROWS = _small_rows, _large_rows, _shared_rows
BY_ELEMENTS = _small_elements, _large_elements, _shared_elements
