"""The gradient of cross_entropy with respect to the logits.

    dx[label] = -scale * (1 - p[label])
    dx[i] = scale * p[i] elsewhere, with p = exp(x - max(x)) / sum(exp(x - max(x)))

The scale is the weight of the label's class, divided for a mean; an ignored row is 0.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from .arrays.addresses import Array, address, in_c_order
from .arrays.labels import classified, sum_exactly
from .compile.arithmetic import own_arithmetic
from .log_sums.robust import sum_of_others
from .numerics.exp_below import exp_below
from .rowwise.gather import run_writing, writing
from .rowwise.rows import row_maximum
from .rowwise.slices import slices
from .vector import (
    extract,
    full,
    itemsize,
    load_partial,
    load_scalar,
    narrow,
    splat,
    store_scalar,
    when,
    where,
)


def _gradient_line(kind: Any, dst: Any, src: Any, n: Any, index: Any, labels: Any, scales: Any) -> None:
    """The gradient of a row, from the addresses of all labels (−1: ignored) and scales."""
    label = load_scalar(n.constant(0), labels + index * 8)
    with when(label < 0) as otherwise:
        for part in slices(kind, n):
            part.store(dst, full(kind, 0.0))
    with otherwise:
        scale = load_scalar(n.constant(0.0, types.float64), scales + index * 8)
        at_label = label * itemsize(kind)
        m = row_maximum(kind, src, n)
        high, low = sum_of_others(kind, src, n, m)
        inverse = 1.0 / (1.0 + (high + low))
        x = load_partial(kind, src + at_label, 1, 0.0)
        m_v = splat(x, m)
        e = extract(exp_below(x, m_v), 0)
        # 1 − p of the label: where that is the largest, from the others' sum, which keeps its relative precision
        missing = where(e == 1.0, (high + low) * inverse, 1.0 - e * inverse)
        factor = scale * inverse
        for part in slices(kind, n):
            x = part.load(src)
            part.store(dst, narrow(x, exp_below(x, m_v) * factor))
        store_scalar(kind, dst + at_label, narrow(kind, -scale * missing))


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
        Another dtype of logits or labels, a masked array, or an ignore_index that is no integer.
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
    with own_arithmetic():
        x, axis, targets, scales = classified(
            "cross_entropy_grad", logits, labels, axis, weight, ignore_index, reduction, out
        )
        if reduction == "mean":
            scales = in_c_order(np.where(targets < 0, 0.0, scales / sum_exactly(scales)))
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    return run_writing(_KERNELS, x, axis, out, address(targets), address(scales))
