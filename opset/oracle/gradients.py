"""The oracle's gradients, in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .rounding import rounded
from .softmax import Extended, extended


def log_softmax_grad(
    dy: ArrayLike, y: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """
    dy - exp(y) sum dy along ``axis``: the gradient of log_softmax's input, given that of its output ``y``.

    ``dy`` and ``y`` have one shape. The error is relative to the larger term of the difference.
    """
    dy, y = _of_one_shape(dy, y)
    with np.errstate(invalid="ignore", under="ignore"):
        return rounded(dy - np.exp(y) * dy.sum(axis, keepdims=True), dtype)


def sigmoid_grad(dy: ArrayLike, y: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """dy y (1 - y): the gradient of sigmoid's input, given that of its output ``y``."""
    dy, y = extended(dy), extended(y)
    with np.errstate(invalid="ignore", under="ignore"):
        return rounded(np.asarray(dy * (y * (1 - y))), dtype)


def softmax_grad(
    dy: ArrayLike, y: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """
    y (dy - sum dy y) along ``axis``: the gradient of softmax's input, given that of its output ``y``.

    ``dy`` and ``y`` have one shape. The error is relative to the largest term of the difference.
    """
    dy, y = _of_one_shape(dy, y)
    with np.errstate(invalid="ignore"):
        return rounded(y * (dy - (dy * y).sum(axis, keepdims=True)), dtype)


def _of_one_shape(dy: ArrayLike, y: ArrayLike) -> tuple[Extended, Extended]:
    dy, y = extended(dy), extended(y)
    if dy.shape != y.shape:
        message = f"expected dy of the shape of y, {y.shape} (got {dy.shape}); pass the gradient of y itself"
        raise ValueError(message)
    return dy, y
