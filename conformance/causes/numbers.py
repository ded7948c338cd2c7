"""A number that is known to lie between two others, written as briefly as it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator

_NAMED = {
    2.0**-126: "the smallest normal float32, 1.18e-38",
    2.0**-1022: "the smallest normal float64, 2.23e-308",
    2.0**-14: "the smallest normal float16, 6.1e-05",
}


def between(low: float, high: float) -> str:
    """
    Write the roundest number from ``low`` to ``high``: a power of ten, a named one, or one of few digits.

    Where they leave several powers of ten open, both are written.
    """
    if low == high:
        return f"{low:.4g}"
    if not (low > 0 and math.isfinite(high)):
        return f"about {low:.2g}"
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    named = [name for number, name in _NAMED.items() if low <= number <= high < 100 * low]
    if named and first != last:
        return named[0]
    if first > last:
        return next(text for text in _texts((low + high) / 2) if low <= float(text) <= high)
    return f"{10.0**first:g}" if first == last else f"something between {low:.1e} and {high:.1e}"


def _texts(number: float) -> Iterator[str]:
    """Yield a number in more and more digits, at last without loss."""
    yield from (f"{number:.{count}g}" for count in range(1, 17))
    yield repr(number)
