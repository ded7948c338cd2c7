"""The logarithm of a number, and of one plus a number, for vectors.

With u = 1 + x = 2ᵏ (1 + f), |f| ≤ √2 − 1: log u = k ln 2 + 2 atanh(s), s = f / (2 + f), the odd series of atanh
fitted to its relative error (`tools/fits/log.py`). For k = 0, f is x itself, so that the smallest x keep their
precision; for others what the sum 1 + x rounds off is put back to first order.
"""

from typing import Any

import numpy as np
from numba import types

from ..vector import bits, fma, from_bits, splat, where
from .sums import two_sum

# ln 2 with 21 zero bits at the end of the high part: k times it is exact
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_ONE_BITS = 0x3FF0000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_MAGIC_BITS = 0x4330000000000000  # 2⁵²: an integer below 2⁵² in its low bits is added to it
_MAGIC = 2.0**52 + 1023

# |f| ≤ √2 − 1, relative error 2⁻⁵⁹
_Q = tuple(
    map(
        float.fromhex,
        (
            "0x1.5555555555594p-1",
            "0x1.999999997f74fp-2",
            "0x1.2492494239dfdp-2",
            "0x1.c71c51d74f79dp-3",
            "0x1.746647edce200p-3",
            "0x1.39a0e8ce4da4ep-3",
            "0x1.2f0cfcc8a0c60p-3",
        ),
    )
)
# 0 ≤ f ≤ 1, relative error 2⁻³⁸: more than float32 results need
_Q_SHORT = tuple(
    map(
        float.fromhex,
        (
            "0x1.5555553af9bfap-1",
            "0x1.9999bcf4b271dp-2",
            "0x1.248a625a2046cp-2",
            "0x1.c8ba0b1668f4dp-3",
            "0x1.5f42b02f53d6cp-3",
            "0x1.be12427032040p-3",
        ),
    )
)


def log1p_vector(high: Any, low: Any) -> Any:
    """log(1 + high + low) in float64, for vectors and numbers from 0 to 2³¹; NaN gives NaN, +inf gives +inf.

    Below 1 ULP (0.85 measured), relative to results down to the smallest numbers.
    """
    x, rest = two_sum(high, low)
    u, lost = two_sum(splat(x, 1.0), x)
    lost = lost + rest
    k, shrink = _power(u)
    whole = k == 0.0
    f = where(whole, x, fma(u, shrink, -1.0))
    rest = where(whole, rest, lost * shrink)
    s = f / (2.0 + f)
    # 1 / (1 + f) as (1 − s) / (1 + s), to the few bits that `rest` needs
    rest = rest * fma(s, fma(s, 2.0, -2.0), 1.0)
    return where(high == np.inf, high, _log_of_parts(k, f, s, rest))


def log_vector(x: Any) -> Any:
    """log(x) in float64, for vectors and numbers that are positive, finite and normal.

    Below 1 ULP (0.85 measured), near 1 too.
    """
    k, shrink = _power(x)
    f = fma(x, shrink, -1.0)
    return _log_of_parts(k, f, f / (2.0 + f), splat(f, 0.0))


def _power(u: Any) -> Any:
    """(k, 2⁻ᵏ) with u · 2⁻ᵏ between √½ and √2."""
    biased = (bits(u) + (_ONE_BITS - _SQRT_HALF_BITS)) >> 52
    return from_bits(biased | _MAGIC_BITS) - _MAGIC, from_bits((2046 << 52) - (biased << 52))


def _log_of_parts(k: Any, f: Any, s: Any, rest: Any) -> Any:
    """k ln 2 + log(1 + f) + rest, with s = f / (2 + f)."""
    half_square = 0.5 * f * f
    small = fma(s, half_square + _tail(s * s), fma(k, _LN2_LOW, rest))
    return k * _LN2_HIGH - ((half_square - small) - f)


def _tail(z: Any) -> Any:
    """2 atanh(s) / s − 2 for z = s²."""
    q0, q1, q2, q3, q4, q5, q6 = _Q
    z2 = z * z
    a, b, c = fma(q1, z, q0), fma(q3, z, q2), fma(fma(q6, z, q5), z, q4)
    return z * fma(fma(c, z2, b), z2, a)


def log1p_unit(e: Any, like: Any) -> Any:
    """log(1 + e) for float64 vectors e in [0, 1], as exactly as the float type of `like` can show; NaN gives NaN.

    2⁻³⁸ for float32, below 1 ULP for float64.
    """
    if like.scalar == types.float64:
        return log1p_vector(e, splat(e, 0.0))
    q0, q1, q2, q3, q4, q5 = _Q_SHORT
    s = e / (2.0 + e)
    z = s * s
    z2 = z * z
    a, b, c = fma(q1, z, q0), fma(q3, z, q2), fma(q5, z, q4)
    return s * fma(z, fma(fma(c, z2, b), z2, a), 2.0)
