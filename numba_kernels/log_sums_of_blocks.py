"""log Σ exp(x − m) of long rows, from blocks of them that are summed by themselves; see `blocks` and `log_sums`."""

from typing import Any

import numpy as np
from numba import types

from .blocks import LENGTH, Block, block_length, extremes_merged
from .exp import exp_scaled_pair, exponent, exponent_shift
from .flow import choose, outlined
from .log import log1p_vector
from .log_sums_apart import add_apart, far, others_of, sum_apart
from .log_sums_calm import others_from, plain_sum, without_top
from .rows import anchor, extremes, frame
from .simd import computing, from_bits, itemsize, most, narrow, splat, widen
from .sums import across, add_pair
from .trace import traced


@outlined
def sum_of_block(kind: Any, src: Any, n: Any, block: Any) -> Any:
    """(maximum, minimum, Σ exp(x) scaled by the block's own maximum, as a pair) of a block of a row, in float64.

    The sum is NaN where something needs a look.
    """
    size, length = itemsize(kind), block_length(block, n)
    at = src + block * LENGTH * size
    highest, lowest = extremes(kind, at, length)
    base, _, top = frame(highest)

    def calm() -> Any:
        ahead = n.constant(LENGTH * size)
        total, lost = plain_sum(kind, at, length, exponent_shift(top), ahead, exp_scaled_pair)
        return across(total, lost, anchor(lost))

    nan = n.constant(np.nan, types.float64)
    pair = choose((base == 0.0) & (lowest >= top - far(top)), calm, lambda: (nan, nan))
    return widen(highest), widen(lowest), *pair


@traced
def merge_sums(
    like: Any, m: Any, lowest: Any, high: Any, low: Any, m2: Any, lowest2: Any, high2: Any, low2: Any
) -> Any:
    """What `sum_of_block` gave for two parts of a row, as one; `like` has the type that they were computed in."""
    top, bottom = extremes_merged(m, lowest, m2, lowest2)

    def scale(own: Any) -> Any:
        steps = splat(m.constant(0, types.int64), exponent(narrow(like, own)) - exponent(narrow(like, top)))
        return from_bits(most(steps + 1023, 0) << 52)

    one, two = scale(m), scale(m2)
    return top, bottom, *add_pair(high * one, low * one, high2 * two, low2 * two)


# Stages of `OverBlocks`: the sum of each block; the sums once more where that is not enough; what is made of them.


def add_block(kind: Any, dst: Any, src: Any, block: Block) -> None:
    """The first stage."""
    block.keep(0, *sum_of_block(kind, src, block.n, block.index))


def add_block_apart(kind: Any, dst: Any, src: Any, block: Block) -> None:
    """The second stage."""

    def again(m: Any) -> Any:
        at = src + block.index * LENGTH * itemsize(kind)
        block.keep(4, *sum_apart(kind, at, block_length(block.index, block.n), m))
        return block.n.constant(0.0, types.float64)

    _log_sum(kind, block, again)


def log_sum_of_blocks(kind: Any, block: Block) -> Any:
    """(m, log Σ exp(x − m), whether the row is calm), for the last stage."""
    return _log_sum(kind, block, lambda m: log1p_vector(*others_of(*block.merged(4, 3, add_apart))))


def _log_sum(kind: Any, block: Block, again: Any) -> Any:
    work = computing(kind)
    m, lowest, high, low = block.merged(0, 4, lambda *sums: merge_sums(work, *sums))
    m, (base, _, top) = narrow(work, m), frame(narrow(work, m))
    others, rest = without_top(high, low, m, m.constant(False, types.boolean))
    # NaN is not enough
    enough = others > others_from(work, m.constant(False, types.boolean))
    log_of_sum = choose(enough, lambda: log1p_vector(others, rest), lambda: again(m))
    return m, log_of_sum, (base == 0.0) & (narrow(work, lowest) >= top - far(top))
