"""log Σ exp(x − m) of columns; see `rows`."""

from collections.abc import Callable
from typing import Any

from numba import types

from ..numerics.exp import exp_scaled_pair
from ..numerics.exp_table import exponentials_of_lanes, table_for
from ..numerics.log import log1p_vector
from ..numerics.sums import AnchoredSum, ExactSum, LaneSums
from ..rowwise.exponentials import sum_in_chunks
from ..vector import Variable, all_set, load, loop, minimum, when, where
from .fast import SETTLED_AFTER, enough_at_first, first_shift, is_summable, without_top
from .robust import far, robust_sum_of_columns


def log_sum_of_columns(kind: Any, src: Any, stride: Any, n: Any) -> Any:
    """(m, log Σ exp(x − m)) lane by lane over n vectors, `stride` bytes apart; the logarithm in float64.

    What a lane comes to does not depend on its neighbours.
    """
    first = load(kind, src)
    extremes = Variable(first, first)
    with loop(1, n) as i:
        x, (high, low) = load(kind, src + i * stride), extremes.value
        extremes.value = where(x > high, x, high), where(x < low, x, low)
    m, lowest = extremes.value
    high, low, enough = _sum_without_top(kind, src, stride, n, m, lowest)
    settled = is_summable(m, lowest) & (high > enough)
    pair = Variable(high, low)
    with when(~all_set(settled)):
        others, rest = robust_sum_of_columns(kind, src, stride, n, m)
        pair.value = where(settled, high, others), where(settled, low, rest)
    return m, log1p_vector(*pair.value)


def _sum_without_top(kind: Any, src: Any, stride: Any, n: Any, m: Any, lowest: Any) -> Any:
    """(Σ exp(x − m) without one term of the maximum as a pair, from where on that is enough)."""
    if m.scalar == types.float32:
        sums, cut = Variable(), m - far(m)
        with when(all_set(lowest >= cut)) as somewhere_below:
            sums.value = _sum_of_float32(kind, src, stride, n, m, lambda x: x)
        with somewhere_below:
            sums.value = _sum_of_float32(kind, src, stride, n, m, lambda x: where(cut > x, cut, x))
        high, low = LaneSums(sums.value).per_lane()
    else:
        high, low = _sum_of_float64(kind, src, stride, n, m).per_lane()
    others, rest = without_top(high, low, m)
    return others, rest, enough_at_first(m, n)


def _sum_of_float64(kind: Any, src: Any, stride: Any, n: Any, m: Any) -> AnchoredSum:
    shift = first_shift(m)
    return sum_in_chunks(kind, src, stride, n, m, lambda x: exp_scaled_pair(x, shift))


def _sum_of_float32(kind: Any, src: Any, stride: Any, n: Any, m: Any, counted: Callable[[Any], Any]) -> Any:
    """Σ exp(counted(x)), scaled."""
    table, shift, total = table_for(m, 0), first_shift(m), ExactSum(m)
    with loop(0, n, SETTLED_AFTER) as start:
        at = src + start * stride
        with loop(0, minimum(n - start, SETTLED_AFTER)) as i:
            total.add(*exponentials_of_lanes(counted(load(kind, at + i * stride)), table, shift))
        total.settle()
    return total.value
