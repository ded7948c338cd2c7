"""The gradient of linear_cross_entropy, with the scores of some rows at a time.

for some rows at a time:
    d = the gradient with respect to their scores, written over these
    dweight += dᵀ x, dbias += Σ d, dx = d @ weight
"""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.labels import Reduction, checked_divisor, checked_upstream, reduce_losses, row_scales
from ..compile.arithmetic import own_arithmetic
from ..losses.cross_entropy import row_losses
from ..losses.cross_entropy_grad import row_gradients
from .row_gradient import write_row_gradient
from .slab import Problem, capped, checked_problem
from .softcap import multiply_by_slope
from .weight_gradient import add_weight_gradient

Gradients = tuple[Array, Array, Array]


@overload
def linear_cross_entropy_grad(
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
    dy: npt.ArrayLike | None = None,
    return_loss: Literal[False] = False,
) -> Gradients: ...
@overload
def linear_cross_entropy_grad(
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
    dy: npt.ArrayLike | None = None,
    return_loss: Literal[True],
) -> tuple[Array, Array, Array, Array]: ...
def linear_cross_entropy_grad(
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
    dy: npt.ArrayLike | None = None,
    return_loss: bool = False,
) -> Gradients | tuple[Array, Array, Array, Array]:
    """Gradients of the cross-entropy of a linear layer, without the array of scores.

    With d the gradient with respect to the scores (see `cross_entropy_grad`): ``d @ weight``, ``d.T @ x`` and the sum
    of d over the rows.

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
    class_weight, ignore_index, label_smoothing, softcap, reduction, divisor
        As `linear_cross_entropy` has them.
    dy : number, or for "none" an array of the shape of `labels`; optional
        The gradient with respect to the loss; 1 where it is not given. It enters before anything is summed over rows.
    return_loss : bool
        Return the loss too, which takes hardly more time.

    Returns
    -------
    dx : array of the shape and dtype of `x`
    dweight : array of float32, of float64 where `x` is; shape (classes, features)
    dbias : array of the dtype of `dweight`, shape (classes,); also where no bias was given

    with `return_loss` the result of `linear_cross_entropy` before them

    Raises
    ------
    TypeError
        Another dtype, float64 beside a narrower one, labels that are no integers.
    ValueError
        Shapes that do not fit together, labels out of range, an option out of range.

    Notes
    -----
    The gradient of each score is that of `cross_entropy_grad`, rounded to the type of the scores. Of products with it,
    with u = 2⁻²⁴ (2⁻⁵³): `dx` is summed over 256 classes by fused multiply-adds and then in float64, ``258 u · Σ |d ·
    weight|``; `dweight` row after row, ``(rows + 1) u · Σ |d · x|``; `dbias` in float64
    (``tests/numba_kernels/linear/test_cross_entropy.py``). The same bits for any number of threads. Rows that are
    ignored are passed over: they cost nothing, whatever they hold.

    Memory, beside the results and copies of `x`: the scores of as many rows as 40 MB hold, of 48 up to 56 MB.
    Source: Hsu et al., "Liger kernel", arXiv:2410.10989, which takes rows in pieces too.
    """
    name = "linear_cross_entropy_grad"
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
        layer, counted = problem.layer, problem.counted
        upstream = checked_upstream(name, dy, reduction, layer.shape).reshape(
            -1 if reduction == "none" else ()
        )
        scales = in_c_order(row_scales(upstream, counted, reduction, divided_by)[problem.kept])
        losses, (of_rows, dweight, dbias) = _run(problem, scales, return_loss)
        dx = problem.of_all(of_rows).astype(layer.dtype, copy=False).reshape(*layer.shape, of_rows.shape[1])
        gradients = dx, dweight, dbias.astype(dweight.dtype)
        if not return_loss:
            return gradients
        losses = problem.of_all(losses).reshape(layer.shape)
        return reduce_losses(losses, counted, reduction, layer.dtype, divided_by), *gradients


def _run(problem: Problem, scales: Array, wants_losses: bool) -> tuple[Array, Gradients]:
    """The losses of the rows, where they are wanted, and the gradients, dbias in float64."""
    x, weight = problem.layer.x, problem.layer.weight
    losses, dbias = np.zeros(len(x)), np.zeros(len(weight))
    if problem.is_empty:
        return losses, (np.zeros(x.shape, x.dtype), np.zeros(weight.shape, x.dtype), dbias)
    dx, dweight = np.empty(x.shape, x.dtype), np.empty(weight.shape, x.dtype)
    softcap = problem.softcap
    for targets, rows, arrays in problem.slabs(2 if softcap else 1, times=2):
        scores, d = arrays[0], arrays[-1]
        capped(scores, softcap, d)
        capped_targets = targets._replace(x=d)
        if wants_losses:
            losses[rows] = row_losses(capped_targets)
        row_gradients(capped_targets, scales[rows], d)
        if softcap:
            multiply_by_slope(d, scores, softcap)
        if x.shape[1]:
            write_row_gradient(dx[rows], d, weight)
        add_weight_gradient(dweight, dbias, d, x[rows], fresh=rows.start == 0)
    return losses, (dx, dweight, dbias)
