"""log Σ exp(x − m) of columns; see `log_sums`."""

from typing import Any

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..vector import Variable, all_set, load, loop, splat, when, where
from .exponentials import sum_in_chunks
from .log_sums_fast import EXACT, exponential_in, is_fast, least_enough, without_top
from .log_sums_robust import robust_sum_of_columns


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
    # seldom is less than that enough for all lanes
    precision = splat(m, EXACT)
    total = sum_in_chunks(kind, src, stride, n, m, exponential_in(EXACT, exponent_shift(m)))
    high, low = total.per_lane()
    high, low = without_top(high, low, m, precision)
    settled = is_fast(m, lowest) & (high > least_enough(m, precision))
    pair = Variable(high, low)
    with when(~all_set(settled)):
        others, rest = robust_sum_of_columns(kind, src, stride, n, m)
        pair.value = where(settled, high, others), where(settled, low, rest)
    return m, log1p_vector(*pair.value)
