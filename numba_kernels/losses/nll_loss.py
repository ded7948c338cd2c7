"""nll_loss: the loss of log-probabilities that are given.

loss = -weight[label] * log_prob[label]      0 where the label is ignored
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.labels import Reduction, classified, reduce_losses
from ..compile.arithmetic import own_arithmetic


def nll_loss(
    log_prob: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
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
