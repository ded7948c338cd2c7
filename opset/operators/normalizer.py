"""What a Normalizer takes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

NORMS = ("MAX", "L1", "L2")


def check_normalizer(name: str, x: NDArray[Any], norm: str) -> None:
    """Refuse an unknown norm, and any shape but (N, C) and (C,)."""
    if norm not in NORMS:
        message = f"{name} expected a norm of {', '.join(NORMS)} (got {norm!r}); choose one of these"
        raise ValueError(message)
    if x.ndim not in (1, 2):
        message = f"{name} expected an input of shape (N, C) or (C,) (got {x.shape}); reshape it"
        raise ValueError(message)
