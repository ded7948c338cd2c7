"""Polynomials of vectors and numbers."""

from collections.abc import Sequence
from typing import Any

from ..vector import fma


def hexadecimal(*numbers: str) -> tuple[float, ...]:
    """Coefficients as they are written."""
    return tuple(map(float.fromhex, numbers))


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Σ cₖ xᵏ, lowest first, by Estrin's scheme: a chain of dependent steps as short as can be."""
    terms: list[Any] = list(coefficients)
    power = x
    while len(terms) > 1:
        pairs = [fma(high, power, low) for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
        power = power * power if len(terms) > 1 else power
    return terms[0]
