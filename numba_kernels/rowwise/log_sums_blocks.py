"""log Σ exp(x − m) of long rows, from blocks of them that are summed by themselves; see `blocks` and `log_sums`."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exponent, exponent_shift
from ..numerics.log import log1p_vector
from ..numerics.sums import across, add_pair
from ..vector import compute_kind, from_bits, itemsize, maximum, narrow, outlined, splat, traced, widen
from ..vector.flow import choose, repeat
from .blocks import LENGTH, Row, blocks_of, extremes_merged, part_of, sum_of_blocks
from .log_sums_fast import EXACT, PAIR, calm_sum, enough, exactly_is_enough, is_calm, without_top
from .log_sums_robust import add_apart, others_of, sum_apart
from .rows import anchor, extremes


@outlined
def sum_of_block(kind: Any, src: Any, n: Any, block: Any) -> Any:
    """(maximum, minimum, Σ exp(x) scaled by the block's own maximum, as a pair) of a block of a row, in float64.

    The sum is NaN where something needs a look.
    """
    at, length = part_of(kind, src, n, block)
    highest, lowest = extremes(kind, at, length)

    def calm() -> Any:
        ahead = n.constant(LENGTH * itemsize(kind))
        total, lost = calm_sum(kind, at, length, exponent_shift(highest), ahead, PAIR)
        return across(total, lost, anchor(lost))

    nan = n.constant(np.nan, types.float64)
    pair = choose(is_calm(highest, lowest), calm, lambda: (nan, nan))
    return widen(highest), widen(lowest), *pair


@traced
def merge_sums(
    like: Any, m: Any, lowest: Any, high: Any, low: Any, m2: Any, lowest2: Any, high2: Any, low2: Any
) -> Any:
    """What `sum_of_block` gave for two parts of a row, as one; `like` has the type that they were computed in."""
    top, bottom = extremes_merged(m, lowest, m2, lowest2)

    def scale(own: Any) -> Any:
        steps = splat(m.constant(0, types.int64), exponent(narrow(like, own)) - exponent(narrow(like, top)))
        return from_bits(maximum(steps + 1023, 0) << 52)

    one, two = scale(m), scale(m2)
    return top, bottom, *add_pair(high * one, low * one, high2 * two, low2 * two)


@outlined
def log_sum_apart(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x − m) of a row with anything in it."""

    def part(block: Any) -> Any:
        return sum_apart(kind, *part_of(kind, src, n, block), m)

    def more(block: Any, *total: Any) -> Any:
        return add_apart(*total, *part(block))

    return log1p_vector(*others_of(*repeat(1, blocks_of(n), more, *part(n.constant(0)))))


def exact_sum(kind: Any, src: Any, n: Any, shift: Any) -> Any:
    """Σ exp(x) of a calm float32 row, scaled, with all that the exponentials are off by, as a pair."""
    return sum_of_blocks(n, lambda block: _exact_sum_of_block(kind, src, n, block, shift))


@outlined
def _exact_sum_of_block(kind: Any, src: Any, n: Any, block: Any, shift: Any) -> Any:
    at, length = part_of(kind, src, n, block)
    total, lost = calm_sum(kind, at, length, shift, n.constant(0), EXACT)
    return across(total, lost, anchor(lost))


# Stages of `OverBlocks`: the sum of each block; the sums once more where that is not enough; what is made of them.


def add_block(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    """The first stage."""
    return lambda block: row.keep(block, 0, *sum_of_block(kind, src, row.n, block))


def add_block_again(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    """The second stage."""
    m, calm, others, _ = _plainly(kind, row)

    def again(block: Any) -> None:
        def exactly() -> Any:
            zero = others.constant(0.0)
            return *_exact_sum_of_block(kind, src, row.n, block, exponent_shift(m)), zero

        def apart() -> Any:
            return sum_apart(kind, *part_of(kind, src, row.n, block), m)

        if m.scalar == types.float32:
            row.keep(block, 4, *choose(exactly_is_enough(calm, others), exactly, apart))
        else:
            row.keep(block, 4, *apart())

    is_enough = others > enough(m, splat(m, PAIR))
    return lambda block: choose(is_enough, lambda: None, lambda: again(block))


def log_sum_of_blocks(kind: Any, row: Row) -> Any:
    """(m, log Σ exp(x − m)) of the row, for the last stage."""
    m, calm, others, rest = _plainly(kind, row)

    def again() -> Any:
        parts = row.merged(4, 3, add_apart)
        if m.scalar != types.float32:
            return others_of(*parts)
        return choose(
            exactly_is_enough(calm, others),
            lambda: without_top(parts[0], parts[1], m, splat(m, EXACT)),
            lambda: others_of(*parts),
        )

    pair = choose(others > enough(m, splat(m, PAIR)), lambda: (others, rest), again)
    return m, log1p_vector(*pair)


def _plainly(kind: Any, row: Row) -> Any:
    """(m, whether the row is calm, the sum of the others as a pair) from the first stage; NaN is not enough."""
    work = compute_kind(kind)
    m, lowest, high, low = row.merged(0, 4, lambda *sums: merge_sums(work, *sums))
    m = narrow(work, m)
    return m, is_calm(m, narrow(work, lowest)), *without_top(high, low, m, splat(m, PAIR))
