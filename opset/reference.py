"""
The oracle: what each function is worth, by its textbook formula in extended precision.

Results are `numpy.longdouble`, unrounded, or rounded once to the dtype asked for. Nothing here is shared
with the kernels, and nothing is clever beyond what exactness needs.

Precision. Where `numpy.longdouble` has a significand of 64 bits (x86) or 113 (most 64-bit Arm on Linux) the
results are good to a few units of that, for inputs of any dtype up to float64: 2^-61 relative at 64 bits,
so that a rounding to float64 is wrong only for values within 2^-8 ULP of a tie. Where longdouble is float64
(Windows, macOS on Arm; `MANTISSA_BITS` is 53) the oracle still is one for float16, bfloat16 and float32,
and for float64 it is no better than a careful float64 program.

Special values. A NaN in a row makes the whole row NaN, and so does +inf (softmax, log_softmax); a row of
nothing but -inf is NaN; -inf beside finite values gives 0 (softmax) and -inf (log_softmax). hardmax picks
the first maximum, or the first NaN. logsumexp of a row of -inf, or of an empty row, is -inf, and of one with
+inf it is +inf. Otherwise an empty axis gives an empty result.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .rounding import checked, rounded

MANTISSA_BITS: int = int(np.finfo(np.longdouble).nmant) + 1
"""Bits of the significand in which this module computes."""

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
    x = _extended(x, axis)
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
    x = _extended(x, axis)
    if x.size == 0:
        return rounded(x, dtype)
    largest, _, rest = _parts(x, axis)
    with np.errstate(invalid="ignore", over="ignore"):
        result = (x - largest) - np.log1p(rest)
    return rounded(np.where(np.isfinite(largest), result, np.nan), dtype)


def logsumexp(
    x: ArrayLike, axis: int = -1, *, keepdims: bool = False, dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """
    log sum exp(x) along ``axis``, as max + log1p(sum of the others' exp(x - max)).

    Where the two terms nearly cancel (a sum close to 1) the error is absolute: 2^-62 of the larger term.
    Parameters as for `softmax`; with ``keepdims`` the axis stays, with length 1.
    """
    x = _extended(x, axis)
    if x.size == 0:
        result = np.full_like(x.sum(axis, keepdims=True), -np.inf)
    else:
        largest, _, rest = _parts(x, axis)
        result = np.where(np.isfinite(largest), largest + np.log1p(rest), largest)
    return rounded(result if keepdims else result.squeeze(axis), dtype)


def hardmax(x: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """1 at the first maximum along ``axis`` (at the first NaN, if there is one), 0 elsewhere."""
    x = _extended(x, axis)
    if x.size == 0:
        return rounded(x, dtype)
    return rounded(_first_largest(x, axis).astype(np.longdouble), dtype)


def sigmoid(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """1 / (1 + exp(-x)); 0 at -inf, 1 at +inf, NaN at NaN. ``x`` has any shape."""
    x = _extended(x)
    with np.errstate(over="ignore"):
        return rounded(np.asarray(1 / (1 + np.exp(-x))), dtype)


def softplus(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """log(1 + exp(x)), as max(x, 0) + log1p(exp(-|x|)), in which nothing overflows or cancels."""
    x = _extended(x)
    with np.errstate(under="ignore"):
        return rounded(np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))), dtype)


def log_sigmoid(x: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """log(1 / (1 + exp(-x))), which is -softplus(-x)."""
    return rounded(-softplus(-_extended(x)), dtype)


def log_softmax_grad(
    dy: ArrayLike, y: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """
    dy - exp(y) sum dy along ``axis``: the gradient of log_softmax's input, given that of its output ``y``.

    ``dy`` and ``y`` have one shape. The error is relative to the larger term of the difference.
    """
    dy, y = _extended(dy), _extended(y)
    if dy.shape != y.shape:
        message = f"expected dy of the shape of y, {y.shape} (got {dy.shape}); pass the gradient of y itself"
        raise ValueError(message)
    with np.errstate(invalid="ignore", under="ignore"):
        return rounded(dy - np.exp(y) * dy.sum(axis, keepdims=True), dtype)


def sigmoid_grad(dy: ArrayLike, y: ArrayLike, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """dy y (1 - y): the gradient of sigmoid's input, given that of its output ``y``."""
    dy, y = _extended(dy), _extended(y)
    with np.errstate(invalid="ignore", under="ignore"):
        return rounded(np.asarray(dy * (y * (1 - y))), dtype)


def softmax_grad(
    dy: ArrayLike, y: ArrayLike, axis: int = -1, *, dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """
    y (dy - sum dy y) along ``axis``: the gradient of softmax's input, given that of its output ``y``.

    ``dy`` and ``y`` have one shape. The error is relative to the largest term of the difference.
    """
    dy, y = _extended(dy), _extended(y)
    if dy.shape != y.shape:
        message = f"expected dy of the shape of y, {y.shape} (got {dy.shape}); pass the gradient of y itself"
        raise ValueError(message)
    with np.errstate(invalid="ignore"):
        return rounded(y * (dy - (dy * y).sum(axis, keepdims=True)), dtype)


def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = 1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Literal["none", "mean", "sum"] = "mean",
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """
    -weight[label] log_softmax(logits)[label], one loss for each label, or their sum or weighted mean.

    Source: ai.onnx@13::SoftmaxCrossEntropyLoss, of which this is the first output.

    Parameters
    ----------
    logits
        Shape (N, C, d1, ...) with the classes C at ``axis``.
    labels
        Integers in [0, C), shape of ``logits`` without ``axis``.
    weight
        Shape (C,), a weight for each class; None for 1.
    ignore_index
        Labels of this value, in range or not, count for nothing: loss 0, weight 0.
    reduction
        ``"none"`` (shape of ``labels``), ``"sum"``, or ``"mean"``: the sum divided by the sum of the
        weights, NaN where that is 0.

    Raises
    ------
    ValueError
        A label out of range, a shape that does not fit, an unknown reduction.
    """
    if reduction not in ("none", "mean", "sum"):
        message = f"expected reduction 'none', 'mean' or 'sum' (got {reduction!r}); choose one of these"
        raise ValueError(message)
    logits, labels = _extended(logits, axis), np.asarray(labels)
    if labels.dtype.kind not in "iu":
        message = (
            f"expected labels of an integer dtype (got {labels.dtype}); convert with labels.astype(np.int64)"
        )
        raise TypeError(message)
    log_probability = log_softmax(logits, axis)
    classes = logits.shape[axis]
    expected = log_probability.sum(axis).shape
    if labels.shape != expected:
        message = (
            f"expected labels of shape {expected} (got {labels.shape}); pass one label for each row of logits"
        )
        raise ValueError(message)
    ignored = np.zeros(labels.shape, bool) if ignore_index is None else labels == ignore_index
    safe = np.where(ignored, 0, labels)
    if np.any((safe < 0) | (safe >= classes)):
        message = (
            f"expected labels from 0 to {classes - 1} (got {safe.min()} to {safe.max()}); check the labels"
        )
        raise ValueError(message)
    safe = safe.astype(np.intp)
    weights = np.ones(classes, np.longdouble) if weight is None else _extended(weight)
    if weights.shape != (classes,):
        message = (
            f"expected weight of shape ({classes},) (got {weights.shape}); pass one weight for each class"
        )
        raise ValueError(message)
    picked = np.take_along_axis(log_probability, np.expand_dims(safe, axis), axis).squeeze(axis)
    each = np.where(ignored, 0, weights[safe])
    with np.errstate(invalid="ignore"):
        losses = np.where(ignored, 0, -picked * each)
    if reduction == "none":
        return rounded(losses, dtype)
    total = losses.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return rounded(np.asarray(total if reduction == "sum" else total / each.sum()), dtype)


def _extended(x: ArrayLike, axis: int | None = None) -> Extended:
    array = np.asarray(x)
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
