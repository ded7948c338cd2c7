"""How reports write numbers."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from .ulp import NAN_DISTANCE

DASH = "\N{EN DASH}"


def number(value: float | str | None) -> str:
    """Write a number in few digits, a dash for None."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    if value == NAN_DISTANCE:
        return "NaN against a number"
    if isinstance(value, int) and abs(value) < 10**6:
        return f"{value:,}"
    return f"{value:.4g}"


def digits(value: float | str | None) -> str:
    """Write a number in as many digits as tell two float32 apart."""
    return f"{value:.9g}" if isinstance(value, float) else number(value)


def percent(value: float | None) -> str:
    """Write a share in percent; 100 % only when it is all."""
    if value is None:
        return DASH
    # 0.99999 would be rounded up to all.
    share = min(100 * value, 99.99) if value < 1 else 100 * value
    return f"{share:.4g} %"


def shown(value: complex | str) -> str:
    """Write a value in decimal, without loss."""
    return repr(value) if isinstance(value, str) else str(value)


def hexadecimal(value: complex | str) -> str:
    """Write a value in hexadecimal, without loss; a dash for a string."""
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, float):
        return re.sub(r"\.?0+p", "p", value.hex()) if math.isfinite(value) else str(value)
    return DASH


def exact_hexadecimal(digits: str) -> str:
    """Write decimal digits in hexadecimal, 16 places after the point, as many as 20 digits settle."""
    try:
        value = Fraction(digits)
    except ValueError:
        return digits if digits in ("nan", "inf", "-inf") else DASH
    if not value:
        return "0x0p+0"
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    exponent -= abs(value) < Fraction(2) ** exponent
    mantissa = round(abs(value) / Fraction(2) ** exponent * 2**64)
    text = re.sub(r"\.?0+$", "", f"{mantissa >> 64:x}.{mantissa & (2**64 - 1):016x}")
    return f"{'-' if value < 0 else ''}0x{text}p{exponent:+d}"
