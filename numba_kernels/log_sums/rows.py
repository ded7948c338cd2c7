"""log Σ exp(x − m) of rows: the sum without the maximum's own term, which is 1.

Without that term the sum keeps its relative precision down to the smallest numbers, and so does log1p of it. A few rows
at a time:

    for each row: its maximum and minimum
    for each row on the fast path: Σ exp(x)
    of all rows at once: the sum without the maximum's term
    for each float32 row for which that was not enough: once more, from exact exponentials
    of all rows at once: log1p
    for each row for which that was not enough, or with anything odd in it: the robust path
"""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..rowwise.blocks import BLOCK
from ..rowwise.lanes import ExtremesPerRow, PerRow, SumPerRow
from ..rowwise.rows import extreme_vectors
from ..vector import Variable, computed_as, full, loop, outlined, splat, when, where
from .blocks import exact_sum_of_blocks, robust_log_sum, sum_of_blocks
from .fast import (
    ENOUGH_EXACTLY,
    enough_at_first,
    exact_is_enough,
    first_sum,
    is_fast,
    is_summable,
    without_exact_top,
    without_top,
)


@outlined
def log_sums_of_rows(
    kind: Any, src: Any, stride: Any, count: Any, n: Any, result: Any = None, result_stride: Any = None
) -> Any:
    """(m, log Σ exp(x − m)) of contiguous rows, one in each lane of two vectors, right to the last place.

    Of as many rows as `rows_at_once` says at the most; `result`: where as many will be written soon. The logarithm is
    float64, and NaN for a row with a NaN or +inf, or nothing but −inf.
    """
    single, like = computed_as(kind.type) == types.float32, full(kind, 0.0)
    bounds, sums = ExtremesPerRow(kind), SumPerRow(kind)

    found = Variable(like, like)
    with when(n <= BLOCK) as otherwise:
        with loop(0, count) as row:
            bounds[row] = extreme_vectors(kind, src + row * stride, n)
        found.value = bounds.all
    with otherwise, loop(0, count) as row:
        # block by block, so that each is read from far away once
        highest, lowest, *pair = sum_of_blocks(kind, src + row * stride, n)
        found.value = splat(like, highest), splat(like, lowest)
        sums.set_pair(row, *pair)

    highest, lowest = found.value
    m, low = PerRow(highest), PerRow(lowest)
    fast, summable = (
        PerRow(where(suits(highest, lowest), splat(like, 1.0), 0.0)) for suits in (is_fast, is_summable)
    )

    with when(n <= BLOCK), loop(0, count) as row:
        with when(summable[row] > 0.0) as otherwise:
            written = None if result is None else result + row * result_stride
            sums[row] = first_sum(kind, src + row * stride, n, m[row], low[row], count * stride, written)
        with otherwise:
            nan = n.constant(np.nan, types.float64)
            sums.set_pair(row, nan, nan)
    others, rest = (PerRow(numbers) for numbers in without_top(*sums.all, highest))

    settled = PerRow(where(others.all > enough_at_first(like, n), splat(others.all, 1.0), 0.0))  # NaN is not
    if single:
        _sum_exactly(kind, src, stride, count, n, highest, fast, others, settled)
    logs = PerRow(log1p_vector(others.all, rest.all))
    with loop(0, count) as row, when(settled[row] == 0.0):
        logs[row] = robust_log_sum(kind, src + row * stride, n, m[row])
    return highest, logs.all


def _sum_exactly(
    kind: Any,
    src: Any,
    stride: Any,
    count: Any,
    n: Any,
    m: Any,
    fast: PerRow,
    others: PerRow,
    settled: PerRow,
) -> None:
    """Sum float32 rows once more, from exact exponentials, where that settles them."""
    zero = splat(others.all, 0.0)
    high, low, again = PerRow(zero), PerRow(zero), PerRow(zero)
    shift, any_again = PerRow(exponent_shift(m)), Variable(n.constant(False, types.boolean))
    with loop(0, count) as row, when((settled[row] == 0.0) & exact_is_enough(fast[row] > 0.0, others[row])):
        high[row], low[row] = exact_sum_of_blocks(kind, src + row * stride, n, shift[row])
        again[row], any_again.value = 1.0, True
    with when(any_again.value):
        exact, _ = without_exact_top(high.all, low.all, m)
        is_exact = again.all == 1.0
        others.all = where(is_exact, exact, others.all)
        settled.all = where(is_exact & (exact > ENOUGH_EXACTLY), splat(exact, 1.0), settled.all)
