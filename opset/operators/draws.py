"""The random numbers of Multinomial: which stream a seed stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def uniform(seed: float | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """
    Draw numbers from [0, 1): the same for the same seed, on every machine and in every run.

    They are those of `numpy.random.PCG64`, seeded with the bits of ``seed`` as a float32, which is how ONNX
    keeps it. None draws others each time.
    """
    with np.errstate(over="ignore"):
        bits = None if seed is None else int(np.float32(seed).view(np.uint32))
    return np.random.Generator(np.random.PCG64(bits)).random(shape)


def check_multinomial(name: str, x: NDArray[np.floating], dtype: int, sample_size: int) -> None:
    """Refuse what no sample can be drawn from."""
    if x.ndim != 2 or not x.shape[1]:
        message = (
            f"{name} expected an input of shape (batch, classes), classes > 0 (got {x.shape}); reshape it"
        )
        raise ValueError(message)
    if dtype not in (6, 7):
        message = f"{name} expected a dtype of 6 (int32) or 7 (int64) (got {dtype}); choose one of these"
        raise ValueError(message)
    if sample_size < 1:
        message = f"{name} expected a sample_size of 1 or more (got {sample_size}); draw at least once"
        raise ValueError(message)
    largest = x.astype(np.float64).max(1)
    if not np.isfinite(largest).all():
        at = int(np.argmin(np.isfinite(largest)))
        message = (
            f"{name} expected log-probabilities below +inf, at least one of them finite in each row "
            f"(got {largest[at]} as the largest of row {at}); correct the logits"
        )
        raise ValueError(message)
