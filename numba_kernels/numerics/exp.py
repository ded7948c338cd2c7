"""The exponential every kernel stands on, split into mantissa and exponent.

exp(x) = p(r) · 2ⁿ with n = round(x · log₂e) and r = x − n · ln 2, |r| ≤ ln 2 / 2, in two steps with ln 2 in two parts
(Cody and Waite). `exp_scaled` gives p(r) · 2^(n + shift): the caller's shift carries the row's own exponent, so that
the logits need no subtraction of the maximum, whose rounding is what costs other softmaxes 30 to 70 ULP.

n is had by adding 1.5 · 2^(mantissa bits), which leaves it in the low bits of the sum; shifted up by the number of
mantissa bits it is 2ⁿ in all but the bias. The polynomial is 1 + (r + r² q(r)) with q fitted to the relative error
(`tools/fits/exp.py`), in a form with one rounding that counts, which also keeps it monotone.

Bounds on x where r is exact to half an ULP even without a fused multiply-add: n · (high part of ln 2) must be exact,
which gives |x| ≤ 2⁹ in float32 and |x| ≤ 2²⁰ in float64.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..vector import bits, fma, from_bits, splat, where
from .sums import HEADROOM, fma_near

LOG2E = 1.4426950408889634

# float32: 1.5 · 2²³, ln 2 with 9 zero bits at the end of the high part, degree 6, relative error 2⁻²⁸
_MAGIC32 = 12582912.0
LN2_HIGH32 = float.fromhex("0x1.62e4p-1")
LN2_LOW32 = float.fromhex("0x1.7f7d1cf79abcap-20")
_Q32 = tuple(
    map(float.fromhex, ("0x1.fffff8p-2", "0x1.55548ep-3", "0x1.555b98p-5", "0x1.123bd4p-7", "0x1.68512cp-10"))
)

# float64: 1.5 · 2⁵², ln 2 with 21 zero bits at the end of the high part, degree 11, relative error 2⁻⁵⁷·⁷
_MAGIC64 = 6755399441055744.0
LN2_HIGH64 = float.fromhex("0x1.62e42fefp-1")
LN2_LOW64 = float.fromhex("0x1.473de6af278edp-34")
_Q64 = tuple(
    map(
        float.fromhex,
        (
            "0x1.000000000000bp-1",
            "0x1.555555555550fp-3",
            "0x1.5555555550299p-5",
            "0x1.1111111122b50p-7",
            "0x1.6c16c1852e7a6p-10",
            "0x1.a01a0144986f6p-13",
            "0x1.a01997bdd0488p-16",
            "0x1.71deec5a7a045p-19",
            "0x1.28af4bd631a50p-22",
            "0x1.add7947f3ba76p-26",
        ),
    )
)


class Traits(NamedTuple):
    """What a kernel needs to know of a float type."""

    big: float
    """A maximum beyond this is subtracted first."""
    cut: float
    """So far below the maximum every probability rounds to zero."""
    bias: int
    """Of the exponent's bits."""
    mantissa: int
    """How many bits the mantissa has."""


_TRAITS32, _TRAITS64 = Traits(256.0, 104.0, 127, 23), Traits(4096.0, 746.0, 1023, 52)


def traits_of(scalar: Any) -> Traits:
    """The traits of a Numba type."""
    return _TRAITS32 if scalar == types.float32 else _TRAITS64


def exp_split(x: Any, shift: Any, rest: Any = None) -> Any:
    """(p, s) with exp(x) · 2^s = s + p · s and s a power of two times the fraction of `shift`; see `exp_scaled`.

    In p lie two thirds of half a ULP of the sum. `rest`: what is to be added to x, far below 1.
    """
    raised, d, n, low = _reduced(x)
    if rest is None:
        r = fma(n, low, d)
        return fma(_q(r), r * r, r), _scale(raised, shift)
    small = fma(n, low, rest)
    r = d + small
    return d + fma(_q(r), r * r, small), _scale(raised, shift)


def exp_scaled(x: Any, shift: Any) -> Any:
    """exp(x) · 2^s as a vector: `shift` is s + BIAS moved up by the mantissa bits (see `exponent_shift`).

    Within 1 ULP for |x| ≤ BIG + FAR; NaN and ±inf give NaN; the result must come out normal.
    """
    p, scale = exp_split(x, shift)
    return fma_near(p, scale, scale)


def exp_scaled_pair(x: Any, shift: Any) -> Any:
    """`exp_scaled`, and what its last step rounds off: right to two thirds of half a ULP together."""
    p, scale = exp_split(x, shift)
    e = fma_near(p, scale, scale)
    return e, fma_near(p, scale, scale - e)


def exp_scaled_exactly(x: Any, shift: Any) -> Any:
    """`exp_scaled`, and what that is off by: right to a tenth of half a ULP together."""
    raised, d, n, low = _reduced(x)
    r = fma(n, low, d)
    q, square = _q(r), r * r
    scale = _scale(raised, shift)
    p = fma(q, square, r)
    e = fma(p, scale, scale)
    return e, fma(fma(q, square, n * low), scale, fma(d, scale, scale - e))


def magic(like: Any) -> float:
    """1.5 · 2^(mantissa bits) of the float type of `like`."""
    return _MAGIC32 if like.scalar == types.float32 else _MAGIC64


def rounded_power(x: Any) -> Any:
    """n = round(x · log₂e), once with `magic` added and once as it is."""
    t = fma(x, LOG2E, magic(x))
    return t, t - magic(x)


def _reduced(x: Any) -> Any:
    """(bits that hold n = round(x · log₂e) lowest, d, n, low): x = n · ln 2 + d + n · low with d exact."""
    high, low = (LN2_HIGH32, LN2_LOW32) if x.scalar == types.float32 else (LN2_HIGH64, LN2_LOW64)
    t, n = rounded_power(x)
    return bits(t), fma(n, -high, x), n, -low


def _scale(raised: Any, shift: Any) -> Any:
    """2^(n + s) from the bits that hold n."""
    return from_bits((raised << traits_of(_real(raised)).mantissa) + shift)


def _real(integers: Any) -> Any:
    return types.float32 if integers.scalar == types.int32 else types.float64


def _q(r: Any) -> Any:
    """(exp(r) − 1 − r) / r² for |r| ≤ ln 2 / 2."""
    # Estrin's scheme: the chain of dependent steps, not their number, is what limits a core here
    if r.scalar != types.float32:
        return q64(r)
    q0, q1, q2, q3, q4 = _Q32
    r2 = r * r
    return fma(fma(q4, r2, fma(q3, r, q2)), r2, fma(q1, r, q0))


def q64(r: Any) -> Any:
    """(exp(r) − 1 − r) / r² for float64 |r| ≤ ln 2 / 2."""
    q0, q1, q2, q3, q4, q5, q6, q7, q8, q9 = _Q64
    r2 = r * r
    r4 = r2 * r2
    a, b, c = fma(q1, r, q0), fma(q3, r, q2), fma(q5, r, q4)
    d, e = fma(q7, r, q6), fma(q9, r, q8)
    return fma(fma(e, r4, fma(d, r2, c)), r4, fma(b, r2, a))


def exponent_shift(m: Any) -> Any:
    """The shift that makes `exp_scaled` give exp(x) · 2^(HEADROOM − n) where n is the exponent of exp(m)."""
    traits = traits_of(m.scalar)
    return (traits.bias + HEADROOM - exponent(m)) << traits.mantissa


# Some numbers near 1 and, for numbers very near 1, near 2, so spread that one of them brings almost any number close to
# one of few bits. Further from a power of two the rounding of the result would count more where that of p is largest.
_FRACTIONS = tuple(
    (1.0 + 0.09 * f, 1.99 - 0.13 * f)[i % 2] for i, f in enumerate(i * 0.618034 % 1.0 for i in range(8))
)


def exact_shift(m: Any) -> Any:
    """`exponent_shift` of float64 with a fraction, chosen so that `exp_scaled` of `m` itself is nearly exact.

    All exponentials of a row are multiplied by the same number, a power of two times one from 1 to 2, which is free to
    choose. Of a few, this is the one with which exp(m) is rounded least, to a tenth of half a unit on the average. What
    is left of its error would otherwise add to that of every number that is divided by the sum.
    """
    raised, d, n, low = _reduced(m)
    r = fma(n, low, d)
    p = fma(_q(r), r * r, r)
    large = 1.0 + d
    small = fma(_q(r), r * r, fma(n, low, d - (large - 1.0)))
    least, chosen = splat(m, np.inf), raised - raised
    for fraction in _FRACTIONS:
        e = fma_near(p, splat(m, fraction), splat(m, fraction))
        error = abs((fma_near(large, splat(m, -fraction), e) - fraction * small) * (1.0 / fraction))
        chosen = where(error < least, bits(splat(m, fraction)) - bits(splat(m, 1.0)), chosen)
        least = where(error < least, error, least)
    return exponent_shift(m) + chosen


def exponent(m: Any) -> Any:
    """round(m · log₂e) as integers."""
    t, _ = rounded_power(m)
    return bits(t) - bits(splat(m, magic(m)))
