"""Σ exp(x − m) of rows or columns on the fast path: summed whole, the maximum's own term taken off again.

For what needs no look: no base to subtract, nothing too low to count.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled_exactly, exp_scaled_pair, exponent, exponent_shift
from ..numerics.exp_table import exact_exponential, table_exponent, table_shift
from ..numerics.sums import AnchoredSum, LaneSums, fma_near, two_sum
from ..rowwise.blocks import BLOCK
from ..rowwise.exponentials import base_and_cut, sum_in_chunks
from ..rowwise.exponentials32 import exponentials32, short_sum32
from ..rowwise.rows import tail_of
from ..vector import (
    Variable,
    bits,
    computed_as,
    itemsize,
    lanes,
    maximum,
    minimum,
    prefetch,
    splat,
    vector_bytes,
    when,
    where,
    widen,
)
from .robust import far

# A first sum of float32 is settled after so many vectors, see `ExactSum`.
SETTLED_AFTER = 64


def enough_at_first(like: Any, n: Any) -> Any:
    """From here on the sum of n numbers without the maximum's term is right to half a unit of its logarithm with 1
    added.

    In float32 each term is right to 2⁻²⁶, and so is the sum of such as are this share of the maximum's: equal terms,
    each of which is lost whole beside the anchor, come to n · 2⁻⁴⁰ of the maximum's term in rounding (see `ExactSum`).
    In float64 what lies below the last place of the maximum's term is added up by itself, with an error of its own.
    """
    if like.scalar == types.float64:
        return like.constant(2.0**-24, types.float64)
    longest = minimum(maximum(n, 16), BLOCK + 16)
    return splat(like.constant(0.0, types.float64), longest) * 2.0**-14


# The same of a float32 sum of exact exponentials, which are right to 1/20 of a unit. For less than this the logarithm
# has more digits than they.
ENOUGH_EXACTLY = 2.0**-14


def is_fast(m: Any, lowest: Any) -> Any:
    """Whether rows with these extremes may take the fast path."""
    base, _, low = base_and_cut(m)
    return (base == 0.0) & (lowest >= low - far(low))


def is_summable(m: Any, lowest: Any) -> Any:
    """Whether `first_sum` may sum rows with these extremes."""
    base, _, _ = base_and_cut(m)
    return (base == 0.0) & (m == m) if m.scalar == types.float32 else is_fast(m, lowest)


def exact_is_enough(fast: Any, others: Any) -> Any:
    """Whether exact exponentials will do for a float32 row, by what its sum says of the `others`."""
    return fast & (others > 2 * ENOUGH_EXACTLY)


def first_shift(m: Any) -> Any:
    """What `first_sum` scales exponentials of rows with maxima m by."""
    return table_shift(m) if m.scalar == types.float32 else exponent_shift(m)


def first_exponent(m: Any) -> Any:
    """By how many powers of two that lowers them."""
    return table_exponent(m) if m.scalar == types.float32 else exponent(m)


def first_sum(
    kind: Any, src: Any, n: Any, m: Any, lowest: Any, ahead: Any, result: Any = None
) -> AnchoredSum | LaneSums:
    """Σ exp(x), scaled by `first_shift`, over a part of a row with these extremes, which `is_summable`.

    What lies `ahead` bytes further is wanted next; `result`: where something as long will be written soon.
    """
    shift = first_shift(m)
    if computed_as(kind.type) != types.float32:
        return _sum(kind, src, n, shift, ahead, exp_scaled_pair)
    cut, total = m - far(m), Variable()

    def sum_above(cut: Any) -> Any:
        sums = exponentials32(
            kind, None, src, n, ahead, shift, cut=cut, result=result, settle_after=SETTLED_AFTER
        )
        return sums.per_lane()[0]

    with when(n < lanes(kind)) as otherwise:
        total.value = short_sum32(kind, src, n, shift, cut).per_lane()[0]
    with otherwise:
        with when(lowest >= cut) as somewhere_below:
            total.value = sum_above(None)
        with somewhere_below:
            total.value = sum_above(cut)
    return LaneSums(total.value)


def exact_sum(kind: Any, src: Any, n: Any, shift: Any) -> AnchoredSum:
    """Σ exp(x) over a part of a float32 row from exact exponentials, scaled by `exponent_shift`."""
    return _sum(kind, src, n, shift, n.constant(0), exp_scaled_exactly)


def _sum(kind: Any, src: Any, n: Any, shift: Any, ahead: Any, pair: Callable[[Any, Any], Any]) -> AnchoredSum:
    tail = tail_of(kind, src, n, -np.inf)
    shift = splat(bits(tail), shift)
    total = sum_in_chunks(
        kind, src, vector_bytes(kind), n // lanes(kind), tail, lambda x: pair(x, shift), ahead
    )
    with when(n % lanes(kind) != 0):
        prefetch(src + n * itemsize(kind) + ahead)
        there = tail != -np.inf
        total.add(*(where(there, part, 0.0) for part in pair(tail, shift)))
    return total


def without_top(high: Any, low: Any, m: Any) -> Any:
    """Sums high + low of `first_sum` without one term of their maxima m, over that term, as a pair.

    Taken off as it was added, to the bit, and divided by as it is.
    """
    if m.scalar == types.float32:
        added, top = exact_exponential(m, table_shift(m))
        return (high - added) / top, splat(high, 0.0)
    shift = exponent_shift(m)
    (e, rest), (_, better) = exp_scaled_pair(m, shift), exp_scaled_exactly(m, shift)
    others, error = two_sum(high, -e)
    error = error + (low - rest)
    quotient = others / e
    left = fma_near(-quotient, e, others) + (error - quotient * better)
    return quotient, left / e


def without_exact_top(high: Any, low: Any, m: Any) -> Any:
    """The same of `exact_sum`."""
    e, rest = exp_scaled_exactly(m, exponent_shift(m))
    return ((high - widen(e)) - widen(rest)) / (widen(e) + widen(rest)), splat(high, 0.0)
