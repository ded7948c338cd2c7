"""log Σ exp(x − m) of long rows, from blocks of them summed by themselves; see `rowwise/blocks.py` and `rows`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..numerics.sums import add_pair
from ..rowwise.blocks import BLOCK, Row, block_at, extremes_merged, merge_blocks
from ..rowwise.rows import extremes
from ..vector import (
    Variable,
    compute_kind,
    from_bits,
    itemsize,
    maximum,
    narrow,
    outlined,
    splat,
    when,
    where,
    widen,
)
from .fast import (
    enough_at_first,
    exact_is_enough,
    exact_sum,
    first_exponent,
    first_sum,
    is_fast,
    is_summable,
    without_exact_top,
    without_top,
)
from .robust import add_robust_sums, robust_sum, without_one_top


@outlined
def sum_of_block(kind: Any, src: Any, n: Any, block: Any) -> Any:
    """(maximum, minimum, Σ exp(x) scaled by the block's own maximum, as a pair) of a block of a row, in float64.

    The sum is NaN where something needs a look.
    """
    at, length = block_at(kind, src, n, block)
    highest, lowest = extremes(kind, at, length)
    nan = n.constant(np.nan, types.float64)
    pair = Variable(nan, nan)
    with when(is_summable(highest, lowest)):
        ahead = n.constant(BLOCK * itemsize(kind))
        pair.value = first_sum(kind, at, length, highest, lowest, ahead).over_lanes()
    return widen(highest), widen(lowest), *pair.value


def merge_sums(
    like: Any, m: Any, lowest: Any, high: Any, low: Any, m2: Any, lowest2: Any, high2: Any, low2: Any
) -> Any:
    """What `sum_of_block` gave for two parts of a row, as one; `like` has the type that they were computed in."""
    top, bottom = extremes_merged(m, lowest, m2, lowest2)

    def scale(own: Any) -> Any:
        steps = splat(
            m.constant(0, types.int64), first_exponent(narrow(like, own)) - first_exponent(narrow(like, top))
        )
        return from_bits(maximum(steps + 1023, 0) << 52)

    one, two = scale(m), scale(m2)
    return top, bottom, *add_pair(high * one, low * one, high2 * two, low2 * two)


def sum_of_blocks(kind: Any, src: Any, n: Any) -> Any:
    """What `sum_of_block` gives, of all blocks of a row."""
    return merge_blocks(n, partial(sum_of_block, kind, src, n), partial(merge_sums, compute_kind(kind)))


def first_log_sum(kind: Any, n: Any, of_block: Callable[[Any], Any]) -> Any:
    """(m, log Σ exp(x − m)) of a row from what ``of_block(block)``, `sum_of_block` it may be, gives for its blocks.

    The logarithm is NaN where that is not enough.
    """
    work = compute_kind(kind)
    m, _, high, low = merge_blocks(n, of_block, partial(merge_sums, work))
    m = narrow(work, m)
    others, rest = without_top(high, low, m)
    return m, where(_is_enough(m, n, others), log1p_vector(others, rest), np.nan)


@outlined
def robust_log_sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x − m) of a row with anything in it."""

    def robust_sum_of_block(block: Any) -> Any:
        return robust_sum(kind, *block_at(kind, src, n, block), m)

    return log1p_vector(*without_one_top(*merge_blocks(n, robust_sum_of_block, add_robust_sums)))


def exact_sum_of_blocks(kind: Any, src: Any, n: Any, shift: Any) -> Any:
    """Σ exp(x) of a float32 row on the fast path, scaled, from exact exponentials, as a pair."""
    return merge_blocks(n, partial(_exact_sum_of_block, kind, src, n, shift), add_pair)


@outlined
def _exact_sum_of_block(kind: Any, src: Any, n: Any, shift: Any, block: Any) -> Any:
    at, length = block_at(kind, src, n, block)
    return exact_sum(kind, at, length, shift).over_lanes()


# Stages of `OverBlocks`: the sum of each block; the sums once more where that is not enough; what is made of them.

_ONCE, _AGAIN = range(4), range(4, 7)


def add_block(kind: Any, dst: Any, src: Any, row: Row, *_: Any) -> None:
    """The first stage."""
    with row.blocks as block:
        row.keep(block, _ONCE, *sum_of_block(kind, src, row.n, block))


def add_block_again(kind: Any, dst: Any, src: Any, row: Row, *_: Any) -> None:
    """The second stage."""
    m, fast, others, _ = _from_first_stage(kind, row)
    with when(~_is_enough(m, row.n, others)), row.blocks as block:
        parts = Variable()
        if m.scalar == types.float32:
            with when(exact_is_enough(fast, others)) as otherwise:
                exact = _exact_sum_of_block(kind, src, row.n, exponent_shift(m), block)
                parts.value = *exact, others.constant(0.0)
            with otherwise:
                parts.value = robust_sum(kind, *block_at(kind, src, row.n, block), m)
        else:
            parts.value = robust_sum(kind, *block_at(kind, src, row.n, block), m)
        row.keep(block, _AGAIN, *parts.value)


def log_sum_of_blocks(kind: Any, row: Row) -> Any:
    """(m, log Σ exp(x − m)) of the row, for the last stage."""
    m, fast, others, rest = _from_first_stage(kind, row)
    pair = Variable(others, rest)
    with when(~_is_enough(m, row.n, others)):
        high, low, tops = row.merged(_AGAIN, add_robust_sums)
        pair.value = without_one_top(high, low, tops)
        if m.scalar == types.float32:
            with when(exact_is_enough(fast, others)):
                pair.value = without_exact_top(high, low, m)
    return m, log1p_vector(*pair.value)


def _is_enough(m: Any, n: Any, others: Any) -> Any:
    """Whether the sum of the first stage will do; NaN will not."""
    return others > enough_at_first(m, n)


def _from_first_stage(kind: Any, row: Row) -> Any:
    """(m, whether the fast path suits the row, the sum of the others as a pair)."""
    work = compute_kind(kind)
    m, lowest, high, low = row.merged(_ONCE, partial(merge_sums, work))
    m = narrow(work, m)
    return m, is_fast(m, narrow(work, lowest)), *without_top(high, low, m)
