"""What several kernels ask of a row of contiguous numbers."""

from typing import Any

import numpy as np
from numba import types

from .across import HIGHS, LOWS
from .exp import exp_scaled, exp_scaled_parts, exponent_shift, traits_of
from .jit import helper, inline
from .memory import load, load_first, store
from .simd import computing, first_lane, itemsize, lanes, splat, stack_scratch, where, widen
from .sums import largest
from .trace import traced
from .vector import VECTOR_BYTES

# So many bytes of a few rows stay in the nearest cache from one stage to the next.
_NEAR = 16384


@helper
def rows_at_once(kind: Any, n: Any) -> Any:
    """How many rows of n numbers are taken through the stages of a kernel together."""
    return max(1, min(lanes(kind), _NEAR // (n * itemsize(kind))))


@traced
def frame(m: Any) -> Any:
    """What a row with maximum `m` needs: (base to subtract, lowest x − base that counts, m − base).

    Of a maximum beyond BIG the subtraction is exact for every x that counts; of others none is made.
    """
    big, cut, _, _, _ = traits_of(m.scalar)
    base = where(m > big, m, where(m < -big, m, 0.0))
    low = m - base
    return base, low - cut, low


@traced
def largest_term(m: Any) -> Any:
    """The scaled exponential of a row's maximum, and what it is off by.

    Put right in the sum and in the result, or else its error would add to that of every other probability.
    """
    _, _, low = frame(m)
    shift = exponent_shift(low)
    top = exp_scaled(low, shift)
    large, small = exp_scaled_parts(low, shift)
    return top, (large - top) + small


@traced
def anchor(like: Any) -> Any:
    """Where a sum of scaled exponentials starts: at 0 in float64 for float32, else above the largest summand."""
    if like.scalar == types.float32:
        return widen(splat(like, 0.0))
    return splat(like, 2.0 ** (traits_of(types.float64)[4] + 2))


@traced
def scaled(x: Any, base: Any, lowest: Any, shift: Any) -> Any:
    """exp(x) scaled by the row's exponent; exactly 0 below `lowest`, for −inf too."""
    x = x - base
    return where(x < lowest, 0.0, exp_scaled(x, shift))


@inline
def extremes_of(kind: Any, scratch: Any, row: Any, src: Any, n: Any) -> Any:
    """Put what leads to the maximum and the minimum of a row of at least one vector into the tables of `across`."""
    size, step = itemsize(kind), lanes(kind)
    high = load(kind, src + (n - step) * size)
    low, high2, low2 = high, high, high
    for i in range(n // (2 * step)):
        at = src + 2 * i * step * size
        a, b = load(kind, at), load(kind, at + step * size)
        high, low = where(a > high, a, high), where(a < low, a, low)
        high2, low2 = where(b > high2, b, high2), where(b < low2, b, low2)
    if n % (2 * step) >= step:
        a = load(kind, src + (n // step - 1) * step * size)
        high, low = where(a > high, a, high), where(a < low, a, low)
    store(computing(kind), scratch + HIGHS + row * VECTOR_BYTES, where(high > high2, high, high2))
    store(computing(kind), scratch + LOWS + row * VECTOR_BYTES, where(low < low2, low, low2))


@helper
def extremes(kind: Any, src: Any, n: Any) -> Any:
    """The largest and the smallest number of a row; a NaN may be passed over."""
    if n < lanes(kind):
        x = load_first(kind, src, n, np.inf)
        return largest(load_first(kind, src, n, -np.inf)), -largest(splat(x, 0.0) - x)
    scratch = stack_scratch(kind)
    extremes_of(kind, scratch, 0, src, n)
    low = load(computing(kind), scratch + LOWS)
    return largest(load(computing(kind), scratch + HIGHS)), -largest(splat(low, 0.0) - low)


@helper
def maximum(kind: Any, src: Any, n: Any) -> Any:
    """The largest number of a row; a NaN may be passed over."""
    high, _ = extremes(kind, src, n)
    return high


@helper
def nan_at(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first NaN of a row; n where there is none."""
    size, step = itemsize(kind), lanes(kind)
    for i in range(0, n, step):
        x = load_first(kind, src + i * size, min(step, n - i), 0.0)
        lane = first_lane(x != x)
        if lane < step:
            return i + lane
    return n
