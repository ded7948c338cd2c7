"""log Σ exp(x) of a row in twice the precision of float64, for rows whose maximum and logarithm cancel.

Numbers are unevaluated pairs (high, low) of float64, vectors of them or scalars. Slow: some 200 operations a number,
where `log_sums.log_sum` takes 20.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from ..numerics.exp import rounded_power
from ..numerics.log import log1p_vector
from ..numerics.sums import fold, two_sum
from ..vector import bits, fma, fma_exact, from_bits, load_partial, outlined, splat, traced, where, widen
from .rows import fold_row

# ln 2 in parts of 32, 32 and 53 bits: the first two times a number below 2¹⁰ are exact
_LN2_PARTS = (
    float.fromhex("0x1.62e42fefp-1"),
    float.fromhex("0x1.473de6afp-34"),
    float.fromhex("0x1.3c7673007e5edp-69"),
)
# exp(−120) is below 2⁻¹⁷³ of the sum
_CUT = -120.0


def _pair(value: Fraction) -> tuple[float, float]:
    return float(value), float(value - Fraction(float(value)))


# 1 / k!: pairs from 12 down to 0, single numbers from 24 down to 13
_PAIRS = tuple(_pair(Fraction(1, math.factorial(k))) for k in range(12, -1, -1))
_SINGLES = tuple(1.0 / math.factorial(k) for k in range(24, 12, -1))


@traced
def _renormal(high: Any, low: Any) -> Any:
    s = high + low
    return s, low - (s - high)


@traced
def _add(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    s, error = two_sum(high, high2)
    return _renormal(s, error + (low + low2))


@traced
def _multiply(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    p = high * high2
    error = fma_exact(high, high2, 0.0 - p)
    return _renormal(p, error + fma(high, low2, low * high2))


@traced
def exp_doubled(high: Any, low: Any) -> Any:
    """exp(high + low) for −120 ≤ high ≤ 120, relative error 2⁻¹⁰⁰."""
    first, second, third = _LN2_PARTS
    t, n = rounded_power(high)
    r, rest = two_sum(high - n * first, 0.0 - n * second)
    r, rest = _renormal(r, rest + fma(n, -third, low))
    tail = splat(high, _SINGLES[0])
    for single in _SINGLES[1:]:
        tail = fma(tail, r, single)
    p, error = tail, splat(high, 0.0)
    for pair in _PAIRS:
        p, error = _multiply(p, error, r, rest)
        p, error = _add(p, error, *(splat(high, part) for part in pair))
    scale = from_bits((bits(t) << 52) + (1023 << 52))
    return p * scale, error * scale


@traced
def _exp_below(x: Any, m: Any) -> Any:
    high, low = two_sum(x, 0.0 - m)
    far = high < _CUT
    e, error = exp_doubled(where(far, 0.0, high), where(far, 0.0, low))
    return where(far, 0.0, e), where(far, 0.0, error)


@outlined
def logsumexp_doubled(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x) of a row with finite maximum `m` and without NaN, rounded to float64 once."""
    m_v = splat(widen(load_partial(kind, src, 0, 0.0)), m)
    zero = splat(m_v, 0.0)

    def step(x: Any, *sums: Any) -> Any:
        return _add(*sums, *_exp_below(widen(x), m_v))

    high, low = _renormal(*fold(*fold_row(kind, (src,), n, step, zero, zero, fill=-np.inf)))
    # one Newton step from the logarithm in float64
    guess = log1p_vector(high, splat(high, -1.0))
    e, error = _multiply(high, low, *exp_doubled(-guess, splat(guess, 0.0)))
    step_left = (e - 1.0) + error
    s, lost = two_sum(m, guess)
    return s + (lost + (step_left - 0.5 * step_left * step_left))
