"""exp(x − m) in float64: for what needs more than float32 exponentials give, or adds up what may be subnormal."""

from typing import Any

from numba import types

from ..vector import bits, fma, from_bits, where, widen
from .exp import LN2_HIGH64, LN2_LOW64, q64, rounded_power

RAISED = 200
"""The power of two by which the terms of a sum are raised, so that none is subnormal."""

_LN2 = 0.6931471805599453
_BIAS = 1023
# below these differences the result is 0
_LOWEST32, _LOWEST64 = -150.0, -800.0
# degree 8 in float64, relative error 2⁻³⁹: more than float32 results need
_Q64_SHORT = tuple(
    map(
        float.fromhex,
        (
            "0x1.00000000a3c33p-1",
            "0x1.5555557ec669ap-3",
            "0x1.55555364965bbp-5",
            "0x1.1110a1098a9acp-7",
            "0x1.6c19fde24a217p-10",
            "0x1.a1872a53de9f7p-13",
            "0x1.9d5da522ecf2ap-16",
        ),
    )
)


def exp_below(x: Any, m: Any) -> Any:
    """exp(x − m) in float64 for vectors x ≤ m: exactly 1 where x = m, 0 for x = −inf, NaN for NaN or m = ±inf.

    For float32 arguments the difference is exact in float64 and the error 2⁻³⁹; for float64 ones the difference keeps
    its rounding error and the result is within 0.7 ULP.
    """
    return _below32(x, m, _BIAS) if x.scalar == types.float32 else exp_of_pair(x - m, _lost(x, m))


def exp_below_raised(x: Any, m: Any) -> Any:
    """`exp_below` times 2^RAISED: 0.7 ULP even where that itself would be subnormal."""
    if x.scalar == types.float32:
        return _below32(x, m, _BIAS + RAISED)
    return exp_of_pair_raised(x - m, _lost(x, m))


def _below32(x: Any, m: Any, bias: int) -> Any:
    """exp(x − m) · 2^(bias − BIAS) of float32 vectors, in float64."""
    return exp_short(widen(x) - widen(m), bias)


def exp_short(d: Any, bias: int = _BIAS) -> Any:
    """exp(d) · 2^(bias − BIAS) for float64 vectors d ≤ 0, with an error of 2⁻³⁹; 0 below −150, NaN for NaN."""
    q0, q1, q2, q3, q4, q5, q6 = _Q64_SHORT
    beyond = d < _LOWEST32
    t, n = rounded_power(where(beyond, _LOWEST32, d))
    r = fma(n, -_LN2, where(beyond, _LOWEST32, d))
    r2 = r * r
    a, b, c = fma(q1, r, q0), fma(q3, r, q2), fma(q5, r, q4)
    p = fma(fma(fma(fma(q6, r2, c), r2, b), r2, a), r2, r)
    scale = from_bits((bits(t) << 52) + (bias << 52))
    return where(beyond, 0.0, fma(p, scale, scale))


def _lost(x: Any, m: Any) -> Any:
    """What the difference x − m lost (Knuth's two-sum)."""
    d = x - m
    back = d + m
    return (x - back) + ((back - d) - m)


def exp_of_pair(d: Any, lost: Any) -> Any:
    """exp(d + lost) within 0.7 ULP for float64 vectors d ≤ 0 and `lost` of the size of its rounding; 0 below −800."""
    return exp_of_pair_raised(d, lost) * 2.0**-RAISED


def exp_of_pair_raised(d: Any, lost: Any) -> Any:
    """`exp_of_pair` times 2^RAISED, normal down to −800."""
    beyond = d < _LOWEST64
    y = where(beyond, _LOWEST64, d)
    t, n = rounded_power(y)
    h = fma(n, -LN2_HIGH64, y)
    c = fma(n, LN2_LOW64, 0.0 - lost)
    r = h - c
    s = 1.0 + h
    p = s + fma(q64(r), r * r, (h - (s - 1.0)) - c)
    scale = from_bits((bits(t) << 52) + ((_BIAS + RAISED) << 52))
    return where(beyond, 0.0, p * scale)
