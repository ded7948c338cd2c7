"""log Σ exp(x − m) of rows, or of columns: the sum without the maximum's own term, which is 1.

Without that term the sum keeps its relative precision down to the smallest numbers, and so does log1p of it. Rows are
summed a few at a time, from their exponentials and what those are off by; the few that need more are done again, one by
one.
"""

from typing import Any

import numpy as np
from numba import types

from .across import (
    integer,
    keep_number,
    keep_sum,
    maxima,
    minima,
    number,
    put,
    put_real_number,
    real_number,
    sums,
)
from .blocks import LENGTH, block_length, sum_of_blocks
from .exp import exp_scaled_exactly, exp_scaled_pair, exponent_shift, traits_of
from .exp_below import RAISED, exp_below_raised
from .flow import choose, outlined, repeat
from .log import log1p_vector
from .memory import load, load_nth, prefetch, store_nth, vector_bytes
from .rows import anchor, extremes_of, frame, rest_of
from .simd import (
    PIECE,
    all_set,
    bits,
    computing,
    fma,
    itemsize,
    lane,
    lanes,
    least,
    piece_scratch,
    splat,
    where,
    widen,
)
from .sums import across, add, added, fma_near, fold, settle, two_sum
from .trace import traced
from .vector import computed_as

# Slots of `across`; logarithms and the sums without the maximum are float64, which takes two.
HIGHEST, LOGS, OTHERS, _BASE, _LOWEST, _SHIFT, _LOW = 0, 2, 4, 6, 7, 8, 9


# In shorter rows of float32 a few terms often make most of the sum, and their errors do not even out.
_MANY = 512


def _is_exact(n: Any, kind: Any) -> Any:
    """Whether rows of n numbers are summed with `exp_scaled_exactly`."""
    return (n < _MANY) if computed_as(kind.type) == types.float32 else n.constant(False, types.boolean)


def _others_from(like: Any, exact: Any) -> Any:
    """From here on the others' sum is right enough when the maximum's term is taken off the whole sum.

    The logarithm of less has too many digits for exponentials that are not exact.
    """
    if like.scalar == types.float64:
        return 2.0**-40
    return where(exact, exact.constant(2.0**-14, types.float64), 0.65)


def _far(like: Any) -> float:
    """2³¹ terms that lie so far below the maximum are nothing beside the smallest number."""
    return traits_of(like.scalar)[1] + 24.0


@traced
def only_finite(m: Any) -> Any:
    """Maxima as they are to be compared with: NaN, equal to nothing, for infinite ones."""
    return m + (m - m)


# A few rows at a time ------------------------------------------------------------------------------------------------


@outlined
def log_sums_of_rows(kind: Any, scratch: Any, src: Any, step: Any, count: Any, n: Any) -> None:
    """Put (m, log Σ exp(x − m)) of contiguous rows into the slots HIGHEST and LOGS, right to the last place.

    Of as many rows as `rows_at_once` says at the most. The logarithm is NaN for a row with a NaN or +inf, or nothing
    but −inf.
    """
    repeat(0, count, lambda row: extremes_of(kind, scratch, row, src + row * step, n))
    plan_sums(scratch, maxima(kind, scratch), minima(kind, scratch))

    def add_up(row: Any) -> None:
        at = src + row * step

        def whole(pair: Any) -> None:
            total, lost = _plain_sum(kind, at, n, integer(kind, scratch, _SHIFT, row), count * step, pair)
            keep_sum(scratch, row, total, lost, anchor(lost))

        def in_blocks() -> None:
            keep_number(
                scratch, row, *sum_of_blocks(n, lambda block: block_sum(kind, scratch, row, at, n, block))
            )

        def later() -> None:
            nan = row.constant(np.nan, types.float64)
            keep_number(scratch, row, nan, nan)

        def in_one() -> None:
            if computed_as(kind.type) == types.float32:
                choose(exact, lambda: whole(exp_scaled_exactly), lambda: whole(exp_scaled_pair))
            else:
                whole(exp_scaled_pair)

        choose(is_calm(kind, scratch, row), lambda: choose(n < 2 * LENGTH, in_one, in_blocks), later)

    exact = _is_exact(n, kind)
    repeat(0, count, add_up)
    put_logs(kind, scratch, *sums(kind, scratch), exact)

    def again(row: Any) -> None:
        log_of_sum = careful_log_sum(kind, src + row * step, n, number(kind, scratch, HIGHEST, row))
        put_real_number(scratch, LOGS, row, log_of_sum)

    enough = _others_from(computing(kind), exact)
    # NaN is not enough
    repeat(
        0,
        count,
        lambda row: choose(real_number(scratch, OTHERS, row) > enough, lambda: None, lambda: again(row)),
    )


def plan_sums(scratch: Any, highest: Any, lowest: Any) -> None:
    """What rows with these maxima and minima need, into their slots."""
    base, _, top = frame(highest)
    put(scratch, HIGHEST, highest)
    put(scratch, _BASE, base)
    put(scratch, _LOWEST, top - _far(top))
    put(scratch, _SHIFT, exponent_shift(top))
    put(scratch, _LOW, lowest)


def is_calm(kind: Any, scratch: Any, row: Any) -> Any:
    """Whether nothing in a row needs a look: no base to subtract, nothing too low to count."""
    base, lowest, low = (number(kind, scratch, slot, row) for slot in (_BASE, _LOWEST, _LOW))
    return (base == 0.0) & (low >= lowest)


def put_logs(kind: Any, scratch: Any, high: Any, low: Any, exact: Any) -> None:
    """The logarithms of rows with these scaled sums, into their slots."""
    others, rest = _without_top(high, low, load_nth(computing(kind), scratch, HIGHEST), exact)
    put(scratch, LOGS, log1p_vector(others, rest))
    put(scratch, OTHERS, others)


def _without_top(high: Any, low: Any, m: Any, exact: Any) -> Any:
    """Scaled sums high + low without one term of their maxima m, over that term, as a pair."""
    shift = exponent_shift(m)
    # taken off as it was added, to the bit, and divided by as it is
    (e, rest), (_, better) = exp_scaled_pair(m, shift), exp_scaled_exactly(m, shift)
    if e.scalar == types.float32:
        rest = where(exact, better, rest)
        return ((high - widen(e)) - widen(rest)) / (widen(e) + widen(better)), splat(high, 0.0)
    others, error = two_sum(high, -e)
    error = error + (low - rest)
    quotient = others / e
    left = fma_near(-quotient, e, others) + (error - quotient * better)
    return quotient, left / e


@outlined
def block_sum(kind: Any, scratch: Any, row: Any, src: Any, n: Any, block: Any) -> Any:
    """The scaled sum over a block of a calm row, as a float64 pair."""
    size, length = itemsize(kind), block_length(block, n)
    shift = integer(kind, scratch, _SHIFT, row)
    total, lost = _plain_sum(
        kind, src + block * LENGTH * size, length, shift, n.constant(LENGTH * size), exp_scaled_pair
    )
    return across(total, lost, anchor(lost))


def _plain_sum(kind: Any, src: Any, n: Any, shift: Any, ahead: Any, pair: Any) -> Any:
    """Σ exp(x), scaled, over a part of a calm row, anchored; what lies `ahead` bytes further is wanted next."""
    tail = rest_of(kind, src, n, -np.inf)
    shift_v = splat(bits(tail), shift)

    def vector(i: Any) -> Any:
        at = src + i * vector_bytes(kind)
        prefetch(at + ahead)
        return load(kind, at)

    def end() -> Any:
        prefetch(src + n * itemsize(kind) + ahead)
        there = tail != -np.inf
        e, rest = (where(there, part, 0.0) for part in pair(tail, shift_v))
        return _with(*add(total, lost, e), rest)

    total, lost = _summed(vector, n // lanes(kind), shift_v, tail, src, pair)
    return choose(n % lanes(kind) != 0, end, lambda: (total, lost))


def _summed(vector: Any, count: Any, shift: Any, like: Any, src: Any, pair: Any) -> Any:
    """Σ exp(x), scaled, lane by lane over the vectors ``vector(i)``, anchored, with what the exponentials are off by.

    In two loops over a piece, as in `softmax`; the exponentials lie in a scratch meanwhile. `src` is where the vectors
    come from.
    """
    work, zero = lane(like, 0), splat(like, 0.0)
    scratch = piece_scratch(work, src)

    def piece(first: Any, *total: Any) -> Any:
        def exponentiate(i: Any, rests: Any) -> Any:
            e, rest = pair(vector(i), shift)
            store_nth(work, scratch, i - first, e)
            return rests + rest

        last = least(first + PIECE, count)
        rests = repeat(first, last, exponentiate, zero)
        total = repeat(first, last, lambda i, *total: add(*total, load_nth(work, scratch, i - first)), *total)
        return _with(*total, rests)

    return repeat(0, count, piece, anchor(like), zero, step=PIECE)


def _with(total: Any, lost: Any, rests: Any) -> Any:
    """An anchored sum and second parts."""
    return (total, lost + rests) if total.scalar == rests.scalar else (total + widen(rests), lost)


# What needs more: the terms of the maximum are counted, not summed ---------------------------------------------------


@outlined
def careful_log_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x − m) of a row with maximum m."""
    if computed_as(kind.type) != types.float32:
        return log1p_vector(*sum_of_others(kind, src, n, m))
    tail = rest_of(kind, src, n, -np.inf)
    total, tops = _summed_apart(lambda i: load_nth(kind, src, i), n // lanes(kind), splat(tail, m), tail)
    _, unit = _unit(splat(tail, m))
    others = added(total) * lane(unit, 0) + (added(widen(tops)) - 1.0)
    return log1p_vector(others, splat(others, 0.0))


def _unit(m: Any) -> Any:
    """The shift of rows with maxima `m`, and what takes the scale off their sums."""
    _, _, low = frame(m)
    shift = exponent_shift(low)
    e, rest = exp_scaled_exactly(low, shift)
    return shift, 1.0 / (widen(e) + widen(rest))


def _summed_apart(vector: Any, count: Any, m: Any, last: Any) -> Any:
    """(scaled Σ exp(x) in float64 without the terms of x = m, how many those are) over float32 vectors and a last one.

    Anything may be in them: what is too low counts for nothing, of an infinite maximum nothing is left.
    """
    base, _, low = frame(m)
    top, shift, lowest, zero = only_finite(m), exponent_shift(low), low - _far(low), splat(m, 0.0)

    def one(x: Any, total: Any, rests: Any, tops: Any) -> Any:
        below = x - base

        def apart() -> Any:
            is_top = x == top
            left_out = (below < lowest) | is_top
            e, rest = (where(left_out, 0.0, part) for part in exp_scaled_exactly(below, shift))
            return total + widen(e), rests + rest, tops + where(is_top, splat(x, 1.0), 0.0)

        return choose(all_set(below < lowest), lambda: (total, rests, tops), apart)

    def piece(first: Any, total: Any, tops: Any) -> Any:
        bound = least(first + PIECE, count)
        total, rests, tops = repeat(first, bound, lambda i, *sums: one(vector(i), *sums), total, zero, tops)
        return total + widen(rests), tops

    total, tops = repeat(0, count, piece, widen(zero), zero, step=PIECE)
    total, rests, tops = one(last, total, zero, tops)
    return total + widen(rests), tops


def sum_of_others(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) over a row with maximum `m`, without the maximum's own term, in float64 as a pair (high, low).

    Without that term, which is 1, the sum keeps its relative precision down to the smallest numbers. NaN for a row with
    a NaN or +inf, or nothing but −inf.
    """
    tail = rest_of(kind, src, n, -np.inf)
    m_v = splat(tail, m)
    top, lowest, zero = only_finite(m_v), m_v - _far(m_v), widen(splat(m_v, 0.0))

    def one(x: Any, *sums: Any) -> Any:
        return choose(
            all_set(x < lowest), lambda: sums, lambda: add_other(*sums, x, top, exp_below_raised(x, m_v))
        )

    sums = repeat(0, n // lanes(kind), lambda i, *sums: one(load_nth(kind, src, i), *sums), zero, zero, zero)
    return others(*add_other(*sums, tail, top, exp_below_raised(tail, m_v)))


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


# Columns -------------------------------------------------------------------------------------------------------------


def log_sum_of_columns(vector: Any, n: Any, src: Any) -> Any:
    """(m, log Σ exp(x − m), whether that is calm) lane by lane over vectors ``vector(i)``; the logarithm in float64.

    What a lane comes to does not depend on its neighbours.
    """

    def extremes(i: Any, high: Any, low: Any) -> Any:
        x = vector(i)
        return where(x > high, x, high), where(x < low, x, low)

    first = vector(n.constant(0))
    m, lowest = repeat(1, n, extremes, first, first)
    base, _, low = frame(m)
    calm = (base == 0.0) & (lowest >= low - _far(low))
    single = m.scalar == types.float32
    exact, pair = n.constant(single, types.boolean), exp_scaled_exactly if single else exp_scaled_pair
    total, lost = _summed(vector, n, exponent_shift(m), m, src, pair)
    high, low = settle(total, lost, anchor(m)) if total.scalar == lost.scalar else (total, splat(total, 0.0))
    high, low = _without_top(high, low, m, exact)
    settled = calm & (high > _others_from(m, exact))

    def apart() -> Any:
        others, rest = _others_of_columns(vector, n, m)
        return where(settled, high, others), where(settled, low, rest)

    high, low = choose(all_set(settled), lambda: (high, low), apart)
    return m, log1p_vector(high, low), calm


def _others_of_columns(vector: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) lane by lane without one term of x = m, whatever is in the columns, as a float64 pair."""
    if m.scalar == types.float32:
        total, tops = _summed_apart(vector, n, m, splat(m, -np.inf))
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
