"""log Σ exp(x − m) of rows: the sum without the maximum's own term, which is 1.

Without that term the sum keeps its relative precision down to the smallest numbers, and so does log1p of it. Rows are
summed a few at a time, float32 in the cheapest way that their extremes promise to be enough (`log_sums_calm`). Those
for which it was not are done again from exact exponentials; those with anything odd in them, and those in which all
but the maximum is next to nothing, by `log_sums_apart`.
"""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..vector import compute_kind, load, outlined, splat, where
from ..vector.flow import choose, repeat
from .blocks import LENGTH, blocks_of
from .lanes import (
    integer,
    keep_number,
    keep_sum,
    maxima,
    minima,
    number,
    put,
    put_number,
    put_real_number,
    real_number,
    real_numbers,
    sums,
)
from .log_sums_blocks import exact_sum, log_sum_apart, merge_sums, sum_of_block
from .log_sums_fast import (
    EXACT,
    PAIR,
    PLAIN,
    calm_sum,
    enough,
    exactly_is_enough,
    is_calm,
    way_of,
    without_top,
)
from .rows import anchor, extremes_of

# Slots of `across`; logarithms and the sums without the maximum are float64, which takes two.
HIGHEST, LOGS, _OTHERS, _REST, _SHIFT, _CALM, _WAY = 0, 2, 4, 6, 8, 9, 10


# A few rows at a time ------------------------------------------------------------------------------------------------


@outlined
def log_sums_of_rows(kind: Any, scratch: Any, src: Any, step: Any, count: Any, n: Any) -> None:
    """Put (m, log Σ exp(x − m)) of contiguous rows into the slots HIGHEST and LOGS, right to the last place.

    Of as many rows as `rows_at_once` says at the most. The logarithm is NaN for a row with a NaN or +inf, or nothing
    but −inf.
    """
    choose(
        n < 2 * LENGTH,
        lambda: _sum_rows(kind, scratch, src, step, count, n),
        lambda: repeat(0, count, lambda row: _sum_long_row(kind, scratch, row, src + row * step, n)),
    )
    like = load(compute_kind(kind), scratch, HIGHEST)
    _put_others(kind, scratch)

    def is_enough(row: Any) -> Any:
        # NaN is not
        return real_number(scratch, _OTHERS, row) > enough(like, number(kind, scratch, _WAY, row))

    def exactly(row: Any) -> None:
        at, shift = src + row * step, integer(kind, scratch, _SHIFT, row)
        keep_number(scratch, row, *exact_sum(kind, at, n, shift))
        put_number(kind, scratch, _WAY, row, like.constant(EXACT, like.scalar))

    def mend_row(row: Any, mended: Any) -> Any:
        way, others = number(kind, scratch, _WAY, row), real_number(scratch, _OTHERS, row)
        short = (way != EXACT) & (others <= enough(like, way))

        def mend() -> Any:
            exactly(row)
            return mended + 1

        wanted = short & exactly_is_enough(_is_calm(kind, scratch, row), others)
        return choose(wanted, mend, lambda: mended)

    if like.scalar == types.float32:
        choose(repeat(0, count, mend_row, count - count) > 0, lambda: _put_others(kind, scratch))
    put(scratch, LOGS, log1p_vector(real_numbers(kind, scratch, _OTHERS), real_numbers(kind, scratch, _REST)))

    def careful(row: Any) -> None:
        log_of_sum = log_sum_apart(kind, src + row * step, n, number(kind, scratch, HIGHEST, row))
        put_real_number(scratch, LOGS, row, log_of_sum)

    repeat(0, count, lambda row: choose(is_enough(row), lambda: None, lambda: careful(row)))


def _put_others(kind: Any, scratch: Any) -> None:
    """The sums of rows without their maxima, from the tables of sums into their slots."""
    m, way = (load(compute_kind(kind), scratch, slot) for slot in (HIGHEST, _WAY))
    high, low = sums(kind, scratch)
    others, rest = without_top(high, low, m, way)
    put(scratch, _OTHERS, others)
    put(scratch, _REST, rest)


def _sum_rows(kind: Any, scratch: Any, src: Any, step: Any, count: Any, n: Any) -> None:
    """Maxima and scaled sums of rows of less than two blocks."""
    repeat(0, count, lambda row: extremes_of(kind, scratch, row, src + row * step, n))
    highest, lowest = maxima(kind, scratch), minima(kind, scratch)
    _plan(scratch, highest, lowest)
    if highest.scalar == types.float32:
        put(scratch, _WAY, way_of(highest, lowest, n))

    def add_up(row: Any) -> None:
        def by(way: float) -> None:
            shift = integer(kind, scratch, _SHIFT, row)
            total, lost = calm_sum(kind, src + row * step, n, shift, count * step, way)
            keep_sum(scratch, row, total, lost, anchor(lost))

        def calm() -> None:
            if highest.scalar == types.float32:
                way = number(kind, scratch, _WAY, row)
                choose(
                    way == PLAIN,
                    lambda: by(PLAIN),
                    lambda: choose(way == PAIR, lambda: by(PAIR), lambda: by(EXACT)),
                )
            else:
                by(PAIR)

        def later() -> None:
            nan = row.constant(np.nan, types.float64)
            keep_number(scratch, row, nan, nan)

        choose(_is_calm(kind, scratch, row), calm, later)

    repeat(0, count, add_up)


def _plan(scratch: Any, highest: Any, lowest: Any) -> None:
    """What rows with these maxima and minima need, into their slots."""
    put(scratch, HIGHEST, highest)
    put(scratch, _SHIFT, exponent_shift(highest))
    put(scratch, _CALM, where(is_calm(highest, lowest), splat(highest, 1.0), 0.0))


def _is_calm(kind: Any, scratch: Any, row: Any) -> Any:
    return number(kind, scratch, _CALM, row) > 0.0


def _sum_long_row(kind: Any, scratch: Any, row: Any, src: Any, n: Any) -> None:
    """Maximum and scaled sum of a row of several blocks, each read from far away once."""

    def more(block: Any, *sums: Any) -> Any:
        return merge_sums(compute_kind(kind), *sums, *sum_of_block(kind, src, n, block))

    highest, lowest, *pair = repeat(1, blocks_of(n), more, *sum_of_block(kind, src, n, n.constant(0)))
    like = load(compute_kind(kind), scratch, 0)
    _plan(scratch, splat(like, highest), splat(like, lowest))
    put(scratch, _WAY, splat(like, PAIR))
    keep_number(scratch, row, *pair)
