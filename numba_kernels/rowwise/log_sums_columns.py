"""log Σ exp(x − m) of columns; see `log_sums`."""

from typing import Any

from ..numerics.exp import exponent_shift
from ..numerics.log import log1p_vector
from ..numerics.sums import settle
from ..vector import all_set, splat, where
from ..vector.flow import choose, repeat
from .log_sums_fast import EXACT, enough, exponential, is_calm, summed, without_top
from .log_sums_robust import others_of_columns
from .rows import anchor


def log_sum_of_columns(vector: Any, n: Any, src: Any) -> Any:
    """(m, log Σ exp(x − m)) lane by lane over vectors ``vector(i)``; the logarithm in float64.

    What a lane comes to does not depend on its neighbours.
    """

    def extremes(i: Any, high: Any, low: Any) -> Any:
        x = vector(i)
        return where(x > high, x, high), where(x < low, x, low)

    first = vector(n.constant(0))
    m, lowest = repeat(1, n, extremes, first, first)
    calm = is_calm(m, lowest)
    # seldom is less than that enough for all lanes
    way = splat(m, EXACT)
    total, lost = summed(vector, n, exponent_shift(m), m, src, exponential(m, EXACT))
    high, low = settle(total, lost, anchor(m)) if total.scalar == lost.scalar else (total, splat(total, 0.0))
    high, low = without_top(high, low, m, way)
    settled = calm & (high > enough(m, way))

    def apart() -> Any:
        others, rest = others_of_columns(vector, n, m, src)
        return where(settled, high, others), where(settled, low, rest)

    high, low = choose(all_set(settled), lambda: (high, low), apart)
    return m, log1p_vector(high, low)
