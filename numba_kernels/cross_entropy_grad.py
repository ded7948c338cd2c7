"""The gradient of cross_entropy with respect to the logits."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from .arrays.inputs import Array, address, as_floats, check_axis, check_out
from .arrays.labels import check_reduction, checked_labels, checked_weights, sum_exactly
from .numerics.exp_below import exp_below
from .rowwise.gather import run_writing, writing
from .rowwise.log_sums_robust import sum_of_others
from .rowwise.rows import map_row, row_maximum
from .vector import extract, itemsize, load_partial, load_scalar, narrow, splat, store_scalar, traced, where
from .vector.flow import choose


@traced
def _gradient_line(kind: Any, to: Any, at: Any, src: Any, index: Any, n: Any) -> None:
    """scale · (softmax − one at the label); `src` ends with the addresses of labels (−1: ignored) and scales."""
    label = load_scalar(n.constant(0), src[4] + index * 8)
    choose(
        label < 0,
        lambda: _fill_zero(kind, to, n),
        lambda: _gradient(kind, to, at, src[5] + index * 8, label, n),
    )


def _fill_zero(kind: Any, to: Any, n: Any) -> None:
    map_row(kind, to, (to,), n, lambda x: splat(x, 0.0))


def _gradient(kind: Any, to: Any, at: Any, scale_at: Any, label: Any, n: Any) -> None:
    scale = load_scalar(n.constant(0.0, types.float64), scale_at)
    m = row_maximum(kind, at, n)
    high, low = sum_of_others(kind, at, n, m)
    inverse = 1.0 / (1.0 + (high + low))
    right = load_partial(kind, at + label * itemsize(kind), 1, 0.0)
    m_v = splat(right, m)
    e_right = extract(exp_below(right, m_v), 0)
    # 1 − p of the right class: where that is the largest, from the others' sum, which keeps its relative precision
    missing = where(e_right == 1.0, (high + low) * inverse, 1.0 - e_right * inverse)
    factor = scale * inverse
    map_row(kind, to, (at,), n, lambda x: narrow(x, exp_below(x, m_v) * factor))
    store_scalar(kind, to + label * itemsize(kind), narrow(kind, -scale * missing))


_KERNELS = writing(_gradient_line)


def cross_entropy_grad(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    out: npt.NDArray[Any] | None = None,
) -> Array:
    """Gradient of the cross-entropy with respect to the logits.

    ``weight[labels[i]] * (softmax(logits[i]) - onehot(labels[i]))``, for "mean" divided by the sum of the weights of
    the rows that count.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
        The scores of C classes.
    labels : array of integers, shape (N) or (N, d1, ...)
        The right class of each row, 0 to C − 1.
    axis : int
        The axis of the classes.
    weight : array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing and have gradient 0; it need not be a class.
    reduction : {"mean", "sum", "none"}
        Of which loss: the mean or the sum; for "none" of the sum too.
    out : array, optional
        Where to write the result: shape and dtype of `logits`. ``out=logits`` works in place.

    Returns
    -------
    array of the shape and dtype of `logits`

    Raises
    ------
    TypeError
        Another dtype of logits or labels.
    ValueError
        Labels out of range or of another shape, weights or `out` of another shape, an unknown reduction.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    Computed in float64; the right class's ``p - 1`` keeps its relative precision where p is nearly 1. Special values: a
    row that holds a NaN or +inf, or nothing but −inf, is NaN unless it is ignored; a logit of −inf has gradient 0
    beside finite ones, as the right class minus its weight.

    Error: at most 4 ULP, 1 in float16 and bfloat16 (``tests/numba_kernels/test_cross_entropy_grad.py``).
    """
    name = "cross_entropy_grad"
    check_reduction(name, reduction)
    x = as_floats(name, logits)
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    targets = checked_labels(name, labels, x.shape[:axis] + x.shape[axis + 1 :], x.shape[axis], ignore_index)
    scales = checked_weights(name, weight, x.shape[axis], targets)
    if reduction == "mean":
        with np.errstate(invalid="ignore", divide="ignore"):
            scales = np.where(targets < 0, 0.0, scales / sum_exactly(scales))
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    return run_writing(_KERNELS, x, axis, out, address(targets), address(scales))
