"""cross_entropy: minus the log-probability of the right class, weighted and averaged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import helper, kernel, over_rows
from .layout import KINDS, Array, address, as_floats, check_axis, last_axis_copy, launch
from .memory import load_number, store_number
from .rows import log_sum
from .simd import itemsize
from .sums import two_sum

REDUCTIONS = ("mean", "sum", "none")


@helper
def cross_entropy_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """Float64 losses of rows `first` to `last`; `src`: addresses of logits, labels (−1: ignored) and weights."""
    for row in range(first, last):
        label = load_number(np.int64(0), src[1] + row * 8)
        loss = 0.0
        if label >= 0:
            logits = src[0] + row * n * itemsize(kind)
            m, log_of_sum = log_sum(kind, logits, n)
            picked = np.float64(load_number(kind, logits + label * itemsize(kind)))
            loss = (log_of_sum - (picked - m)) * load_number(np.float64(0), src[2] + row * 8)
        store_number(np.float64(0), dst + row * 8, loss)


_KERNELS = over_rows(cross_entropy_rows)


@kernel
def _total(src: Any, n: Any) -> Any:
    """The sum of float64 numbers, compensated."""
    total, lost = 0.0, 0.0
    for i in range(n):
        total, error = two_sum(total, load_number(np.float64(0), src + i * 8))
        lost += error
    return total + lost


def sum_exactly(x: Array) -> float:
    """The sum of a contiguous float64 array, as if in twice the precision; plain where it is not finite."""
    total: float = _total(address(x), x.size)
    return total if np.isfinite(total) else float(np.sum(x))


def checked_labels(
    name: str, labels: npt.ArrayLike, shape: tuple[int, ...], classes: int, ignore: int | None
) -> Array:
    """Class indices as contiguous int64, −1 where ignored."""
    given = np.asarray(labels)
    if given.dtype.kind not in "iu":
        message = f"{name} takes integer labels (got {given.dtype}); convert with labels.astype(np.int64)"
        raise TypeError(message)
    if given.shape != shape:
        message = (
            f"{name} takes one label for each row: shape {shape} (got {given.shape}); drop the class axis"
        )
        raise ValueError(message)
    result = np.ascontiguousarray(given, np.int64)
    ignored = np.zeros(shape, bool) if ignore is None else result == ignore
    wrong = ((result < 0) | (result >= classes)) & ~ignored
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        message = (
            f"{name} takes labels from 0 to {classes - 1} (got {result[index]} at index {index}); "
            "pass ignore_index= for rows without a class"
        )
        raise ValueError(message)
    return np.where(ignored, np.int64(-1), result)


def checked_weights(name: str, weight: npt.ArrayLike | None, classes: int, labels: Array) -> Array:
    """The weight of every row in float64: its class's, 1 without weights, 0 where ignored."""
    if weight is None:
        return np.where(labels < 0, 0.0, 1.0)
    given = np.asarray(weight)
    if given.shape != (classes,) or given.dtype.kind != "f":
        message = (
            f"{name} takes {classes} float weights, one a class (got {given.dtype} of shape {given.shape})"
        )
        raise ValueError(message)
    return np.where(labels < 0, 0.0, np.append(given.astype(np.float64), 0.0)[labels])


def reduce_losses(name: str, losses: Array, weights: Array, reduction: str, dtype: np.dtype[Any]) -> Array:
    """Float64 losses to the result: each, their sum, or their weighted mean, rounded once."""
    if reduction == "none":
        return losses.astype(dtype)
    total = sum_exactly(losses)
    if reduction == "mean":
        weight = sum_exactly(weights)
        total = total / weight if weight else float("nan")
    result: Array = np.asarray(total).astype(dtype)[()]
    return result


def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> npt.NDArray[Any]:
    """Minus the log-probability that softmax gives to the right class.

    ``loss[i] = weight[labels[i]] * (logsumexp(logits[i]) - logits[i, labels[i]])``

    Parameters
    ----------
    logits : array of float32 or float64, shape (N, C) or (N, C, d1, ...)
        The scores of C classes.
    labels : array of integers, shape (N) or (N, d1, ...)
        The right class of each row, 0 to C − 1.
    axis : int
        The axis of the classes; ``-1`` for a rank-1 `logits` with one label.
    weight : array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing; it need not be a class.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the rows that count (NaN where that is zero).

    Returns
    -------
    scalar of the dtype of `logits`, or for "none" an array of the shape of `labels`

    Raises
    ------
    TypeError
        Another dtype of logits or labels.
    ValueError
        Labels out of range or of another shape, weights of another shape, an unknown reduction.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    No array of the size of `logits` is made where the classes lie on the last axis. Losses and their sum are in
    float64, the sum compensated, and rounded once. Special values: a row that holds a NaN or +inf, or nothing but
    −inf, has loss NaN; a right class at −inf has loss +inf.

    Error: at most 2 ULP (``tests/numba_kernels/test_accuracy.py``). Source: ``ai.onnx@13::SoftmaxCrossEntropyLoss``.
    """
    name = "cross_entropy"
    if reduction not in REDUCTIONS:
        message = f"{name} takes a reduction of {', '.join(REDUCTIONS)} (got {reduction!r})"
        raise ValueError(message)
    x = as_floats(name, logits)
    axis = check_axis(name, x, axis)
    classes = x.shape[axis]
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    targets = checked_labels(name, labels, shape, classes, ignore_index)
    weights = checked_weights(name, weight, classes, targets)
    losses = np.empty(shape)
    if losses.size:
        rows = last_axis_copy(x, axis)
        sources = (address(rows), address(targets), address(weights))
        launch(_KERNELS, x.size, losses.size, KINDS[x.dtype], address(losses), sources, classes)
    return reduce_losses(name, losses, weights, reduction, x.dtype)
