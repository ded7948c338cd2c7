"""log Σ exp(x − m) of rows: the sum without the maximum's own term, which is 1.

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
from .blocks import LENGTH, blocks_of
from .exp import exp_scaled_exactly, exp_scaled_pair, exponent_shift
from .flow import choose, outlined, repeat
from .log import log1p_vector
from .log_sums_apart import careful_log_sum, far
from .log_sums_calm import is_exact, others_from, plain_sum, without_top
from .log_sums_of_blocks import merge_sums, sum_of_block
from .memory import load_nth
from .rows import anchor, extremes_of, frame
from .simd import computing, splat
from .vector import computed_as

# Slots of `across`; logarithms and the sums without the maximum are float64, which takes two.
HIGHEST, LOGS, OTHERS, _BASE, _LOWEST, _SHIFT, _LOW = 0, 2, 4, 6, 7, 8, 9


# A few rows at a time ------------------------------------------------------------------------------------------------


@outlined
def log_sums_of_rows(kind: Any, scratch: Any, src: Any, step: Any, count: Any, n: Any) -> None:
    """Put (m, log Σ exp(x − m)) of contiguous rows into the slots HIGHEST and LOGS, right to the last place.

    Of as many rows as `rows_at_once` says at the most. The logarithm is NaN for a row with a NaN or +inf, or nothing
    but −inf.
    """
    exact = is_exact(kind, n)
    choose(
        n < 2 * LENGTH,
        lambda: _sum_rows(kind, scratch, src, step, count, n, exact),
        lambda: repeat(0, count, lambda row: _sum_long_row(kind, scratch, row, src + row * step, n)),
    )
    put_logs(kind, scratch, *sums(kind, scratch), exact)

    def again(row: Any) -> None:
        log_of_sum = careful_log_sum(kind, src + row * step, n, number(kind, scratch, HIGHEST, row))
        put_real_number(scratch, LOGS, row, log_of_sum)

    enough = others_from(computing(kind), exact)
    # NaN is not enough
    repeat(
        0,
        count,
        lambda row: choose(real_number(scratch, OTHERS, row) > enough, lambda: None, lambda: again(row)),
    )


def _sum_rows(kind: Any, scratch: Any, src: Any, step: Any, count: Any, n: Any, exact: Any) -> None:
    """Maxima and scaled sums of rows of less than two blocks."""
    repeat(0, count, lambda row: extremes_of(kind, scratch, row, src + row * step, n))
    plan_sums(scratch, maxima(kind, scratch), minima(kind, scratch))

    def add_up(row: Any) -> None:
        at = src + row * step

        def by(pair: Any) -> None:
            total, lost = plain_sum(kind, at, n, integer(kind, scratch, _SHIFT, row), count * step, pair)
            keep_sum(scratch, row, total, lost, anchor(lost))

        def calm() -> None:
            if computed_as(kind.type) == types.float32:
                choose(exact, lambda: by(exp_scaled_exactly), lambda: by(exp_scaled_pair))
            else:
                by(exp_scaled_pair)

        def later() -> None:
            nan = row.constant(np.nan, types.float64)
            keep_number(scratch, row, nan, nan)

        choose(is_calm(kind, scratch, row), calm, later)

    repeat(0, count, add_up)


def plan_sums(scratch: Any, highest: Any, lowest: Any) -> None:
    """What rows with these maxima and minima need, into their slots."""
    base, _, top = frame(highest)
    put(scratch, HIGHEST, highest)
    put(scratch, _BASE, base)
    put(scratch, _LOWEST, top - far(top))
    put(scratch, _SHIFT, exponent_shift(top))
    put(scratch, _LOW, lowest)


def is_calm(kind: Any, scratch: Any, row: Any) -> Any:
    """Whether nothing in a row needs a look: no base to subtract, nothing too low to count."""
    base, lowest, low = (number(kind, scratch, slot, row) for slot in (_BASE, _LOWEST, _LOW))
    return (base == 0.0) & (low >= lowest)


def put_logs(kind: Any, scratch: Any, high: Any, low: Any, exact: Any) -> None:
    """The logarithms of rows with these scaled sums, into their slots."""
    others, rest = without_top(high, low, load_nth(computing(kind), scratch, HIGHEST), exact)
    put(scratch, LOGS, log1p_vector(others, rest))
    put(scratch, OTHERS, others)


def _sum_long_row(kind: Any, scratch: Any, row: Any, src: Any, n: Any) -> None:
    """Maximum and scaled sum of a row of several blocks, each read from far away once."""

    def more(block: Any, *sums: Any) -> Any:
        return merge_sums(computing(kind), *sums, *sum_of_block(kind, src, n, block))

    highest, lowest, *pair = repeat(1, blocks_of(n), more, *sum_of_block(kind, src, n, n.constant(0)))
    like = load_nth(computing(kind), scratch, 0)
    plan_sums(scratch, splat(like, highest), splat(like, lowest))
    keep_number(scratch, row, *pair)
