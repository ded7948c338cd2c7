"""A float64 number as the product of two float32 numbers, right to 2⁻³³: what one fused multiply-add can take off.

x − C has one rounding as ``fma(a, b, x)`` where a · b = −C; in float32 a number of its own has only 24 bits for C. Of
all the products A · B of two whole numbers of 24 bits there is one close to any number near 2⁴⁶: where A − B = D and
A · B − C = R, (A + j)(B − j) is nearest for j = (√(D² + 4R) − D) / 2.
"""

from typing import Any

from ..vector import bits, from_bits, narrow, splat, sqrt, where

_MAGIC = 1.5 * 2.0**52


def _rounded(x: Any) -> Any:
    """To a whole number, below 2⁵¹."""
    return (x + _MAGIC) - _MAGIC


def _floor(x: Any) -> Any:
    near = _rounded(x)
    return near - where(near > x, splat(x, 1.0), 0.0)


def _power(exponent: Any) -> Any:
    """2^exponent, lane by lane."""
    return from_bits((exponent + 1023) << 52)


def product_of(like: Any, number: Any) -> tuple[Any, Any]:
    """(a, b) of the float type of `like` with a · b = `number`, float64 of 2⁻⁴⁰ to 2⁴⁰ in size."""
    size = abs(number)
    # half the exponent, rounded down
    k = (((bits(size) >> 52) - 1023 + 1024) >> 1) - 512
    c = size * _power(45 - 2 * k)
    root = _floor(sqrt(c))
    other = -_floor(-(c / root))
    excess, apart = root * other - c, other - root
    j = _rounded((sqrt(apart * apart + 4.0 * excess) - apart) * 0.5)
    a, b = (other + j) * _power(k - 22), (root - j) * _power(k - 23)
    return narrow(like, where(number < 0.0, -a, a)), narrow(like, b)
