"""The order of numbers that decisions go by: as ONNX's TopK, a NaN above all numbers, −0 equal to 0."""

from typing import Any

from numba import types

from ..vector import bits, where

_BITS = {types.float32: 32, types.float64: 64}


def rank_of(x: Any) -> Any:
    """Integers ordered as the numbers are."""
    # −0 becomes 0
    whole = bits(x + 0.0)
    lowest = -(2 ** (_BITS[x.scalar] - 1))
    return where(x != x, -(lowest + 1), where(whole < 0, lowest - whole, whole))
