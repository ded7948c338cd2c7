"""log Σ exp(x − m) of a row, or of columns: the sum without the maximum's own term, which is 1.

Without that term the sum keeps its relative precision down to the smallest numbers, and so does log1p of it. float32
rows are done with float32 exponentials and what those are off by, summed in float64.
"""

import math
from typing import Any

import numpy as np
from numba import types

from .exp import exp_scaled_pair, exp_scaled_parts, exponent_shift, traits, traits_of
from .exp_below import RAISED, exp_below_raised
from .jit import by_type, helper
from .log import log1p_vector
from .memory import load, load_first
from .rows import anchor, extremes, frame, maximum
from .simd import all_set, fma, itemsize, lane, lane_index, lanes, splat, where, widen
from .sums import added, fold, two_sum
from .trace import traced
from .vector import computed_as


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
        m, others = _quick_others(kind, src, n)
        return m, math.log1p(others)

    return float32


# So many vectors are summed before the second parts of `exp_scaled_pair` are added to the float64 sum.
_RUN = 32
# From here on the others' sum is right to 2⁻²⁶ when the maximum's term is taken off the whole sum, whose second parts
# are summed in float32.
_OTHERS_FROM = 2.0**-10


@traced
def add_apart(total: Any, lost: Any, tops: Any, x: Any, top: Any, low: Any, shift: Any, beyond: Any) -> Any:
    """One step of a sum of exp(low), scaled, in three: (first parts in float64, second parts, how many x are `top`).

    The terms of x = top are counted, not summed: without them the sum keeps its relative precision. Nothing where
    `beyond` is set.
    """
    is_top = x == top
    apart = beyond | is_top
    large, small = exp_scaled_pair(low, shift)
    total = total + widen(where(apart, 0.0, large))
    return total, lost + where(apart, 0.0, small), tops + where(is_top, splat(x, 1.0), 0.0)


@helper
def _add_checked(
    total: Any, lost: Any, tops: Any, x: Any, top: Any, base: Any, lowest: Any, shift: Any
) -> Any:
    """`add_apart` of x − base, nothing below `lowest`."""
    low = x - base
    beyond = low < lowest
    if not all_set(beyond):
        total, lost, tops = add_apart(total, lost, tops, x, top, low, shift, beyond)
    return total, lost, tops


@helper
def _quick_others(kind: Any, src: Any, n: Any) -> Any:
    """(m, Σ exp(x − m) without one term of the maximum) of a row, in float64 from float32 exponentials."""
    m, lowest_x = extremes(kind, src, n)
    m_v = splat(load_first(kind, src, 0, 0.0), m)
    base, shift, lowest = log_frame(m_v)
    unit = lane(_unit(m_v - base, shift), 0)
    others = 0.0
    if abs(m) <= traits(m_v)[0] and m - lowest_x <= far(m_v):
        total = _plain_sum(kind, src, n, base, shift, lowest)
        e, rest = exp_scaled_pair(m_v, shift)
        others = ((total - np.float64(lane(e, 0))) - np.float64(lane(rest, 0))) * unit
    if not others > _OTHERS_FROM:
        others = _sum_apart(kind, src, n, only_finite(m_v), base, shift, lowest, unit)
    return np.float64(m), others


@helper
def _last_of(kind: Any, src: Any, n: Any) -> Any:
    """The numbers of a row that fill no vector, in a vector with −inf in the other lanes."""
    size, step = itemsize(kind), lanes(kind)
    if n < step:
        return load_first(kind, src, n, -np.inf)
    tail = load(kind, src + (n - step) * size)
    index = lane_index(tail)
    return where(index < splat(index, step - n % step), splat(tail, -np.inf), tail)


@helper
def _plain_sum(kind: Any, src: Any, n: Any, base: Any, shift: Any, lowest: Any) -> Any:
    """Σ exp(x), scaled, of a row of at least one vector whose maximum is its own frame's and that has nothing far."""
    size, step = itemsize(kind), lanes(kind)
    total, zero = anchor(base), splat(base, 0.0)
    for run in range(0, n // step, _RUN):
        lost = zero
        for i in range(run, min(run + _RUN, n // step)):
            e, rest = exp_scaled_pair(load(kind, src + i * step * size), shift)
            total, lost = total + widen(e), lost + rest
        total = total + widen(lost)
    if n % step:
        x, top = _last_of(kind, src, n), splat(base, np.nan)
        total, lost, _ = _add_checked(total, zero, zero, x, top, base, lowest, shift)
        total = total + widen(lost)
    return added(total)


@helper
def _sum_apart(kind: Any, src: Any, n: Any, top: Any, base: Any, shift: Any, lowest: Any, unit: Any) -> Any:
    """Σ exp(x − m) over a row, with all but one of the terms of x = top; `unit` takes the scale off."""
    size, step = itemsize(kind), lanes(kind)
    total, zero = anchor(base), splat(base, 0.0)
    tops = zero
    for run in range(0, n // step, _RUN):
        lost = zero
        for i in range(run, min(run + _RUN, n // step)):
            x = load(kind, src + i * step * size)
            total, lost, tops = _add_checked(total, lost, tops, x, top, base, lowest, shift)
        total = total + widen(lost)
    if n % step:
        x = _last_of(kind, src, n)
        total, lost, tops = _add_checked(total, zero, tops, x, top, base, lowest, shift)
        total = total + widen(lost)
    return added(total) * unit + (added(widen(tops)) - 1.0)


@traced
def log_frame(m: Any) -> Any:
    """(base to subtract, exponent shift, lowest x that counts) of a sum whose logarithm is taken; see `frame`."""
    base, _, low = frame(m)
    return base, exponent_shift(low), low - far(m)


@traced
def _unit(low: Any, shift: Any) -> Any:
    """What takes the scale off a sum, in float64: 1 over the scaled exponential of the maximum, which is exp(low)."""
    large, small = exp_scaled_parts(low, shift)
    return 1.0 / (widen(large) + widen(small))


@traced
def far(like: Any) -> Any:
    """2³¹ terms that lie so far below the maximum are nothing beside the smallest number."""
    return traits_of(like.scalar)[1] + 24.0


@traced
def only_finite(m: Any) -> Any:
    """Maxima as they are to be compared with: NaN, equal to nothing, for infinite ones."""
    return m + (m - m)


@traced
def add_other(total: Any, lost: Any, tops: Any, x: Any, top: Any, e: Any) -> Any:
    """One step of the sum of a row's raised exponentials without those of its maximum, which are counted in `tops`."""
    is_top = x == top
    total, error = two_sum(total, where(is_top, 0.0, e))
    return total, lost + error, tops + where(is_top, splat(e, 1.0), 0.0)


@traced
def others(total: Any, lost: Any, tops: Any) -> Any:
    """The sum over the lanes, no longer raised, with all but one of the maxima, as a pair."""
    high, low = fold(total, lost)
    count, _ = fold(tops, splat(tops, 0.0))
    high, error = two_sum(high * 2.0**-RAISED, count - 1.0)
    return high, low * 2.0**-RAISED + error


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
    lowest = m_v - splat(m_v, far(m_v))
    for i in range(n // step):
        x = load(kind, src + i * step * size)
        if not all_set(x < lowest):
            total, lost, tops = add_other(total, lost, tops, x, top, exp_below_raised(x, m_v))
    if n % step:
        x = load_first(kind, src + (n - n % step) * size, n % step, -np.inf)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_below_raised(x, m_v))
    return others(total, lost, tops)


@helper
def _careful_log_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """`log_sum` in float64, as log1p(Σ without the maximum): L keeps its relative precision near zero."""
    high, low = sum_of_others(kind, src, n, m)
    return m, log1p_vector(high, low)


def log_sum_columns(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
    """The L of `log_sum` for a vector of columns with maxima `m`."""
    raise NotImplementedError


@by_type(log_sum_columns)
def _log_sum_columns(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
    if computed_as(kind) != types.float32:
        return lambda kind, at, along, n, m: _careful_log_sum_columns(kind, at, along, n, m)

    def float32(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
        base, shift, lowest = log_frame(m)
        top, zero = only_finite(m), splat(m, 0.0)
        total, tops = anchor(m), zero
        for run in range(0, n, _RUN):
            lost = zero
            for k in range(run, min(run + _RUN, n)):
                x = load(kind, at + k * along)
                total, lost, tops = _add_checked(total, lost, tops, x, top, base, lowest, shift)
            total = total + widen(lost)
        unit = _unit(m - base, shift)
        others = fma(total, unit, widen(tops) - splat(unit, 1.0))
        return log1p_vector(others, splat(others, 0.0))

    return float32


@helper
def _careful_log_sum_columns(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
    top, zero = only_finite(m), widen(splat(m, 0.0))
    total, lost, tops = zero, zero, zero
    for k in range(n):
        x = load(kind, at + k * along)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_below_raised(x, m))
    unit = splat(total, 2.0**-RAISED)
    high, error = two_sum(total * unit, tops - splat(tops, 1.0))
    return log1p_vector(high, fma(lost, unit, error))
