"""What several kernels ask of a row of contiguous numbers."""

import math
from typing import Any

import numpy as np
from numba import types

from .exp import exp_below, exp_scaled, exp_scaled_parts, exponent, exponent_shift, traits
from .jit import by_type, helper
from .log import log1p_vector
from .memory import load, load_first
from .simd import computing, first_lane, itemsize, lane, lane_index, lanes, splat, where, widen
from .sums import across, add, fold, largest, two_sum
from .vector import computed_as


@helper
def frame(m: Any) -> Any:
    """What a row with maximum `m` needs: (base to subtract, lowest x that counts, exponent shift).

    Of a maximum beyond BIG the subtraction is exact for every x that counts; of others none is made.
    """
    big, cut, _, _, _ = traits(m)
    zero = splat(m, 0.0)
    base = where(m > splat(m, big), m, where(m < splat(m, -big), m, zero))
    low = m - base
    return base, low - splat(m, cut), exponent_shift(low)


@helper
def largest_term(m: Any) -> Any:
    """The scaled exponential of a row's maximum, and what it is off by.

    Put right in the sum and in the result, or else its error would add to that of every other probability.
    """
    base, _, shift = frame(m)
    low = m - base
    top = exp_scaled(low, shift)
    large, small = exp_scaled_parts(low, shift)
    return top, (large - top) + small


@helper
def anchor(like: Any) -> Any:
    """Where an anchored sum of scaled exponentials starts: above the largest summand."""
    return splat(like, 2.0 ** (traits(like)[4] + 1))


@helper
def scaled(x: Any, base: Any, lowest: Any, shift: Any) -> Any:
    """exp(x) scaled by the row's exponent; exactly 0 below `lowest`, for −inf too."""
    x = x - base
    return where(x < lowest, splat(x, 0.0), exp_scaled(x, shift))


@helper
def add_scaled(total: Any, lost: Any, x: Any, base: Any, lowest: Any, shift: Any) -> Any:
    """An anchored sum and exp(x) as exactly as `exp_scaled_parts` gives it; nothing below `lowest`."""
    x = x - base
    zero = splat(x, 0.0)
    beyond = x < lowest
    large, small = exp_scaled_parts(x, shift)
    total, lost = add(total, lost, where(beyond, zero, large))
    return total, lost + where(beyond, zero, small)


@helper
def extremes(kind: Any, src: Any, n: Any) -> Any:
    """The largest and the smallest number of a row of at least one vector; a NaN may be passed over."""
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
    low = where(low < low2, low, low2)
    return largest(where(high > high2, high, high2)), -largest(splat(low, 0.0) - low)


@helper
def maximum(kind: Any, src: Any, n: Any) -> Any:
    """The largest number of a row; a NaN may be passed over."""
    if n < lanes(kind):
        return largest(load_first(kind, src, n, -np.inf))
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


def log_sum(kind: Any, src: Any, n: Any) -> Any:
    """(m, L) of a row, in float64: the maximum, and log Σ exp(x − m), right to the last place of the computing type.

    NaN for a row with a NaN or +inf, or nothing but −inf.
    """
    raise NotImplementedError


@by_type(log_sum)
def _log_sum(kind: Any, src: Any, n: Any) -> Any:
    if computed_as(kind) != types.float32:
        return lambda kind, src, n: _careful_log_sum(kind, src, n, np.float64(maximum(kind, src, n)))

    def float32(kind: Any, src: Any, n: Any) -> Any:
        m, log_of_sum = 0.0, 0.0
        if n >= lanes(kind):
            m, log_of_sum = _quick_log_sum(kind, src, n)
            if log_of_sum > QUICK_FROM:
                return m, log_of_sum
        return _careful_log_sum(kind, src, n, np.float64(maximum(kind, src, n)))

    return float32


# Exponentials in float32 leave the logarithm of their sum right to 2⁻²⁶; that is enough from here on.
QUICK_FROM = math.log(2.0)
_LN2 = math.log(2.0)


@helper
def _quick_log_sum(kind: Any, src: Any, n: Any) -> Any:
    """`log_sum` with float32 exponentials, for a row of at least one vector; not right below QUICK_FROM."""
    size, step = itemsize(kind), lanes(kind)
    big, cut, _, _, headroom = traits(computing(kind))
    m, lowest_x = extremes(kind, src, n)
    tail = load(kind, src + (n - step) * size)
    m_v = splat(tail, m)
    base, lowest, shift = frame(m_v)
    start = anchor(tail)
    total, lost = start, splat(tail, 0.0)
    if abs(m) <= big and m - lowest_x <= cut:
        for i in range(n // step):
            large, small = exp_scaled_parts(load(kind, src + i * step * size), shift)
            total, lost = add(total, lost, large)
            lost = lost + small
    else:
        for i in range(n // step):
            total, lost = add_scaled(total, lost, load(kind, src + i * step * size), base, lowest, shift)
    if n % step:
        index = lane_index(tail)
        seen = index < splat(index, step - n % step)
        total, lost = add_scaled(total, lost, where(seen, splat(tail, -np.inf), tail), base, lowest, shift)
    high, low = across(total, lost, start)
    # Σ exp(x − base) = sum · 2^(exponent − headroom), and the maximum is m − base above the base
    power = np.float64(lane(exponent(m_v - base), 0) - np.int64(headroom))
    return np.float64(m), math.log(high + low) + (power * _LN2 - (np.float64(m) - np.float64(lane(base, 0))))


@helper
def only_finite(m: Any) -> Any:
    """Maxima as they are to be compared with: NaN, equal to nothing, for infinite ones."""
    return m + (m - m)


@helper
def add_other(total: Any, lost: Any, tops: Any, x: Any, top: Any, e: Any) -> Any:
    """One step of the sum of a row's float64 exponentials without those of its maximum, which are counted in `tops`."""
    zero = splat(e, 0.0)
    is_top = x == top
    total, error = two_sum(total, where(is_top, zero, e))
    return total, lost + error, tops + where(is_top, splat(e, 1.0), zero)


@helper
def others(total: Any, lost: Any, tops: Any) -> Any:
    """The sum over the lanes, with all but one of the maxima, as a pair."""
    high, low = fold(total, lost)
    count, _ = fold(tops, splat(tops, 0.0))
    high, error = two_sum(high, count - 1.0)
    return high, low + error


@helper
def sum_of_others(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) over a row with maximum `m`, without the maximum's own term, in float64 as a pair (high, low).

    Without that term, which is 1, the sum keeps its relative precision down to the smallest numbers. NaN for a row with
    a NaN or +inf, or nothing but −inf.
    """
    size, step = itemsize(kind), lanes(kind)
    m_v = splat(load_first(kind, src, 0, 0.0), m)
    top, zero = only_finite(m_v), widen(splat(m_v, 0.0))
    total, lost, tops = zero, zero, zero
    for i in range(n // step):
        x = load(kind, src + i * step * size)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_below(x, m_v))
    if n % step:
        x = load_first(kind, src + (n - n % step) * size, n % step, -np.inf)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_below(x, m_v))
    return others(total, lost, tops)


@helper
def _careful_log_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """`log_sum` in float64, as log1p(Σ without the maximum): L keeps its relative precision near zero."""
    high, low = sum_of_others(kind, src, n, m)
    return m, log1p_vector(high, low)


@helper
def log_sum_columns(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
    """The L of `log_sum` for a vector of columns with maxima `m`."""
    top, zero = only_finite(m), widen(splat(m, 0.0))
    total, lost, tops = zero, zero, zero
    for k in range(n):
        x = load(kind, at + k * along)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_below(x, m))
    high, error = two_sum(total, tops - splat(tops, 1.0))
    return log1p_vector(high, lost + error)
