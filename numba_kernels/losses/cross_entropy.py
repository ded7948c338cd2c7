"""Losses of classifiers, weighted and averaged: cross_entropy of logits, nll_loss of log-probabilities.

loss = weight[label] * (max(x) - x[label] + log(sum(exp(x - max(x)))))      0 where the label is ignored
"""

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.labels import classified, reduce_losses
from ..compile.arithmetic import own_arithmetic
from ..log_softmax import log_softmax
from ..log_sums.blocks import add_block, add_block_again, log_sum_of_blocks
from ..log_sums.rows import log_sums_of_rows
from ..rowwise.blocks import OverBlocks, Row
from ..rowwise.gather import Batch, reading, run_reading
from ..rowwise.lanes import PerRow
from ..vector import Variable, itemsize, load_scalar, loop, store_scalar, when, widen


def _cross_entropy_lines(dst: Any, batch: Batch, labels: Any, weights: Any) -> None:
    """The float64 losses of lines, from the addresses of all labels (−1: ignored) and weights."""
    _, kind, index, address, stride, count, n = batch
    m, log_of_sum = (PerRow(numbers) for numbers in log_sums_of_rows(kind, address, stride, count, n))
    with loop(0, count) as row:
        place = address + row * stride
        _store_loss(kind, dst, place, index + row, m[row], log_of_sum[row], labels, weights)


def _store_loss(
    kind: Any, dst: Any, src: Any, line: Any, m: Any, log_of_sum: Any, labels: Any, weights: Any
) -> None:
    """The loss of a row, the `line`-th of all."""
    real = line.constant(0.0, types.float64)
    label, loss = load_scalar(line, labels + line * 8), Variable(real)
    with when(label >= 0):
        x = widen(load_scalar(kind, src + label * itemsize(kind)))
        weight = load_scalar(real, weights + line * 8)
        loss.value = (log_of_sum - (x - widen(m))) * weight
    store_scalar(real, dst + line * 8, loss.value)


_KERNELS = reading(_cross_entropy_lines)


# A few long rows, each spread over threads; the bits are those of `_KERNELS`.


def _loss_of_blocks(kind: Any, dst: Any, src: Any, row: Row, labels: Any, weights: Any) -> None:
    """The last stage, behind those of the log-sums: whoever has the first block of a row."""
    with when((row.begin == 0) & (row.end > 0)):
        m, log_of_sum = log_sum_of_blocks(kind, row)
        _store_loss(kind, dst, src, row.index, m, log_of_sum, labels, weights)


_FEW_LONG_ROWS = OverBlocks(add_block, add_block_again, _loss_of_blocks)


@overload
def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    return_log_prob: Literal[False] = False,
) -> Array: ...
@overload
def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    return_log_prob: Literal[True],
) -> tuple[Array, Array]: ...
def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    return_log_prob: bool = False,
) -> Array | tuple[Array, Array]:
    """Minus the log-probability that softmax gives to the right class.

    ``loss[i] = weight[labels[i]] * (logsumexp(logits[i]) - logits[i, labels[i]])``

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
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
    return_log_prob : bool
        Return the log-probabilities too.

    Returns
    -------
    scalar of the dtype of `logits`, or for "none" an array of the shape of `labels`; with `return_log_prob` a tuple of
    that and ``log_softmax(logits, axis)``

    Raises
    ------
    TypeError
        Another dtype of logits or labels, a masked array, or an ignore_index that is no integer.
    ValueError
        Labels out of range or of another shape, weights of another shape, an unknown reduction.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    No array of the size of `logits` is made but the log-probabilities that are asked for. Losses and their sum are in
    float64, the sum compensated, and rounded once. Special values: a row that holds a NaN or +inf, or nothing but
    −inf, has loss NaN; a right class at −inf has loss +inf.

    Error: at most 2 ULP, 1 in float16 and bfloat16 (``tests/numba_kernels/test_accuracy.py``).
    Source: ``ai.onnx@13::SoftmaxCrossEntropyLoss``.
    """
    with own_arithmetic():
        x, axis, targets, weights = classified(
            "cross_entropy", logits, labels, axis, weight, ignore_index, reduction
        )
        losses = np.zeros(targets.shape)
        if x.size:
            rows = _FEW_LONG_ROWS.rows(x, axis)
            if rows is not None:
                _FEW_LONG_ROWS(rows, address(losses), address(targets), address(weights))
            else:
                run_reading(_KERNELS, x, axis, address(losses), address(targets), address(weights))
        loss = reduce_losses(losses, weights, reduction, x.dtype)
    return (loss, log_softmax(x, axis)) if return_log_prob else loss


def nll_loss(
    log_prob: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Array:
    """Minus the log-probability of the right class, of log-probabilities that are given.

    ``loss[i] = -weight[labels[i]] * log_prob[i, labels[i]]``

    Parameters
    ----------
    log_prob : array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
        The log-probabilities of C classes, `log_softmax`'s result.
    labels : array of integers, shape (N) or (N, d1, ...)
        The right class of each row, 0 to C − 1.
    axis : int
        The axis of the classes.
    weight : array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing; it need not be a class.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the rows that count (NaN where that is zero).

    Returns
    -------
    scalar of the dtype of `log_prob`, or for "none" an array of the shape of `labels`

    Raises
    ------
    TypeError
        Another dtype of log_prob or labels, a masked array, or an ignore_index that is no integer.
    ValueError
        Labels out of range or of another shape, weights of another shape, an unknown reduction.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    Losses and their sum are in float64, the sum compensated, and rounded once: at most 1 ULP, of the "mean" 2 in
    float64 (``tests/numba_kernels/losses/test_nll_loss.py``). Only the picked numbers are looked at: a NaN elsewhere
    does not count. Source: ``ai.onnx@22::NegativeLogLikelihoodLoss``.
    """
    with own_arithmetic():
        x, axis, targets, weights = classified(
            "nll_loss", log_prob, labels, axis, weight, ignore_index, reduction
        )
        losses = np.zeros(targets.shape)
        if x.size:
            picked = np.take_along_axis(x, np.expand_dims(np.maximum(targets, 0), axis), axis).squeeze(axis)
            losses = in_c_order(np.where(targets < 0, 0.0, -picked.astype(np.float64) * weights))
        return reduce_losses(losses, weights, reduction, x.dtype)
