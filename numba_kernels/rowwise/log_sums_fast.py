"""Σ exp(x − m) of rows or columns in which nothing needs a look: summed whole, the maximum's term taken off again."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled, exp_scaled_exactly, exp_scaled_pair, exponent_shift
from ..numerics.sums import add, add_piece, fma_near, two_sum
from ..vector import (
    CHUNK,
    bits,
    chunk_scratch,
    computed_as,
    extract,
    itemsize,
    lanes,
    load,
    minimum,
    prefetch,
    splat,
    store,
    vector_bytes,
    where,
    widen,
)
from ..vector.flow import choose, repeat
from .log_sums_robust import far
from .rows import anchor, frame, rest_of

# Ways to sum float32 exponentials: as they are; with what their last step rounded off; with all that they are off by.
PLAIN, PAIR, EXACT = 0.0, 1.0, 2.0


def way_of(highest: Any, lowest: Any, n: Any) -> Any:
    """The way that will probably do at once for float32 rows of n numbers with these extremes.

    The wider a row and the fewer its numbers, the less of the sum is left without its maximum.
    """
    one = extract(highest, 0)
    doublings = (bits(splat(one, n)) >> 23) - 127
    narrow_enough = highest - lowest < splat(highest, doublings) * 2.77 - 12.5
    return where(narrow_enough, splat(highest, PLAIN), where(n < 512, splat(one, EXACT), PAIR))


def enough(like: Any, way: Any = None) -> Any:
    """From here on the sum without the maximum's term is right to half a unit of its logarithm with 1 added.

    An exponential by itself is right to 5/6 of a unit, with its first rest to 1/3, with all of it to 1/20, and all may
    be off in the same direction, by being equal. For less than 2⁻¹⁴ the logarithm has more digits than any way has. In
    float64 what lies below the last place of the maximum's term is added up by itself, with an error of its own.
    """
    if like.scalar == types.float64:
        return like.constant(2.0**-24, types.float64)
    way = widen(way)
    return where(way == PLAIN, splat(way, 6.5), where(way == PAIR, splat(way, 0.65), 2.0**-14))


def is_calm(m: Any, lowest: Any) -> Any:
    """Whether nothing in rows with these extremes needs a look: no base to subtract, nothing too low to count."""
    base, _, low = frame(m)
    return (base == 0.0) & (lowest >= low - far(low))


def exactly_is_enough(calm: Any, others: Any) -> Any:
    """Whether a float32 row can be done again with exact exponentials, by what its sum says of the `others`."""
    return calm & (others > 2.0**-13)


def exponential(kind: Any, way: float) -> Any:
    """The exponential for a way, and what it is off by; there is but one for float64."""
    if computed_as(kind.scalar) == types.float64 or way == PAIR:
        return exp_scaled_pair
    return exp_scaled_exactly if way == EXACT else _single


def _single(x: Any, shift: Any) -> Any:
    e = exp_scaled(x, shift)
    return e, splat(e, 0.0)


def calm_sum(kind: Any, src: Any, n: Any, shift: Any, ahead: Any, way: float) -> Any:
    """Σ exp(x), scaled, over a part of a calm row, anchored; what lies `ahead` bytes further is wanted next."""
    tail, pair = rest_of(kind, src, n, -np.inf), exponential(kind, way)
    shift_v = splat(bits(tail), shift)

    def vector(i: Any) -> Any:
        at = src + i * vector_bytes(kind)
        prefetch(at + ahead)
        return load(kind, at)

    def end() -> Any:
        prefetch(src + n * itemsize(kind) + ahead)
        there = tail != -np.inf
        e, rest = (where(there, part, 0.0) for part in pair(tail, shift_v))
        with_rest, off = add(total, lost, e)
        return _with(with_rest, off, rest)

    total, lost = summed(vector, n // lanes(kind), shift_v, tail, src, pair)
    return choose(n % lanes(kind) != 0, end, lambda: (total, lost))


def summed(vector: Any, count: Any, shift: Any, like: Any, src: Any, pair: Any) -> Any:
    """Σ exp(x), scaled, lane by lane over the vectors ``vector(i)``, anchored, with what the exponentials are off by.

    In two loops over a piece, as in `softmax`; the exponentials lie in a scratch meanwhile. `src` is where the vectors
    come from.
    """
    work, zero = extract(like, 0), splat(like, 0.0)
    scratch = chunk_scratch(work, src)

    def piece(first: Any, *total: Any) -> Any:
        def exponentiate(i: Any, rests: Any) -> Any:
            e, rest = pair(vector(i), shift)
            store(work, scratch, e, i - first)
            return rests + rest

        last = minimum(first + CHUNK, count)
        rests = repeat(first, last, exponentiate, zero)
        sums, lost = add_piece(first, last, lambda i: load(work, scratch, i - first), *total)
        return _with(sums, lost, rests)

    return repeat(0, count, piece, anchor(like), zero, step=CHUNK)


def _with(total: Any, lost: Any, rests: Any) -> Any:
    """An anchored sum and second parts."""
    return (total, lost + rests) if total.scalar == rests.scalar else (total + widen(rests), lost)


def without_top(high: Any, low: Any, m: Any, way: Any = None) -> Any:
    """Scaled sums high + low without one term of their maxima m, over that term, as a pair."""
    shift = exponent_shift(m)
    # taken off as it was added, to the bit, and divided by as it is
    (e, rest), (_, better) = exp_scaled_pair(m, shift), exp_scaled_exactly(m, shift)
    if m.scalar == types.float32:
        rest = where(way == PLAIN, splat(m, 0.0), where(way == PAIR, rest, better))
        return ((high - widen(e)) - widen(rest)) / (widen(e) + widen(better)), splat(high, 0.0)
    others, error = two_sum(high, -e)
    error = error + (low - rest)
    quotient = others / e
    left = fma_near(-quotient, e, others) + (error - quotient * better)
    return quotient, left / e
