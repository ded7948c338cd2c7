"""The oracle's elementwise functions, in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .rounding import rounded
from .softmax import extended


def sigmoid(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """1 / (1 + exp(-x)); 0 at -inf, 1 at +inf, NaN at NaN. ``x`` has any shape."""
    x = extended(x)
    with np.errstate(over="ignore"):
        return rounded(np.asarray(1 / (1 + np.exp(-x))), dtype)


def softplus(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """log(1 + exp(x)), as max(x, 0) + log1p(exp(-|x|)), in which nothing overflows or cancels."""
    x = extended(x)
    with np.errstate(under="ignore"):
        return rounded(np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))), dtype)


def log_sigmoid(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """log(1 / (1 + exp(-x))), which is -softplus(-x)."""
    return rounded(-softplus(-extended(x)), dtype)
