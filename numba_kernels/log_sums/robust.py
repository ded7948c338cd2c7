"""Σ exp(x − m) of rows or columns on the robust path, whatever they hold: the maximum's terms are counted, not summed.

Without the maximum's own term, which is 1, a sum keeps its relative precision down to the smallest numbers.
"""

from typing import Any

import numpy as np
from numba import types

from ..numerics import double_double
from ..numerics.exp import exp_scaled_exactly, exponent_shift, traits_of
from ..numerics.exp_below import RAISED, exp_below_raised
from ..numerics.log import log1p_vector
from ..numerics.sums import add_pair, reduce_add, reduce_add_pairs, two_sum
from ..rowwise.exponentials import base_and_cut, sum_in_chunks
from ..rowwise.rows import tail_of
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    all_set,
    computed_as,
    extract,
    fma,
    full,
    lanes,
    load,
    loop,
    outlined,
    splat,
    vector_bytes,
    when,
    where,
    widen,
)


def far(like: Any) -> float:
    """2³¹ terms that lie so far below the maximum are nothing beside the smallest number."""
    return traits_of(like.scalar).cut + 24.0


def only_finite(m: Any) -> Any:
    """Maxima as they are to be compared with: NaN, equal to nothing, for infinite ones."""
    return m + (m - m)


@outlined
def robust_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """(high, low, tops): Σ exp(x − m) without the terms of x = m, a float64 pair, and how many those are."""
    if computed_as(kind.type) != types.float32:
        return raised_sum(kind, src, n, m)
    tail = tail_of(kind, src, n, -np.inf)
    m = splat(tail, m)
    total, tops = _sum_scaled(kind, src, vector_bytes(kind), n // lanes(kind), m, tail)
    high = reduce_add(total) * extract(_unit(m), 0)
    return high, splat(high, 0.0), reduce_add(widen(tops))


def add_robust_sums(high: Any, low: Any, tops: Any, high2: Any, low2: Any, tops2: Any) -> Any:
    """What `robust_sum` gave for two parts, as one."""
    high, low = add_pair(high, low, high2, low2)
    return high, low, tops + tops2


def without_one_top(high: Any, low: Any, tops: Any) -> Any:
    """Σ exp(x − m) without one term of x = m, as a float64 pair, from what `robust_sum` gives."""
    high, error = two_sum(high, tops - 1.0)
    return high, low + error


def sum_of_others(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) over a row with maximum `m`, without one term of x = m, in float64 as a pair (high, low).

    NaN for a row with a NaN or +inf, or nothing but −inf.
    """
    return without_one_top(*raised_sum(kind, src, n, m))


@outlined
def raised_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """What `robust_sum` gives, in float64 throughout, for every kind."""
    return _sum_raised(kind, src, n, m).over_lanes()


class RaisedSum:
    """Σ exp(x − m) lane by lane in float64, without the terms of x = m, which are counted; see `RAISED`."""

    def __init__(self, m: Any) -> None:
        zero = widen(splat(m, 0.0))
        self._top, self._sums = only_finite(m), Variable(zero, zero, zero)

    def add(self, x: Any, e: Any) -> None:
        """Add the raised exponentials of numbers."""
        total, lost, tops = self._sums.value
        is_top = x == self._top
        total, error = two_sum(total, where(is_top, 0.0, e))
        self._sums.value = total, lost + error, tops + where(is_top, splat(e, 1.0), 0.0)

    def per_lane(self) -> Any:
        """(high, low, tops) as vectors, `high` and `low` still raised."""
        return self._sums.value

    def over_lanes(self) -> Any:
        """(high, low, tops) over all lanes, as `robust_sum` gives them."""
        total, lost, tops = self._sums.value
        high, low = reduce_add_pairs(total, lost)
        count, _ = reduce_add_pairs(tops, splat(tops, 0.0))
        return high * 2.0**-RAISED, low * 2.0**-RAISED, count


def _sum_raised(kind: Any, src: Any, n: Any, m: Any) -> RaisedSum:
    tail = tail_of(kind, src, n, -np.inf)
    m = splat(tail, m)
    lowest, total = m - far(m), RaisedSum(m)
    with loop(0, n // lanes(kind)) as i:
        x = load(kind, src, i)
        with when(~all_set(x < lowest)):
            total.add(x, exp_below_raised(x, m))
    total.add(tail, exp_below_raised(tail, m))
    return total


def _unit(m: Any) -> Any:
    """What takes the scale off the sums of rows with maxima `m`."""
    _, _, scale = base_and_cut(m)
    e, error = exp_scaled_exactly(scale, exponent_shift(scale))
    return 1.0 / (widen(e) + widen(error))


def _sum_scaled(kind: Any, src: Any, stride: Any, count: Any, m: Any, last: Any) -> Any:
    """(scaled Σ exp(x) in float64 without the terms of x = m, how many those are) over float32 vectors and a last one.

    Anything may be in them: what is too low counts for nothing, of an infinite maximum nothing is left.
    """
    base, _, scale = base_and_cut(m)
    top, shift, lowest, zero = only_finite(m), exponent_shift(scale), scale - far(scale), splat(m, 0.0)
    tops = Variable(zero)

    def term(x: Any) -> Any:
        below, e = x - base, Variable(zero, zero)
        with when(~all_set(below < lowest)):
            is_top = x == top
            left_out = (below < lowest) | is_top
            e.value = tuple(where(left_out, 0.0, part) for part in exp_scaled_exactly(below, shift))
            tops.value += where(is_top, splat(x, 1.0), 0.0)
        return e.value

    total = sum_in_chunks(kind, src, stride, count, m, term)
    total.add(*term(last))
    return total.per_lane()[0], tops.value


def robust_sum_of_columns(kind: Any, src: Any, stride: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) lane by lane without one term of x = m, whatever is in the columns, as a float64 pair."""
    if m.scalar == types.float32:
        total, tops = _sum_scaled(kind, src, stride, n, m, splat(m, -np.inf))
        high = fma(total, _unit(m), widen(tops) - 1.0)
        return high, splat(high, 0.0)
    sums = RaisedSum(m)
    with loop(0, n) as i:
        x = load(kind, src + i * stride)
        sums.add(x, exp_below_raised(x, m))
    total, lost, tops = sums.per_lane()
    high, error = two_sum(total * 2.0**-RAISED, tops - 1.0)
    return high, fma(lost, 2.0**-RAISED, error)


@outlined
def log_sum_double_double(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x) of a row with finite maximum `m` and without NaN, in double-double, rounded to float64 once.

    For rows whose maximum and logarithm cancel.
    """
    zero = widen(full(kind, 0.0))
    m_v, total = splat(zero, m), Variable(zero, zero)
    for part in slices(kind, n):
        e = double_double.exp_below(widen(part.load(src, -np.inf)), m_v)
        total.value = double_double.add(*total.value, *e)
    high, low = double_double.fast_two_sum(*reduce_add_pairs(*total.value))
    # one Newton step from the logarithm in float64
    guess = log1p_vector(high, splat(high, -1.0))
    e, error = double_double.multiply(high, low, *double_double.exp(-guess, splat(guess, 0.0)))
    correction = (e - 1.0) + error
    s, lost = two_sum(m, guess)
    return s + (lost + (correction - 0.5 * correction * correction))
