"""The gradient of cross_entropy with respect to the logits.

    dx[label] = -scale * (1 - p[label])
    dx[i] = scale * p[i] elsewhere, with p = exp(x - max(x)) / sum(exp(x - max(x)))

The scale is the weight of the label's class times the gradient of the row's loss; an ignored row is 0. Of labels that
are smoothed, and of probabilities, see `spread_grad`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, Float, address, in_c_order
from ..arrays.labels import Reduction, checked_divisor, checked_upstream, row_scales
from ..compile.arithmetic import own_arithmetic
from ..log_sums.robust import add_robust_sums, raised_sum, without_one_top
from ..numerics.exp_below import exp_below
from ..rowwise.blocks import OverBlocks, Row, block_at, extremes_merged
from ..rowwise.gather import run_writing, writing
from ..rowwise.rows import extremes
from ..rowwise.slices import fill_zeros, slices
from ..vector import (
    extract,
    itemsize,
    load_partial,
    load_scalar,
    narrow,
    splat,
    store_scalar,
    when,
    where,
    widen,
)
from .spread_grad import spread_gradient
from .sums import sums_of_row
from .targets import Targets, checked_targets


def _gradient_line(kind: Any, dst: Any, src: Any, n: Any, index: Any, labels: Any, scales: Any) -> None:
    """The gradient of a row, from the addresses of all labels (−1: ignored) and scales."""
    label = load_scalar(n.constant(0), labels + index * 8)
    with when(label < 0) as otherwise:
        fill_zeros(kind, dst, n)
    with otherwise:
        m, others = sums_of_row(kind, src, n)
        line = _line(kind, src, label, load_scalar(others[0], scales + index * 8), m, others)
        _write(kind, dst, src, n, line)
        _write_at_label(kind, dst, label, line)


class _Line(NamedTuple):
    """What the gradient of a row needs."""

    m: Any
    factor: Any
    """The scale over Σ exp(x - m)."""
    at_label: Any
    """The gradient there."""


def _line(kind: Any, src: Any, label: Any, scale: Any, m: Any, others: Any) -> _Line:
    high, low = others
    inverse = 1.0 / (1.0 + (high + low))
    x = load_partial(kind, src + label * itemsize(kind), 1, 0.0)
    e = extract(exp_below(x, splat(x, m)), 0)
    # 1 − p of the label: where that is the largest, from the others' sum, which keeps its relative precision
    missing = where(e == 1.0, (high + low) * inverse, 1.0 - e * inverse)
    return _Line(m, scale * inverse, -scale * missing)


def _write(kind: Any, dst: Any, src: Any, n: Any, line: _Line) -> None:
    """scale · p of a row, or of a block of one."""
    for part in slices(kind, n):
        x = part.load(src)
        part.store(dst, narrow(x, exp_below(x, splat(x, line.m)) * line.factor))


def _write_at_label(kind: Any, dst: Any, label: Any, line: _Line) -> None:
    store_scalar(kind, dst + label * itemsize(kind), narrow(kind, line.at_label))


_COST = 4.0
_KERNELS = writing(_gradient_line, _COST)


# A few long rows, each spread over threads; the bits are those of `_KERNELS`.

_EXTREMES, _SUM = range(2), range(2, 5)


def _find_extremes(kind: Any, dst: Any, src: Any, row: Row, *_: Any) -> None:
    with row.blocks as block:
        row.keep(block, _EXTREMES, *map(widen, extremes(kind, *block_at(kind, src, row.n, block))))


def _maximum(kind: Any, row: Row) -> Any:
    return narrow(kind, row.merged(_EXTREMES, extremes_merged)[0])


def _add_block(kind: Any, dst: Any, src: Any, row: Row, *_: Any) -> None:
    m = _maximum(kind, row)
    with row.blocks as block:
        row.keep(block, _SUM, *raised_sum(kind, *block_at(kind, src, row.n, block), m))


def _write_blocks(kind: Any, dst: Any, src: Any, row: Row, labels: Any, scales: Any) -> None:
    label = load_scalar(row.n, labels + row.index * 8)
    to = dst + row.index * row.n * itemsize(kind)
    with when(label < 0) as otherwise, row.blocks as block:
        fill_zeros(kind, *block_at(kind, to, row.n, block))
    with otherwise:
        others = without_one_top(*row.merged(_SUM, add_robust_sums))
        scale = load_scalar(others[0], scales + row.index * 8)
        # in place, what is at the label is right for whoever has its block, who has not written there yet
        line = _line(kind, src, label, scale, _maximum(kind, row), others)
        with row.blocks as block:
            (x, length), (place, _) = block_at(kind, src, row.n, block), block_at(kind, to, row.n, block)
            _write(kind, place, x, length, line)
        with when(row.holds(label)):
            _write_at_label(kind, to, label, line)


_FEW_LONG_ROWS = OverBlocks(_find_extremes, _add_block, _write_blocks, cost=_COST)


@overload
def cross_entropy_grad(
    logits: npt.NDArray[Float],
    labels: npt.ArrayLike,
    *,
    axis: int = ...,
    weight: npt.ArrayLike | None = ...,
    ignore_index: int | None = ...,
    label_smoothing: float = ...,
    reduction: Reduction = ...,
    divisor: float | None = ...,
    dy: npt.ArrayLike | None = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def cross_entropy_grad(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = ...,
    weight: npt.ArrayLike | None = ...,
    ignore_index: int | None = ...,
    label_smoothing: float = ...,
    reduction: Reduction = ...,
    divisor: float | None = ...,
    dy: npt.ArrayLike | None = ...,
    out: npt.NDArray[Any] | None = ...,
) -> Array: ...
def cross_entropy_grad(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    dy: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> Array:
    """Gradient of the cross-entropy with respect to the logits.

    ``weight[labels[i]] * (softmax(logits[i]) - onehot(labels[i]))``, for "mean" divided by the sum of the weights of
    the rows that count; of targets that are spread over the classes ``softmax(logits[i]) * sum(q) - q`` with
    ``q = weight * target[i]``.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
        The scores of C classes.
    labels : array of integers, shape (N) or (N, d1, ...), or array of the shape and dtype of `logits`
        The right class of each row, 0 to C − 1; or how probable each class is.
    axis : int
        The axis of the classes.
    weight : array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing and have gradient 0; it need not be a class. Beside integer labels only.
    label_smoothing : float
        As `cross_entropy` has it.
    reduction : {"mean", "sum", "none"}
        Of which loss: the mean, the sum, or each.
    divisor : float, optional
        What "mean" divides by instead of the sum of the weights.
    dy : number, or for "none" an array of the shape of the loss; optional
        The gradient with respect to the loss; 1 where it is not given.
    out : array, optional
        Where to write the result: shape and dtype of `logits`. ``out=logits`` works in place.

    Returns
    -------
    array of the shape and dtype of `logits`

    Raises
    ------
    TypeError
        Another dtype of logits, labels or dy, a masked array, or an ignore_index that is no integer.
    ValueError
        Labels out of range or of another shape, weights, dy or `out` of another shape, an unknown reduction, a
        label_smoothing beyond 0 to 1, a divisor that is not positive or no mean's, an ignore_index beside
        probabilities.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    Computed in float64 and rounded once; the right class's ``p - 1`` keeps its relative precision where p is nearly 1.
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN unless it is ignored; a logit of −inf
    has gradient 0 beside finite ones, less its share of the target.

    Error: at most 4 ULP, 1 in float16 and bfloat16 (``tests/numba_kernels/losses/test_cross_entropy_grad.py``). Of
    spread targets the two terms may cancel: 1 ULP, in float64 6, of the larger of them
    (``tests/numba_kernels/losses/test_spread.py``).
    """
    name = "cross_entropy_grad"
    with own_arithmetic():
        divided_by = checked_divisor(name, divisor, reduction)
        targets = checked_targets(
            name, logits, labels, axis, weight, ignore_index, label_smoothing, reduction, out
        )
        x, counted = targets.x, targets.counted
        upstream = checked_upstream(name, dy, reduction, counted.shape)
        scales = in_c_order(row_scales(upstream, counted, reduction, divided_by))
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    return row_gradients(targets, scales, out)


def row_gradients(targets: Targets, scales: Array, out: Array | None) -> Array:
    """The gradient of each row's loss times the row's scale, for scores that are not empty."""
    x, axis, counted, of_rows, spread = targets
    if spread is not None:
        return spread_gradient(x, axis, spread, scales, out)
    with own_arithmetic():
        weighted = in_c_order(np.where(of_rows < 0, 0.0, scales * counted))
    places = address(of_rows), address(weighted)
    rows = _FEW_LONG_ROWS.rows(x, axis)
    if rows is not None:
        return _FEW_LONG_ROWS.result(rows, axis, out, *places)
    return run_writing(_KERNELS, x, axis, out, *places)
