"""cross_entropy: minus the log-probability of the right class, weighted and averaged."""

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba import types

from .arrays.inputs import Array, address, as_floats, check_axis
from .arrays.labels import check_reduction, checked_labels, checked_weights, reduce_losses
from .arrays.layout import launch
from .log_softmax import log_softmax
from .rowwise.gather import places_of, reading
from .rowwise.lanes import PerRow
from .rowwise.log_sums import log_sums_of_rows
from .vector import Variable, itemsize, load_scalar, loop, store_scalar, traced, when, widen


@traced
def _cross_entropy_lines(
    kind: Any, work: Any, dst: Any, src: Any, index: Any, at: Any, stride: Any, count: Any, n: Any
) -> None:
    """The float64 losses of lines; behind the places in `src`: addresses of labels (−1: ignored) and weights."""
    m, log_of_sum = (PerRow(numbers) for numbers in log_sums_of_rows(work, at, stride, count, n))
    real, whole = n.constant(0.0, types.float64), n.constant(0)
    with loop(0, count) as row:
        label, loss = load_scalar(whole, src[4] + (index + row) * 8), Variable(real)
        with when(label >= 0):
            picked = widen(load_scalar(work, at + row * stride + label * itemsize(work)))
            weight = load_scalar(real, src[5] + (index + row) * 8)
            loss.value = (log_of_sum[row] - (picked - widen(m[row]))) * weight
        store_scalar(real, dst + (index + row) * 8, loss.value)


_KERNELS = reading(_cross_entropy_lines)


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
        Another dtype of logits or labels.
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
    name = "cross_entropy"
    check_reduction(name, reduction)
    x = as_floats(name, logits)
    axis = check_axis(name, x, axis)
    classes = x.shape[axis]
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    targets = checked_labels(name, labels, shape, classes, ignore_index)
    weights = checked_weights(name, weight, classes, targets)
    losses = np.zeros(shape)
    if x.size:
        places, offsets = places_of(x, axis)
        sources = (*places, address(targets), address(weights))
        launch(_KERNELS, x, losses.size, address(losses), sources, classes)
        del offsets  # the kernel read them until here
    loss = reduce_losses(losses, weights, reduction, x.dtype)
    return (loss, log_softmax(x, axis)) if return_log_prob else loss
