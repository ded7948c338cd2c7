"""Σ exp(x − m) of rows or columns in which nothing needs a look: summed whole, the maximum's term taken off again."""

from typing import Any

import numpy as np
from numba import types

from .exp import exp_scaled_exactly, exp_scaled_pair, exponent_shift
from .flow import choose, repeat
from .memory import load, load_nth, prefetch, store_nth, vector_bytes
from .rows import anchor, rest_of
from .simd import PIECE, bits, itemsize, lane, lanes, least, piece_scratch, splat, where, widen
from .sums import add, fma_near, two_sum
from .vector import computed_as

# In shorter rows of float32 a few terms often make most of the sum, and their errors do not even out.
_MANY = 512


def is_exact(kind: Any, n: Any) -> Any:
    """Whether rows of n numbers are summed with `exp_scaled_exactly`."""
    return (n < _MANY) if computed_as(kind.type) == types.float32 else n.constant(False, types.boolean)


def others_from(like: Any, exact: Any) -> Any:
    """From here on the others' sum is right enough when the maximum's term is taken off the whole sum.

    The logarithm of less has too many digits for exponentials that are not exact.
    """
    if like.scalar == types.float64:
        return 2.0**-40
    return where(exact, exact.constant(2.0**-14, types.float64), 0.65)


def plain_sum(kind: Any, src: Any, n: Any, shift: Any, ahead: Any, pair: Any) -> Any:
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

    total, lost = summed(vector, n // lanes(kind), shift_v, tail, src, pair)
    return choose(n % lanes(kind) != 0, end, lambda: (total, lost))


def summed(vector: Any, count: Any, shift: Any, like: Any, src: Any, pair: Any) -> Any:
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


def without_top(high: Any, low: Any, m: Any, exact: Any) -> Any:
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
