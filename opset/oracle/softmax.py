"""
The oracle's normalisers: softmax, log_softmax, logsumexp and hardmax along an axis, in extended precision.

See `softops.opset.reference` for precision and special values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..graph.given import as_array
from .rounding import checked, rounded

MANTISSA_BITS: int = int(np.finfo(np.longdouble).nmant) + 1
"""Bits of the significand in which the oracle computes."""

Extended = NDArray[np.longdouble]


def softmax(x: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """
    exp(x) / sum exp(x) along ``axis``.

    Parameters
    ----------
    x
        Array of rank 1 or more, float16, bfloat16, float32, float64 or longdouble.
    axis
        The axis to sum over.
    dtype
        Round the result once to this dtype; None leaves it in longdouble.

    Returns
    -------
    ndarray
        Shape of ``x``.

    Raises
    ------
    TypeError
        ``x`` or ``dtype`` is none of the dtypes above.
    numpy.exceptions.AxisError
        ``axis`` out of range.
    """
    x = extended(x, axis)
    if x.size == 0:
        return rounded(x, dtype)
    largest, exponentials, rest = _parts(x, axis)
    return rounded(np.where(np.isfinite(largest), exponentials / (1 + rest), np.nan), dtype)


def log_softmax(x: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """
    x - log sum exp(x) along ``axis``, as (x - max) - log1p(sum of the others' exp(x - max)).

    The maximum's own term, 1, is left out of the sum, so that the value of a winner stays exact down to
    the smallest numbers: far ahead, it is minus the sum of the others. Parameters as for `softmax`.
    """
    x = extended(x, axis)
    if x.size == 0:
        return rounded(x, dtype)
    largest, _, rest = _parts(x, axis)
    with np.errstate(invalid="ignore", over="ignore"):
        result = (x - largest) - np.log1p(rest)
    return rounded(np.where(np.isfinite(largest), result, np.nan), dtype)


def logsumexp(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """
    log sum exp(x) along one axis, several or all (None), as max + log1p(sum of the others' exp(x - max)).

    Where the two terms nearly cancel (a sum close to 1) the error is absolute: 2^-62 of the larger term.
    Parameters as for `softmax`; with ``keepdims`` the axes stay, with length 1.
    """
    x = extended(x, axis if isinstance(axis, int) else None)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    kept = tuple(d for d in range(x.ndim) if d not in axes)
    lines = x.transpose(kept + axes).reshape([x.shape[d] for d in kept] + [-1 if x.size else 0])
    if x.size == 0:
        result = np.full(lines.shape[:-1], -np.inf, np.longdouble)
    else:
        largest, _, rest = _parts(lines, -1)
        result = np.where(np.isfinite(largest), largest + np.log1p(rest), largest).squeeze(-1)
    return rounded(np.expand_dims(result, axes) if keepdims else result, dtype)


def hardmax(x: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """1 at the first maximum along ``axis`` (at the first NaN, if there is one), 0 elsewhere."""
    x = extended(x, axis)
    if x.size == 0:
        return rounded(x, dtype)
    return rounded(_first_largest(x, axis).astype(np.longdouble), dtype)


def extended(x: ArrayLike, axis: int | None = None) -> Extended:
    """Return ``x`` as longdouble, if it is of one of the float dtypes and has that axis."""
    array = as_array(x, "x")
    if axis is not None:
        normalize_axis_index(
            axis, array.ndim
        )  # empty arrays go no further, but a wrong axis is one there too
    checked(array.dtype)
    return array.astype(np.longdouble)


def _first_largest(x: Extended, axis: int) -> NDArray[np.bool_]:
    mask = np.zeros(x.shape, bool)
    np.put_along_axis(mask, x.argmax(axis, keepdims=True), True, axis)
    return mask


def _parts(x: Extended, axis: int) -> tuple[Extended, Extended, Extended]:
    """
    The maximum, exp(x - maximum), and the sum of the latter without one maximum.

    The difference is taken with the error it leaves: where it is large, half a unit in its last place is
    up to 745 times that in the exponential, which shows in float64.
    """
    largest = x.max(axis, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        difference = x - largest
        part = difference - x
        error = (x - (difference - part)) - (largest + part)
        exponentials = np.exp(difference)
        exponentials += np.where(np.isfinite(error), exponentials * error, 0)
    others = np.where(_first_largest(x, axis), 0, exponentials)
    return largest, exponentials, others.sum(axis, keepdims=True)
