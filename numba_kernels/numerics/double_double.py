"""Double-double numbers: unevaluated pairs (high, low) of float64, vectors of them or scalars, and their exponential.

Slow: some 200 operations an exponential, where one in float64 takes 20.
"""

import math
from fractions import Fraction
from typing import Any

from ..vector import bits, fma, fma_exact, from_bits, splat, where
from .exp import rounded_power
from .sums import two_sum

# ln 2 in parts of 32, 32 and 53 bits: the first two times a number below 2¹⁰ are exact
LN2_PARTS = (
    float.fromhex("0x1.62e42fefp-1"),
    float.fromhex("0x1.473de6afp-34"),
    float.fromhex("0x1.3c7673007e5edp-69"),
)
_CUT = -120.0


def _pair(value: Fraction) -> tuple[float, float]:
    return float(value), float(value - Fraction(float(value)))


# 1 / k!: pairs from 12 down to 0, single numbers from 24 down to 13
_PAIRS = tuple(_pair(Fraction(1, math.factorial(k))) for k in range(12, -1, -1))
_SINGLES = tuple(1.0 / math.factorial(k) for k in range(24, 12, -1))


def fast_two_sum(high: Any, low: Any) -> Any:
    """high + low for |high| ≥ |low| and its rounding error (Dekker)."""
    s = high + low
    return s, low - (s - high)


def add(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    """The sum of two numbers."""
    s, error = two_sum(high, high2)
    return fast_two_sum(s, error + (low + low2))


def multiply(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    """The product of two numbers."""
    p = high * high2
    error = fma_exact(high, high2, 0.0 - p)
    return fast_two_sum(p, error + fma(high, low2, low * high2))


def exp(high: Any, low: Any) -> Any:
    """exp(high + low) for −120 ≤ high ≤ 120, relative error 2⁻¹⁰⁰."""
    first, second, third = LN2_PARTS
    t, n = rounded_power(high)
    r, rest = two_sum(high - n * first, 0.0 - n * second)
    r, rest = fast_two_sum(r, rest + fma(n, -third, low))
    tail = splat(high, _SINGLES[0])
    for single in _SINGLES[1:]:
        tail = fma(tail, r, single)
    p, error = tail, splat(high, 0.0)
    for pair in _PAIRS:
        p, error = multiply(p, error, r, rest)
        p, error = add(p, error, *(splat(high, part) for part in pair))
    scale = from_bits((bits(t) << 52) + (1023 << 52))
    return p * scale, error * scale


def exp_below(x: Any, m: Any) -> Any:
    """exp(x − m) of float64 x ≤ m; 0 below −120, which is 2⁻¹⁷³ of a sum that holds exp(m − m)."""
    high, low = two_sum(x, 0.0 - m)
    far = high < _CUT
    e, error = exp(where(far, 0.0, high), where(far, 0.0, low))
    return where(far, 0.0, e), where(far, 0.0, error)
