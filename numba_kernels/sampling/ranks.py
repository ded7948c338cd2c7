"""The order of numbers that decisions go by: as ONNX's TopK, a NaN above all numbers, −0 equal to 0."""

from typing import Any

from numba import types

from ..vector import bits, from_bits, where

_BITS = {types.float32: 32, types.float64: 64}


def _lowest(x: Any) -> int:
    return -int(2 ** (_BITS[x.scalar] - 1))


def rank_of(x: Any) -> Any:
    """Integers ordered as the numbers are."""
    # −0 becomes 0
    whole = bits(x + 0.0)
    return where(x != x, -(_lowest(x) + 1), where(whole < 0, _lowest(x) - whole, whole))


def between(low: Any, high: Any) -> Any:
    """A number above `low`, at most `high`, with as many numbers below it as above; low < high, none of them NaN."""
    first, last = rank_of(low), rank_of(high)
    # rounded up; the sum of the two might overflow
    rank = first + ((last - first) >> 1) + ((last - first) & 1)
    return from_bits(where(rank < 0, _lowest(low) - rank, rank))
