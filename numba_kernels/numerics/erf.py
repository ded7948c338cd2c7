"""The error function, and the tail of the normal distribution, for vectors and numbers."""

from typing import Any

from numba import types

from ..vector import bits, fma, splat, where
from .exp import exp_split
from .polynomials import hexadecimal, polynomial
from .sums import fma_near
from .tanh import with_sign

# erf(x) = x + x · q(x²) up to here, and from there 1 − exp(−t(x)); from where on it is 1.
_SMALL, _ONE_FROM = {types.float32: 0.7, types.float64: 0.9}, {types.float32: 3.95, types.float64: 5.95}
# Errors relative to erf of 2⁻³⁰ and 2⁻⁵⁶, and so of those below (`tools/fits/erf.py`).
_Q = {
    types.float32: hexadecimal(
        *("0x1.06eba8p-3", "-0x1.812740p-2", "0x1.ce2caep-4", "-0x1.b7d63ap-6"),
        *("0x1.50e54ep-8", "-0x1.6d660ep-11"),
    ),
    types.float64: hexadecimal(
        *("0x1.06eba8214db69p-3", "-0x1.812746b0379fcp-2", "0x1.ce2f21a0434aap-4", "-0x1.b82ce312a0e14p-6"),
        *(
            "0x1.565bcd1032e86p-8",
            "-0x1.c02db404044c4p-11",
            "0x1.f9a31e39a5dbcp-14",
            "-0x1.f4d0ee85a7e02p-17",
        ),
        *(
            "0x1.b9c8c220ba101p-20",
            "-0x1.5dfb59fb9d0b0p-23",
            "0x1.e64e59261e6c3p-27",
            "-0x1.deea05c18ea75p-31",
        ),
    ),
}
# Relative errors 2⁻³⁰ and 2⁻⁵⁸.
_T = {
    types.float32: hexadecimal(
        *("-0x1.b9e4d0p-14", "0x1.211038p+0", "0x1.44ad6cp-1", "0x1.b7b01cp-4"),
        *("-0x1.90f0c6p-6", "0x1.0022b8p-8", "-0x1.8b2046p-12", "0x1.096bb0p-16"),
    ),
    types.float64: hexadecimal(
        *("0x1.23a73e01d5b24p-24", "0x1.20dd68e93fe3ap+0", "0x1.45f37cf0823b1p-1", "0x1.a4ea02655c198p-4"),
        *("-0x1.3911250014f03p-6", "-0x1.efd91c035c998p-13", "0x1.c2c511c62666cp-10"),
        *("-0x1.39758c4df93e6p-11", "0x1.f264f0e1b01efp-17", "0x1.6c6df77c28b8fp-14"),
        *("-0x1.b6c6cd2343183p-15", "0x1.3fc8cd42365c8p-16", "-0x1.51b4bb5cb0815p-18"),
        *("0x1.0d2fb222725fbp-20", "-0x1.43c0bb12c0ff5p-23", "0x1.1e39fdfb15d72p-26"),
        *("-0x1.5fe8caa84bb28p-30", "0x1.0d016290ff1a3p-34", "-0x1.812bc02e7be61p-40"),
    ),
}
# Φ(−y) = exp(−y²/2) · p(y) / q(y) up to here, where y Φ(−y) is below half the smallest number there is, with positive
# coefficients: relative errors 2⁻²⁷ and 2⁻⁵⁵.
FURTHEST = {types.float32: 14.6, types.float64: 38.9}
RAISED = {types.float32: 64, types.float64: 256}
_P = {
    types.float32: hexadecimal(
        *("0x1.000000p-1", "0x1.03cf6ap-1", "0x1.007f60p-2", "0x1.23eda6p-4"),
        *("0x1.7d3f30p-7", "0x1.d1e2fep-11"),
    ),
    types.float64: hexadecimal(
        *("0x1.000000p-1", "0x1.a7dce907957dbp-1", "0x1.5be7ea7f79670p-1", "0x1.6dd687be398e4p-2"),
        *("0x1.0e595918702d6p-3", "0x1.2414591f18ab4p-5", "0x1.d296480e301a3p-8", "0x1.1066d4e8b4b74p-10"),
        *("0x1.beb264c411feep-14", "0x1.d3c59dc230675p-18", "0x1.e0f68cf58ce2ap-23"),
    ),
}
_Q_OF_TAIL = {
    types.float32: hexadecimal(
        *("0x1.000000p+0", "0x1.d01194p+0", "0x1.7285a4p+0", "0x1.505a5ap-1"),
        *("0x1.72737ep-3", "0x1.ddd1a4p-6", "0x1.23f39ap-9"),
    ),
    types.float64: hexadecimal(
        *("0x1.000000p+0", "0x1.3a0f89531b982p+1", "0x1.688981be7710ap+1", "0x1.0023a5aa6ea07p+1"),
        *("0x1.f5b0cfc6b8dfbp-1", "0x1.6490cd60e5716p-2", "0x1.7897d6bbb4011p-4", "0x1.28bed9a45cc9fp-6"),
        *("0x1.57b1ea644db9fp-9", "0x1.1883b044dc385p-12", "0x1.2521f18879addp-16", "0x1.2d661f8fb594cp-21"),
    ),
}


def erf_of(x: Any) -> Any:
    """erf(x) of any numbers, within 1.5 ULP: relatively right beside zero, odd to the last bit, NaN for NaN."""
    size, one_from = abs(x), _ONE_FROM[x.scalar]
    t = polynomial(where(size > one_from, one_from, size), _T[x.scalar])
    p, s = exp_split(-t, bits(splat(x, 1.0)))
    large = fma(-p, s, 1.0 - s)
    small = fma(polynomial(size * size, _Q[x.scalar]), size, size)
    return with_sign(where(size < _SMALL[x.scalar], small, large), x)


def normal_tail_raised(y: Any) -> Any:
    """Φ(−y) for y from 0 to `FURTHEST`, times 2 ** `RAISED`, so that it is normal; NaN for NaN."""
    square = y * y
    p, s = exp_split(square * -0.5, bits(splat(y, 2.0 ** RAISED[y.scalar])), fma_near(y, y, -square) * -0.5)
    factor = s * (polynomial(y, _P[y.scalar]) / polynomial(y, _Q_OF_TAIL[y.scalar]))
    return fma(p, factor, factor)
