"""cross_entropy: the loss of logits, weighted and averaged.

loss = weight[label] * (max(x) - x[label] + log(sum(exp(x - max(x)))))      0 where the label is ignored

Of labels that are smoothed, and of probabilities, see `spread`.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.labels import Reduction, checked_divisor, reduce_losses
from ..compile.arithmetic import own_arithmetic
from ..log_softmax import log_softmax
from ..log_sums.blocks import add_block, add_block_again, log_sum_of_blocks
from ..log_sums.rows import log_sums_of_rows
from ..rowwise.blocks import OverBlocks, Row
from ..rowwise.gather import Batch, reading, run_reading
from ..rowwise.lanes import PerRow
from ..vector import Variable, itemsize, load_scalar, loop, store_scalar, when, widen
from .spread import spread_losses
from .targets import Targets, checked_targets


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
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
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
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    return_log_prob: Literal[True],
) -> tuple[Array, Array]: ...
def cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    return_log_prob: bool = False,
) -> Array | tuple[Array, Array]:
    """Minus the log-probability that softmax gives to the right class.

    ``loss[i] = weight[labels[i]] * (logsumexp(logits[i]) - logits[i, labels[i]])``, and of targets that are spread over
    the classes ``sum(weight * target[i] * (logsumexp(logits[i]) - logits[i]))``.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
        The scores of C classes.
    labels : array of integers, shape (N) or (N, d1, ...), or array of the shape and dtype of `logits`
        The right class of each row, 0 to C − 1; or how probable each class is, any numbers that say so.
    axis : int
        The axis of the classes; ``-1`` for a rank-1 `logits` with one label.
    weight : array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing; it need not be a class. Beside integer labels only.
    label_smoothing : float
        The share s of each target, 0 to 1, to spread evenly over all C classes: the right class keeps 1 − s + s / C.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the labels that count (NaN if 0), of probabilities by the rows.
    divisor : float, optional
        What "mean" divides by instead, such as the number of tokens of all batches whose gradients are accumulated.
    return_log_prob : bool
        Return the log-probabilities too.

    Returns
    -------
    loss of the dtype of `logits`, for "none" of the shape of `labels` without the classes; with `return_log_prob` also
    ``log_softmax(logits, axis)``

    Raises
    ------
    TypeError
        Another dtype of logits or labels, a masked array, or an ignore_index that is no integer.
    ValueError
        Labels out of range or of another shape, weights of another shape, an unknown reduction, a label_smoothing
        beyond 0 to 1, a divisor that is not positive or no mean's, an ignore_index beside probabilities.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    In float64, the sum compensated, rounded once. Only spread targets whose classes are not the last axis are copied.
    Special values: a row that holds a NaN or +inf, or nothing but −inf, has loss NaN; a right class at −inf has loss
    +inf, and so has any with smoothing. A class of weight 0 or probability 0 counts for nothing at −inf (torch: NaN).
    Error: at most 2 ULP, 1 in float16 and bfloat16; of spread targets 1, in float64 4; where terms cancel, as much of
    the sum of their magnitudes (``tests/numba_kernels/test_accuracy.py``, ``losses/test_spread.py``).
    Source: ``ai.onnx@13::SoftmaxCrossEntropyLoss``; smoothing: arXiv:1512.00567.

    Examples
    --------
    >>> cross_entropy(np.array([[1.0, 2.0, 3.0], [0.0, 5.0, 0.0]]), np.array([2, 1]), reduction="none").round(4)
    array([0.4076, 0.0134])
    """
    name = "cross_entropy"
    with own_arithmetic():
        divided_by = checked_divisor(name, divisor, reduction)
        targets = checked_targets(
            name, logits, labels, axis, weight, ignore_index, label_smoothing, reduction
        )
        losses = row_losses(targets)
        loss = reduce_losses(losses, targets.counted, reduction, targets.x.dtype, divided_by)
    return (loss, log_softmax(targets.x, targets.axis)) if return_log_prob else loss


def row_losses(targets: Targets) -> Array:
    """The float64 loss of every row."""
    x, axis = targets.x, targets.axis
    losses = np.zeros(targets.counted.shape)
    if not x.size:
        return losses
    if targets.spread is not None:
        return spread_losses(x, axis, targets.spread)
    places = address(losses), address(targets.labels), address(targets.counted)
    rows = _FEW_LONG_ROWS.rows(x, axis)
    if rows is not None:
        _FEW_LONG_ROWS(rows, *places)
    else:
        run_reading(_KERNELS, x, axis, *places)
    return losses
