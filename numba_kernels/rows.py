"""What several kernels ask of a row of contiguous numbers."""

import math
from typing import Any

import numpy as np

from .exp import exp_below
from .jit import by_type, helper
from .memory import load, load_first
from .simd import first_lane, halves, itemsize, join, lane_index, lanes, splat, where, widen
from .sums import add, fold, largest, settle
from .vector import Vector


@helper
def one_lane(v: Any) -> Any:
    """The first lane of `v`, zeros in the others."""
    index = lane_index(v)
    return where(index < splat(index, 1), v, splat(v, 0.0))


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


@helper
def log_sum(kind: Any, src: Any, n: Any) -> Any:
    """(m, L) of a row, in float64: the maximum, and log Σ exp(x − m) as log1p(Σ without the maximum).

    The maximum's own term is exactly 1 and is taken off the sum exactly, so that L keeps its relative precision down to
    the smallest numbers. NaN for a row with a NaN or +inf, or nothing but −inf.
    """
    size, step = itemsize(kind), lanes(kind)
    m = maximum(kind, src, n)
    m_v = splat(load_first(kind, src, 0, 0.0), m)
    zero = widen(splat(m_v, 0.0))
    start = splat(zero, 2.0)
    total, lost = start, zero
    for i in range(n // step):
        total, lost = add(total, lost, exp_below(load(kind, src + i * step * size), m_v))
    if n % step:
        rest = load_first(kind, src + (n - n % step) * size, n % step, -np.inf)
        total, lost = add(total, lost, exp_below(rest, m_v))
    high, low = settle(total, lost, start + one_lane(splat(zero, 1.0)))
    high, low = fold(high, low)
    return np.float64(m), log1p_lanes(high, low)


@helper
def log_sum_columns(kind: Any, at: Any, along: Any, n: Any, m: Any) -> Any:
    """The L of `log_sum` for a vector of columns with maxima `m`."""
    zero = widen(splat(m, 0.0))
    start = splat(zero, 2.0)
    total, lost = start, zero
    for k in range(n):
        total, lost = add(total, lost, exp_below(load(kind, at + k * along), m))
    high, low = settle(total, lost, start + splat(zero, 1.0))
    return log1p_lanes(high, low)


def log1p_lanes(high: Any, low: Any) -> Any:
    """log(1 + high + low) for each lane of float64 vectors."""
    raise NotImplementedError


@by_type(log1p_lanes)
def _log1p_lanes(high: Any, low: Any) -> Any:
    if not isinstance(high, Vector):
        return lambda high, low: math.log1p(high) + low / (1.0 + high)

    def impl(high: Any, low: Any) -> Any:
        a, b = halves(high)
        c, d = halves(low)
        return join(log1p_lanes(a, c), log1p_lanes(b, d))

    return impl
