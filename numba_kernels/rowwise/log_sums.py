"""log Σ exp(x − m) of rows: the sum without the maximum's own term, which is 1.

Without that term the sum keeps its relative precision down to the smallest numbers, and so does log1p of it. A few rows
at a time:

    for each row: its maximum and minimum
    for each row on the fast path: Σ exp(x), float32 in the lowest precision that its extremes let suffice
    of all rows at once: the sum without the maximum's term
    for each row for which that was not enough: once more, from exact exponentials
    of all rows at once: log1p
    for each row for which that was not enough, or with anything odd in it: the robust path
"""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..vector import Variable, computed_as, full, loop, outlined, splat, when, where
from .blocks import BLOCK
from .lanes import ExtremesPerRow, PerRow, SumPerRow
from .log_sums_blocks import exact_sum, robust_log_sum, sum_of_blocks
from .log_sums_fast import (
    EXACT,
    PAIR,
    PLAIN,
    exact_is_enough,
    fast_sum,
    is_fast,
    least_enough,
    precision_for,
    without_top,
)
from .rows import extreme_vectors


@outlined
def log_sums_of_rows(kind: Any, src: Any, stride: Any, count: Any, n: Any) -> Any:
    """(m, log Σ exp(x − m)) of contiguous rows, one in each lane of two vectors, right to the last place.

    Of as many rows as `rows_at_once` says at the most. The logarithm is float64, and NaN for a row with a NaN or +inf,
    or nothing but −inf.
    """
    single, like = computed_as(kind.type) == types.float32, full(kind, 0.0)
    bounds, sums = ExtremesPerRow(kind), SumPerRow(kind)

    found = Variable(like, like, like)
    with when(n < 2 * BLOCK) as otherwise:
        with loop(0, count) as row:
            bounds[row] = extreme_vectors(kind, src + row * stride, n)
        highest, lowest = bounds.all
        found.value = highest, lowest, precision_for(highest, lowest, n) if single else PAIR
    with otherwise, loop(0, count) as row:
        # block by block, so that each is read from far away once
        highest, lowest, *pair = sum_of_blocks(kind, src + row * stride, n)
        found.value = splat(like, highest), splat(like, lowest), PAIR
        sums.set_pair(row, *pair)

    highest, lowest, precision = found.value
    m, shift, precision = PerRow(highest), PerRow(exponent_shift(highest)), PerRow(precision)
    fast = PerRow(where(is_fast(highest, lowest), splat(like, 1.0), 0.0))

    with when(n < 2 * BLOCK), loop(0, count) as row:
        at = src + row * stride
        with when(fast[row] > 0.0) as otherwise:
            for each in (PLAIN, PAIR, EXACT) if single else (PAIR,):
                with when(precision[row] == each):
                    sums[row] = fast_sum(kind, at, n, shift[row], count * stride, each)
        with otherwise:
            nan = n.constant(np.nan, types.float64)
            sums.set_pair(row, nan, nan)
    others, rest = (PerRow(numbers) for numbers in without_top(*sums.all, highest, precision.all))

    if single:
        again = Variable(n.constant(False, types.boolean))
        with loop(0, count) as row:
            short = (precision[row] != EXACT) & (others[row] <= least_enough(like, precision[row]))
            with when(short & exact_is_enough(fast[row] > 0.0, others[row])):
                sums.set_pair(row, *exact_sum(kind, src + row * stride, n, shift[row]))
                precision[row] = EXACT
                again.value = True
        with when(again.value):
            others.all, rest.all = without_top(*sums.all, highest, precision.all)

    logs = PerRow(log1p_vector(others.all, rest.all))
    with loop(0, count) as row:
        is_enough = others[row] > least_enough(like, precision[row])  # NaN is not
        with when(~is_enough):
            logs[row] = robust_log_sum(kind, src + row * stride, n, m[row])
    return highest, logs.all
