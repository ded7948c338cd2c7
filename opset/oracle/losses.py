"""The oracle's losses on class labels, in extended precision."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..graph.given import as_array
from .rounding import rounded
from .softmax import extended, log_softmax

Reduction = Literal["none", "mean", "sum"]


def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = 1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
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
    return nll_loss(
        log_softmax(extended(logits, axis), axis),
        labels,
        axis=axis,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        dtype=dtype,
    )


def nll_loss(
    log_prob: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = 1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """
    -weight[label] log_prob[label], one loss for each label, or their sum or weighted mean.

    Source: ai.onnx@22::NegativeLogLikelihoodLoss. ``log_prob`` holds log-probabilities; otherwise as
    `cross_entropy`.
    """
    weights = None if weight is None else extended(weight)
    return rounded(
        reduced_losses(extended(log_prob, axis), labels, axis, weights, ignore_index, reduction), dtype
    )


def reduced_losses(
    log_prob: NDArray[Any],
    labels: ArrayLike,
    axis: int,
    weights: NDArray[Any] | None,
    ignore_index: int | None,
    reduction: str,
) -> NDArray[Any]:
    """Return the losses of `nll_loss` in whatever numbers ``log_prob`` and ``weights`` hold."""
    if reduction not in ("none", "mean", "sum"):
        message = f"expected reduction 'none', 'mean' or 'sum' (got {reduction!r}); choose one of these"
        raise ValueError(message)
    labels = as_array(labels, "labels")
    try:
        ignored_label = None if ignore_index is None else operator.index(ignore_index)
    except TypeError:
        message = f"expected one integer as ignore_index (got {ignore_index!r}); pass for instance -100"
        raise TypeError(message) from None
    if labels.dtype.kind not in "iu":
        message = (
            f"expected labels of an integer dtype (got {labels.dtype}); convert with labels.astype(np.int64)"
        )
        raise TypeError(message)
    classes = log_prob.shape[axis]
    expected = tuple(np.delete(log_prob.shape, axis).tolist())
    if labels.shape != expected:
        message = (
            f"expected labels of shape {expected} (got {labels.shape}); pass one label for each row of logits"
        )
        raise ValueError(message)
    ignored = np.zeros(labels.shape, bool) if ignored_label is None else labels == ignored_label
    safe = np.where(ignored, 0, labels)
    if np.any((safe < 0) | (safe >= classes)):
        message = (
            f"expected labels from 0 to {classes - 1} (got {safe.min()} to {safe.max()}); check the labels"
        )
        raise ValueError(message)
    safe = safe.astype(np.intp)
    weights = np.ones(classes, np.longdouble) if weights is None else weights
    if weights.shape != (classes,):
        message = (
            f"expected weight of shape ({classes},) (got {weights.shape}); pass one weight for each class"
        )
        raise ValueError(message)
    picked = np.take_along_axis(log_prob, np.expand_dims(safe, axis), axis).squeeze(axis)
    each = np.where(ignored, 0, weights[safe])
    with np.errstate(invalid="ignore"):
        losses = np.where(ignored, 0, -picked * each)
    if reduction == "none":
        return losses
    total, weight = losses.sum(), each.sum()
    if reduction == "sum":
        return np.asarray(total)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight if weight else weight * np.nan)
