"""How reports write numbers."""

from __future__ import annotations

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
