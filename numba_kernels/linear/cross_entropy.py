"""linear_cross_entropy: the cross-entropy of a linear layer, whose scores are computed for some rows at a time.

for some rows at a time:
    scores = x @ weight.T + bias, capped
    losses = log Σ exp(scores) − scores[label]      (`losses`)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.labels import Reduction, checked_divisor, reduce_losses
from ..compile.arithmetic import own_arithmetic
from ..losses.cross_entropy import row_losses
from .slab import Problem, capped, checked_problem


def linear_cross_entropy(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    labels: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    softcap: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
) -> Array:
    """Cross-entropy of a linear layer: ``cross_entropy(x @ weight.T + bias, labels)``, without the array of scores.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., features)
        The rows of features.
    weight : array, shape (classes, features)
        The weights, of float64 where `x` is, else of float16, bfloat16 or float32. Rows are read where they lie; a
        transposed array is copied.
    labels : array of integers, shape (...)
        The right class of each row, 0 to classes − 1.
    bias : array, shape (classes,), optional
        What is added to the scores; no wider than they are computed in.
    class_weight : array of float, shape (classes,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing; it need not be a class.
    label_smoothing : float
        So much of each target, 0 to 1, is spread evenly over all classes.
    softcap : float
        Scores become ``softcap * tanh(score / softcap)``; 0 for none.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the labels of the rows that count (NaN where that is zero).
    divisor : float, optional
        What "mean" divides by instead, such as the number of tokens of all batches whose gradients are accumulated.

    Returns
    -------
    scalar of the dtype of `x`, or for "none" an array of the shape of `labels`

    Raises
    ------
    TypeError
        Another dtype, float64 beside a narrower one, labels that are no integers.
    ValueError
        Shapes that do not fit together, labels out of range, an option out of range.

    Notes
    -----
    Scores are those of `linear_softmax`; of them the special values and the bound of `cross_entropy`
    (``tests/numba_kernels/linear/test_cross_entropy.py``). A softcap is within 2 ULP of each score in float32 and
    float64. The same bits for any number of threads.

    Rows that are ignored are passed over: they cost nothing, whatever they hold. Memory, beside a copy of `x`: the
    scores of as many rows as 20 MB hold, of 48 up to 56 MB.

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> print(f"{linear_cross_entropy(x, weight, np.array([2])):.4f}")  # of the scores 1, 2 and 3
    0.4076
    """
    name = "linear_cross_entropy"
    with own_arithmetic():
        divided_by = checked_divisor(name, divisor, reduction)
        problem = checked_problem(
            name,
            x,
            weight,
            labels,
            bias,
            class_weight,
            ignore_index,
            label_smoothing,
            softcap,
            reduction,
        )
        losses = problem.of_all(_losses(problem)).reshape(problem.layer.shape)
        return reduce_losses(losses, problem.counted, reduction, problem.layer.dtype, divided_by)


def _losses(problem: Problem) -> Array:
    losses = np.zeros(len(problem.layer.x))
    if not problem.is_empty:
        for targets, rows, (scores,) in problem.slabs(1):
            capped(scores, problem.softcap, scores)
            losses[rows] = row_losses(targets)
    return losses
