"""Σ exp(x − m) of rows, or of columns, with whatever numbers: the terms of the maximum are counted, not summed."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled_exactly, exponent_shift, traits_of
from ..numerics.exp_below import RAISED, exp_below_raised
from ..numerics.sums import add_pair, add_piece, added, fold, two_sum
from ..vector import (
    CHUNK,
    all_set,
    chunk_scratch,
    computed_as,
    extract,
    fma,
    lanes,
    load,
    minimum,
    outlined,
    splat,
    store,
    traced,
    where,
    widen,
)
from ..vector.flow import choose, repeat
from .rows import frame, rest_of


def far(like: Any) -> float:
    """2³¹ terms that lie so far below the maximum are nothing beside the smallest number."""
    return traits_of(like.scalar)[1] + 24.0


@traced
def only_finite(m: Any) -> Any:
    """Maxima as they are to be compared with: NaN, equal to nothing, for infinite ones."""
    return m + (m - m)


@outlined
def sum_apart(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """(high, low, tops): Σ exp(x − m) without the terms of x = m, a float64 pair, and how many those are."""
    if computed_as(kind.type) != types.float32:
        return _folded(*_raised(kind, src, n, m))
    tail = rest_of(kind, src, n, -np.inf)
    total, tops = _summed(lambda i: load(kind, src, i), n // lanes(kind), splat(tail, m), tail, src)
    _, unit = _unit(splat(tail, m))
    high = added(total) * extract(unit, 0)
    return high, splat(high, 0.0), added(widen(tops))


@traced
def add_apart(high: Any, low: Any, tops: Any, high2: Any, low2: Any, tops2: Any) -> Any:
    """What `sum_apart` gave for two parts, as one."""
    high, low = add_pair(high, low, high2, low2)
    return high, low, tops + tops2


@traced
def others_of(high: Any, low: Any, tops: Any) -> Any:
    """Σ exp(x − m) without one term of x = m, as a float64 pair, from what `sum_apart` gives."""
    high, error = two_sum(high, tops - 1.0)
    return high, low + error


def _unit(m: Any) -> Any:
    """The shift of rows with maxima `m`, and what takes the scale off their sums."""
    _, _, low = frame(m)
    shift = exponent_shift(low)
    e, rest = exp_scaled_exactly(low, shift)
    return shift, 1.0 / (widen(e) + widen(rest))


def _summed(vector: Any, count: Any, m: Any, last: Any, src: Any) -> Any:
    """(scaled Σ exp(x) in float64 without the terms of x = m, how many those are) over float32 vectors and a last one.

    Anything may be in them: what is too low counts for nothing, of an infinite maximum nothing is left. In two loops
    over a piece, as in `log_sums_calm`.
    """
    base, _, low = frame(m)
    top, shift, lowest, zero = only_finite(m), exponent_shift(low), low - far(low), splat(m, 0.0)
    work = extract(m, 0)
    scratch = chunk_scratch(work, src)

    def one(x: Any, rests: Any, tops: Any) -> Any:
        below = x - base

        def apart() -> Any:
            is_top = x == top
            left_out = (below < lowest) | is_top
            e, rest = (where(left_out, 0.0, part) for part in exp_scaled_exactly(below, shift))
            return e, rests + rest, tops + where(is_top, splat(x, 1.0), 0.0)

        return choose(all_set(below < lowest), lambda: (zero, rests, tops), apart)

    def piece(first: Any, total: Any, tops: Any) -> Any:
        def exponentiate(i: Any, *sums: Any) -> Any:
            e, *sums = one(vector(i), *sums)
            store(work, scratch, e, i - first)
            return sums

        bound = minimum(first + CHUNK, count)
        rests, tops = repeat(first, bound, exponentiate, zero, tops)
        total, rests = add_piece(first, bound, lambda i: load(work, scratch, i - first), total, rests)
        return total + widen(rests), tops

    total, tops = repeat(0, count, piece, widen(zero), zero, step=CHUNK)
    e, rests, tops = one(last, zero, tops)
    return total + widen(e) + widen(rests), tops


def sum_of_others(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) over a row with maximum `m`, without the maximum's own term, in float64 as a pair (high, low).

    Without that term, which is 1, the sum keeps its relative precision down to the smallest numbers. NaN for a row with
    a NaN or +inf, or nothing but −inf.
    """
    return others_of(*_folded(*_raised(kind, src, n, m)))


def _raised(kind: Any, src: Any, n: Any, m: Any) -> Any:
    tail = rest_of(kind, src, n, -np.inf)
    m_v = splat(tail, m)
    top, lowest, zero = only_finite(m_v), m_v - far(m_v), widen(splat(m_v, 0.0))

    def one(x: Any, *sums: Any) -> Any:
        return choose(
            all_set(x < lowest), lambda: sums, lambda: add_other(*sums, x, top, exp_below_raised(x, m_v))
        )

    sums = repeat(0, n // lanes(kind), lambda i, *sums: one(load(kind, src, i), *sums), zero, zero, zero)
    return add_other(*sums, tail, top, exp_below_raised(tail, m_v))


@traced
def add_other(total: Any, lost: Any, tops: Any, x: Any, top: Any, e: Any) -> Any:
    """One step of the sum of a row's raised exponentials without those of its maximum, which are counted in `tops`."""
    is_top = x == top
    total, error = two_sum(total, where(is_top, 0.0, e))
    return total, lost + error, tops + where(is_top, splat(e, 1.0), 0.0)


@traced
def others(total: Any, lost: Any, tops: Any) -> Any:
    """The sum over the lanes, no longer raised, with all but one of the maxima, as a pair."""
    return others_of(*_folded(total, lost, tops))


def _folded(total: Any, lost: Any, tops: Any) -> Any:
    high, low = fold(total, lost)
    count, _ = fold(tops, splat(tops, 0.0))
    return high * 2.0**-RAISED, low * 2.0**-RAISED, count


def others_of_columns(vector: Any, n: Any, m: Any, src: Any) -> Any:
    """Σ exp(x − m) lane by lane without one term of x = m, whatever is in the columns, as a float64 pair."""
    if m.scalar == types.float32:
        total, tops = _summed(vector, n, m, splat(m, -np.inf), src)
        _, unit = _unit(m)
        result = fma(total, unit, widen(tops) - 1.0)
        return result, splat(result, 0.0)
    top, zero = only_finite(m), splat(m, 0.0)

    def one(i: Any, *sums: Any) -> Any:
        x = vector(i)
        return add_other(*sums, x, top, exp_below_raised(x, m))

    total, lost, tops = repeat(0, n, one, zero, zero, zero)
    high, error = two_sum(total * 2.0**-RAISED, tops - 1.0)
    return high, fma(lost, 2.0**-RAISED, error)
