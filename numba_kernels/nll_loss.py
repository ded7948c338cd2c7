"""nll_loss: minus the given log-probability of the right class, weighted and averaged."""

import numpy as np
import numpy.typing as npt

from .arrays.inputs import Array, as_floats, check_axis
from .arrays.labels import check_reduction, checked_labels, checked_weights, reduce_losses


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
        Another dtype of log_prob or labels.
    ValueError
        Labels out of range or of another shape, weights of another shape, an unknown reduction.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    Losses and their sum are in float64, the sum compensated, and rounded once: at most 1 ULP, of the "mean" 2 in
    float64 (``tests/numba_kernels/test_nll_loss.py``). Only the picked numbers are looked at: a NaN elsewhere does not
    count. Source: ``ai.onnx@22::NegativeLogLikelihoodLoss``.
    """
    name = "nll_loss"
    check_reduction(name, reduction)
    x = as_floats(name, log_prob)
    axis = check_axis(name, x, axis)
    classes = x.shape[axis]
    targets = checked_labels(name, labels, x.shape[:axis] + x.shape[axis + 1 :], classes, ignore_index)
    weights = checked_weights(name, weight, classes, targets)
    losses = np.zeros(targets.shape)
    if x.size:
        picked = np.take_along_axis(x, np.expand_dims(np.maximum(targets, 0), axis), axis).squeeze(axis)
        with np.errstate(invalid="ignore"):
            losses = np.where(targets < 0, 0.0, -picked.astype(np.float64) * weights)
    return reduce_losses(losses, weights, reduction, x.dtype)
