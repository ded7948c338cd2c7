"""Σ exp(x − m) of rows or columns on the fast path: summed whole, the maximum's own term taken off again.

For what needs no look: no base to subtract, nothing too low to count.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled, exp_scaled_exactly, exp_scaled_pair, exponent_shift
from ..numerics.sums import AnchoredSum, fma_near, two_sum
from ..vector import (
    bits,
    extract,
    itemsize,
    lanes,
    prefetch,
    splat,
    vector_bytes,
    when,
    where,
    widen,
)
from .exponentials import base_and_cut, sum_in_chunks
from .log_sums_robust import far
from .rows import tail_of

# The precisions of float32 sums: exponentials as they are, with what their last step rounded off, with all that they
# are off by.
PLAIN, PAIR, EXACT = 0.0, 1.0, 2.0


def precision_for(highest: Any, lowest: Any, n: Any) -> Any:
    """The precision that will probably do at once for float32 rows of n numbers with these extremes.

    The wider a row and the fewer its numbers, the less of the sum is left without its maximum.
    """
    one = extract(highest, 0)
    doublings = (bits(splat(one, n)) >> 23) - 127
    narrow_enough = highest - lowest < splat(highest, doublings) * 2.77 - 12.5
    return where(narrow_enough, splat(highest, PLAIN), where(n < 512, splat(one, EXACT), PAIR))


def least_enough(like: Any, precision: Any) -> Any:
    """From here on the sum without the maximum's term is right to half a unit of its logarithm with 1 added.

    An exponential by itself is right to 5/6 of a unit, with its first rest to 1/3, with all of it to 1/20, and all may
    be off in the same direction, by being equal. For less than 2⁻¹⁴ the logarithm has more digits than any of these. In
    float64 what lies below the last place of the maximum's term is added up by itself, with an error of its own.
    """
    if like.scalar == types.float64:
        return like.constant(2.0**-24, types.float64)
    precision = widen(precision)
    return where(
        precision == PLAIN, splat(precision, 6.5), where(precision == PAIR, splat(precision, 0.65), 2.0**-14)
    )


def is_fast(m: Any, lowest: Any) -> Any:
    """Whether rows with these extremes may take the fast path."""
    base, _, low = base_and_cut(m)
    return (base == 0.0) & (lowest >= low - far(low))


def exact_is_enough(fast: Any, others: Any) -> Any:
    """Whether exact exponentials will do for a float32 row, by what its sum says of the `others`."""
    return fast & (others > 2.0**-13)


def exponential_in(precision: float, shift: Any) -> Callable[[Any], Any]:
    """What gives scaled exponentials in a precision, and what they are off by; there is but one for float64."""

    def exponential(x: Any) -> Any:
        if x.scalar == types.float64 or precision == PAIR:
            return exp_scaled_pair(x, shift)
        if precision == EXACT:
            return exp_scaled_exactly(x, shift)
        return exp_scaled(x, shift), splat(x, 0.0)

    return exponential


def fast_sum(kind: Any, src: Any, n: Any, shift: Any, ahead: Any, precision: float) -> AnchoredSum:
    """Σ exp(x), scaled, over a part of a row; what lies `ahead` bytes further is wanted next."""
    tail = tail_of(kind, src, n, -np.inf)
    exponential = exponential_in(precision, splat(bits(tail), shift))
    total = sum_in_chunks(kind, src, vector_bytes(kind), n // lanes(kind), tail, exponential, ahead)
    with when(n % lanes(kind) != 0):
        prefetch(src + n * itemsize(kind) + ahead)
        there = tail != -np.inf
        total.add(*(where(there, part, 0.0) for part in exponential(tail)))
    return total


def without_top(high: Any, low: Any, m: Any, precision: Any) -> Any:
    """Scaled sums high + low without one term of their maxima m, over that term, as a pair."""
    shift = exponent_shift(m)
    # taken off as it was added, to the bit, and divided by as it is
    (e, rest), (_, better) = exp_scaled_pair(m, shift), exp_scaled_exactly(m, shift)
    if m.scalar == types.float32:
        rest = where(precision == PLAIN, splat(m, 0.0), where(precision == PAIR, rest, better))
        return ((high - widen(e)) - widen(rest)) / (widen(e) + widen(better)), splat(high, 0.0)
    others, error = two_sum(high, -e)
    error = error + (low - rest)
    quotient = others / e
    left = fma_near(-quotient, e, others) + (error - quotient * better)
    return quotient, left / e
