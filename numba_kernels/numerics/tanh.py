"""The hyperbolic tangent, for vectors and numbers."""

from typing import Any

from numba import types

from ..vector import bits, fma, from_bits, splat, where
from .exp import exp_split
from .polynomials import hexadecimal, polynomial

# From where the result is 1; up to where it is x + x³ q(x²).
_ONE_FROM = {types.float32: 10.0, types.float64: 20.0}
_SMALL = 0.8
_SIGN = {types.float32: -(1 << 31), types.float64: -(1 << 63)}
# Relative errors 2⁻²⁸ and 2⁻⁵⁶·⁹ (`tools/fits/tanh.py`).
_Q = {
    types.float32: hexadecimal(
        *("-0x1.55553e0000000p-2", "0x1.110b5a0000000p-3", "-0x1.b92b7e0000000p-5"),
        *("0x1.5d18440000000p-6", "-0x1.e5f28a0000000p-8", "0x1.a025b20000000p-10"),
    ),
    types.float64: hexadecimal(
        *("-0x1.5555555555522p-2", "0x1.111111110df16p-3", "-0x1.ba1ba1b7faa72p-5"),
        *("0x1.664f482503530p-6", "-0x1.226e2bd3f14e3p-7", "0x1.d6d2900615d30p-9"),
        *("-0x1.7d95125578040p-10", "0x1.34e57f2ddac31p-11", "-0x1.f0622069a2de0p-13"),
        *("0x1.81a7b1cfdfce8p-14", "-0x1.0cf3bcaee7482p-15", "0x1.1ef149243d86fp-17"),
        "-0x1.4b49aff8f234ap-20",
    ),
}


def tanh_of(x: Any) -> Any:
    """tanh(x) of any numbers, within 1.5 ULP: relatively right beside zero, odd to the last bit, NaN for NaN.

    x + x³ q(x²) up to 0.8, from there on 1 − 2 / (exp(2|x|) + 1), and the sign of x.
    """
    size, one_from = abs(x), _ONE_FROM[x.scalar]
    beyond = where(size > one_from, one_from, size)
    p, s = exp_split(beyond + beyond, bits(splat(x, 1.0)))
    large = 1.0 - 2.0 / fma(p, s, s + 1.0)
    square = size * size
    small = fma(polynomial(square, _Q[x.scalar]) * square, size, size)
    return with_sign(where(size < _SMALL, small, large), x)


def with_sign(size: Any, x: Any) -> Any:
    """A number that is not negative with the sign of another."""
    return from_bits(bits(size) | (bits(x) & _SIGN[x.scalar]))
