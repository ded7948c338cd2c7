"""The exponential every kernel stands on, split into mantissa and exponent.

exp(x) = p(r) · 2ⁿ with n = round(x · log₂e) and r = x − n · ln 2, |r| ≤ ln 2 / 2, in two steps with ln 2 in two parts
(Cody and Waite). `exp_scaled` gives p(r) · 2^(n + shift): the caller's shift carries the row's own exponent, so that
the logits need no subtraction of the maximum, whose rounding is what costs other softmaxes 30 to 70 ULP.

n is had by adding 1.5 · 2^(mantissa bits), which leaves it in the low bits of the sum; shifted up by the number of
mantissa bits it is 2ⁿ in all but the bias. The polynomial is 1 + (r + r² q(r)) with q fitted to the relative error
(`benchmarks/fit_exp.py`), in a form with one rounding that counts, which also keeps it monotone.

Bounds on x where r is exact to half an ULP even without a fused multiply-add: n · (high part of ln 2) must be exact,
which gives |x| ≤ 2⁹ in float32 and |x| ≤ 2²⁰ in float64.
"""

from typing import Any

from numba import types

from .jit import by_type, helper
from .simd import bits, fma, from_bits, splat
from .vector import scalar_of

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

# What a kernel needs to know of a type: above BIG a maximum is subtracted first, CUT below the maximum every
# probability rounds to zero, BIAS and MANTISSA describe the bits, sums run 2^HEADROOM too high so that no summand is
# subnormal.
_TRAITS32 = (256.0, 104.0, 127, 23, 64)
_TRAITS64 = (4096.0, 746.0, 1023, 52, 64)


def traits_of(scalar: Any) -> tuple[float, float, int, int, int]:
    """The traits of a Numba type."""
    return _TRAITS32 if scalar == types.float32 else _TRAITS64


def traits(like: Any) -> Any:
    """(BIG, CUT, BIAS, MANTISSA, HEADROOM) of the float type of `like`, inside jitted code."""
    raise NotImplementedError


@by_type(traits)
def _traits(like: Any) -> Any:
    values = traits_of(scalar_of(like))
    return lambda like: values


def exp_scaled(x: Any, shift: Any) -> Any:
    """exp(x) · 2^s as a vector: `shift` is s + BIAS moved up by the mantissa bits (see `exponent_shift`).

    Within 1 ULP for |x| ≤ BIG + FAR; NaN and ±inf give NaN; the result must come out normal.
    """
    raise NotImplementedError


@by_type(exp_scaled)
def _exp_scaled(x: Any, shift: Any) -> Any:
    mantissa = traits_of(x.scalar)[3]

    def impl(x: Any, shift: Any) -> Any:
        raised, d, n, low = _reduced(x)
        r = fma(n, low, d)
        p = fma(_q(r), r * r, r)
        scale = from_bits((raised << splat(raised, mantissa)) + shift)
        return fma(p, scale, scale)

    return impl


def exp_scaled_parts(x: Any, shift: Any) -> Any:
    """`exp_scaled` as the sum of two vectors, the second at most 7 % of the first: right to 0.05 ULP together."""
    raise NotImplementedError


@by_type(exp_scaled_parts)
def _exp_scaled_parts(x: Any, shift: Any) -> Any:
    mantissa = traits_of(x.scalar)[3]

    def impl(x: Any, shift: Any) -> Any:
        raised, d, n, low = _reduced(x)
        r = fma(n, low, d)
        one = splat(x, 1.0)
        s = one + d
        # what 1 + d rounds off joins the small terms
        small = fma(_q(r), r * r, fma(n, low, d - (s - one)))
        scale = from_bits((raised << splat(raised, mantissa)) + shift)
        return s * scale, small * scale

    return impl


def exp_scaled_pair(x: Any, shift: Any) -> Any:
    """`exp_scaled`, and what that is off by: right to 0.2 ULP together."""
    raise NotImplementedError


@by_type(exp_scaled_pair)
def _exp_scaled_pair(x: Any, shift: Any) -> Any:
    mantissa = traits_of(x.scalar)[3]

    def impl(x: Any, shift: Any) -> Any:
        raised, d, n, low = _reduced(x)
        rest = n * low
        r = d + rest
        p = fma(_q(r), r * r, r)
        scale = from_bits((raised << splat(raised, mantissa)) + shift)
        e = fma(p, scale, scale)
        # what the sum r rounds off counts for exp(r) times itself
        return e, fma((d - r) + rest, e, fma(p, scale, scale - e))

    return impl


def magic(like: Any) -> Any:
    """1.5 · 2^(mantissa bits), for every lane of `like`."""
    raise NotImplementedError


@by_type(magic)
def _magic(like: Any) -> Any:
    value = _MAGIC32 if scalar_of(like) == types.float32 else _MAGIC64
    return lambda like: splat(like, value)


@helper
def rounded_power(x: Any) -> Any:
    """n = round(x · log₂e), once with `magic` added and once as it is."""
    t = fma(x, splat(x, LOG2E), magic(x))
    return t, t - magic(x)


def _reduced(x: Any) -> Any:
    """(bits that hold n = round(x · log₂e) lowest, d, n, low): x = n · ln 2 + d + n · low with d exact."""
    raise NotImplementedError


@by_type(_reduced)
def _reduced_by_type(x: Any) -> Any:
    high, low = (LN2_HIGH32, LN2_LOW32) if x.scalar == types.float32 else (LN2_HIGH64, LN2_LOW64)

    def impl(x: Any) -> Any:
        t, n = rounded_power(x)
        return bits(t), fma(n, splat(x, -high), x), n, splat(x, -low)

    return impl


def _q(r: Any) -> Any:
    """(exp(r) − 1 − r) / r² for |r| ≤ ln 2 / 2, inside jitted code."""
    raise NotImplementedError


@by_type(_q)
def _q_by_type(r: Any) -> Any:
    # Estrin's scheme: the chain of dependent steps, not their number, is what limits a core here
    if r.scalar != types.float32:
        return lambda r: q64(r)
    q0, q1, q2, q3, q4 = _Q32

    def float32(r: Any) -> Any:
        r2 = r * r
        low = fma(splat(r, q1), r, splat(r, q0))
        high = fma(splat(r, q4), r2, fma(splat(r, q3), r, splat(r, q2)))
        return fma(high, r2, low)

    return float32


@helper
def q64(r: Any) -> Any:
    """(exp(r) − 1 − r) / r² for float64 |r| ≤ ln 2 / 2."""
    q0, q1, q2, q3, q4, q5, q6, q7, q8, q9 = _Q64
    r2 = r * r
    r4 = r2 * r2
    a = fma(splat(r, q1), r, splat(r, q0))
    b = fma(splat(r, q3), r, splat(r, q2))
    c = fma(splat(r, q5), r, splat(r, q4))
    d = fma(splat(r, q7), r, splat(r, q6))
    e = fma(splat(r, q9), r, splat(r, q8))
    high = fma(e, r4, fma(d, r2, c))
    return fma(high, r4, fma(b, r2, a))


@helper
def exponent_shift(m: Any) -> Any:
    """The shift that makes `exp_scaled` give exp(x) · 2^(HEADROOM − n) where n is the exponent of exp(m)."""
    _, _, bias, mantissa, headroom = traits(m)
    raised = exponent(m)
    return (splat(raised, bias + headroom) - raised) << splat(raised, mantissa)


@helper
def exponent(m: Any) -> Any:
    """round(m · log₂e) as integers."""
    t, _ = rounded_power(m)
    return bits(t) - bits(magic(m))
