"""log Σ exp(x) of a row in twice the precision of float64, for rows whose maximum and logarithm cancel.

Numbers are unevaluated pairs (high, low) of float64, vectors of them or scalars. Slow: some 200 operations a number,
where `log_sums.log_sum` takes 20.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from .exp import rounded_power
from .jit import helper
from .memory import load, load_first
from .simd import bits, fma, fma_exact, from_bits, itemsize, lanes, splat, where, widen
from .sums import fold, two_sum

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


@helper
def _renormal(high: Any, low: Any) -> Any:
    s = high + low
    return s, low - (s - high)


@helper
def _add(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    s, error = two_sum(high, high2)
    return _renormal(s, error + (low + low2))


@helper
def _multiply(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    p = high * high2
    error = fma_exact(high, high2, splat(p, 0.0) - p)
    return _renormal(p, error + fma(high, low2, low * high2))


@helper
def exp_doubled(high: Any, low: Any) -> Any:
    """exp(high + low) for −120 ≤ high ≤ 120, relative error 2⁻¹⁰⁰."""
    first, second, third = _LN2_PARTS
    t, n = rounded_power(high)
    r, rest = two_sum(high - n * splat(high, first), splat(high, 0.0) - n * splat(high, second))
    r, rest = _renormal(r, rest + fma(n, splat(high, -third), low))
    tail = splat(high, _SINGLES[0])
    for k in range(1, len(_SINGLES)):
        tail = fma(tail, r, splat(high, _SINGLES[k]))
    p, error = tail, splat(high, 0.0)
    for k in range(len(_PAIRS)):
        p, error = _multiply(p, error, r, rest)
        p, error = _add(p, error, splat(high, _PAIRS[k][0]), splat(high, _PAIRS[k][1]))
    raised = bits(t)
    scale = from_bits((raised << splat(raised, 52)) + splat(raised, 1023 << 52))
    return p * scale, error * scale


@helper
def _exp_below(x: Any, m: Any) -> Any:
    high, low = two_sum(x, splat(x, 0.0) - m)
    far = high < splat(x, _CUT)
    zero = splat(x, 0.0)
    e, error = exp_doubled(where(far, zero, high), where(far, zero, low))
    return where(far, zero, e), where(far, zero, error)


@helper
def logsumexp_doubled(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """log Σ exp(x) of a row with finite maximum `m` and without NaN, rounded to float64 once."""
    size, step = itemsize(kind), lanes(kind)
    m_v = splat(widen(load_first(kind, src, 0, 0.0)), m)
    total, lost = splat(m_v, 0.0), splat(m_v, 0.0)
    for i in range(0, n, step):
        x = load(kind, src + i * size) if n - i >= step else load_first(kind, src + i * size, n - i, -np.inf)
        e, error = _exp_below(widen(x), m_v)
        total, lost = _add(total, lost, e, error)
    high, low = fold(total, lost)
    high, low = _renormal(high, low)
    # one Newton step from the logarithm in float64
    guess = math.log(high)
    e, error = exp_doubled(-guess, 0.0)
    e, error = _multiply(high, low, e, error)
    step_left = (e - 1.0) + error
    s, lost_s = two_sum(m, guess)
    return s + (lost_s + (step_left - 0.5 * step_left * step_left))
