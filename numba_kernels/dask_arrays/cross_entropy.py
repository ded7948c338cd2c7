"""cross_entropy and its gradient: the losses of rows merged from those of blocks; then each block by itself."""

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.inputs import computing_type
from ..arrays.labels import Reduction, checked_divisor, sum_exactly
from ..compile.arithmetic import own_arithmetic
from ..log_sums.pieces import Sums, shares_of_piece
from .row_losses import Block, Problem, block_of, row_losses
from .row_sums import row_sums, sums_of
from .scores import rounded
from .softmax import log_softmax
from .targets import problem_of, upstream_of
from .tasks import Tree, again, all_axes, of_blocks, task


def cross_entropy(
    logits: da.Array,
    labels: npt.ArrayLike | da.Array,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    return_log_prob: bool = False,
    split_every: int | None = None,
) -> da.Array | tuple[da.Array, da.Array]:
    """`softops.numba_kernels.cross_entropy` of a dask array, lazily.

    Parameters
    ----------
    logits : dask array of float16, bfloat16, float32 or float64, shape (N, C) or (N, C, d1, ...)
        The scores of C classes, in NumPy chunks of known sizes, along any axis.
    labels : array of integers, shape (N) or (N, d1, ...), or array of the shape and dtype of `logits`
        The right class of each row, 0 to C − 1; or how probable each class is. Of NumPy or Dask, in any chunks.
    axis : int
        The axis of the classes.
    weight : NumPy array of float, shape (C,), optional
        A weight for each class.
    ignore_index : int, optional
        Rows with this label count for nothing; it need not be a class. Beside integer labels only.
    label_smoothing : float
        So much of each target, 0 to 1, is spread evenly over all C classes.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the labels of the rows that count (NaN where that is zero), of
        probabilities by the number of rows.
    divisor : float, optional
        What "mean" divides by instead.
    return_log_prob : bool
        Return ``log_softmax(logits, axis)`` too.
    split_every : int, optional
        How many blocks are merged at a time; None: Dask's setting.

    Returns
    -------
    dask array of the dtype of `logits`, without axes, or for "none" of the shape of `labels` without the classes; with
    `return_log_prob` a tuple of that and the log-probabilities

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, another dtype of logits or labels, an ignore_index that is
        no integer. In a task: a masked chunk.
    ValueError
        Chunks of unknown sizes, labels or weights of another shape, an unknown reduction, an option out of range. In a
        task, and so when it is computed: labels out of range.
    numpy.exceptions.AxisError
        No such axis.

    Notes
    -----
    A block gives 32 bytes a row; `logits` is read once. Special values are those of the NumPy function, and the same
    chunks give the same bits. Error: at most 1 ULP in halves and float32, in float64 4 ULP and what merging adds, as of
    `softmax`, where no weight and no target is negative (``tests/numba_kernels/dask_arrays/test_losses.py``).
    """
    name = "cross_entropy"
    divided_by = checked_divisor(name, divisor, reduction)
    problem = problem_of(name, logits, labels, axis, weight, ignore_index, label_smoothing, reduction)
    loss = reduced_loss(problem, reduction, divided_by, problem.x.dtype, Tree(split_every))
    return (loss, log_softmax(problem.x, problem.axis, split_every=split_every)) if return_log_prob else loss


def cross_entropy_grad(
    logits: da.Array,
    labels: npt.ArrayLike | da.Array,
    *,
    axis: int = 1,
    weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    dy: npt.ArrayLike | da.Array | None = None,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.cross_entropy_grad` of a dask array, lazily.

    Parameters
    ----------
    logits, labels, axis, weight, ignore_index, label_smoothing, reduction, divisor, split_every
        As of `cross_entropy`.
    dy : number, or for "none" an array of the shape of the loss; optional
        The gradient with respect to the loss, of NumPy or Dask; 1 where it is not given.
    recompute : bool
        Make the chunks of `logits` a second time for the second pass, rather than hold (or spill) all of them.

    Returns
    -------
    dask array of the shape, dtype and chunks of `logits`

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `cross_entropy`; and for a `dy` of another shape or dtype.

    Notes
    -----
    Special values are those of the NumPy function, and the same chunks give the same bits; 1 − p of a label keeps its
    relative precision where p is nearly 1. Error: at most 1 ULP in halves and float32, in float64 4 ULP and what
    merging adds, as of `softmax`; where targets are spread 1.5 and 6 ULP of the larger of the two terms, which may
    cancel (``tests/numba_kernels/dask_arrays/test_losses.py``).
    """
    name = "cross_entropy_grad"
    divided_by = checked_divisor(name, divisor, reduction)
    problem = problem_of(name, logits, labels, axis, weight, ignore_index, label_smoothing, reduction)
    scales = row_scales(problem, dy, reduction, divided_by)
    return gradient(problem, scales, Tree(split_every), recompute)


def reduced_loss(
    problem: Problem,
    reduction: Reduction,
    divisor: float | None,
    dtype: np.dtype[Any],
    tree: Tree,
) -> da.Array:
    """The losses of the rows, their sum or their mean, rounded once."""
    records = da.squeeze(row_losses(problem, tree), axis=problem.axis)
    losses = of_blocks(
        _loss_of_records, records, (problem.labels, all_axes(records)), dtype=np.dtype(np.float64)
    )
    if reduction == "none":
        return rounded(losses, dtype)
    total = total_of(losses, tree)
    if reduction == "sum":
        return rounded(total, dtype)
    weight = total_of(problem.counted, tree) if divisor is None else da.from_array(np.float64(divisor))
    return of_blocks(_mean, total, (weight, ()), dtype=dtype, stored=dtype)


@task
def _loss_of_records(records: Array, labels: Array | None) -> Array:
    losses = np.where(np.isfinite(records["maximum"]), records["loss"], np.nan)
    return losses if labels is None else np.where(labels < 0, 0.0, losses)


@task
def _mean(total: Array, weight: Array, stored: np.dtype[Any]) -> Array:
    with own_arithmetic():
        return np.asarray(total / weight if weight else np.nan).astype(stored)


def total_of(numbers: da.Array, tree: Tree) -> da.Array:
    """The sum of float64 numbers, compensated, as an array without axes."""
    if numbers.ndim == 0:
        return numbers
    return da.reduction(
        numbers,
        chunk=_sum_of_block,
        aggregate=_sum_of_block,
        dtype=np.float64,
        split_every=tree.split_every,
        meta=np.empty((0,) * numbers.ndim),
    )


@task
def _sum_of_block(numbers: Array, axis: Any, keepdims: bool) -> Array:
    total = sum_exactly(np.ascontiguousarray(numbers))
    return np.full((1,) * numbers.ndim if keepdims else (), total)


def row_scales(
    problem: Problem, dy: npt.ArrayLike | da.Array | None, reduction: Reduction, divisor: float | None
) -> da.Array:
    """What the gradient of every row's loss is multiplied by, with the weight of its label unless it is spread."""
    upstream = upstream_of(problem, dy, reduction)
    total = None
    if reduction == "mean":
        total = (
            total_of(problem.counted, Tree(None)) if divisor is None else da.from_array(np.float64(divisor))
        )
    rows = all_axes(problem.counted)
    return of_blocks(
        _scales,
        problem.counted,
        (upstream, rows if upstream.ndim else ()),
        (total, ()),
        dtype=np.dtype(np.float64),
        weighs=not problem.is_spread,
    )


@task
def _scales(counted: Array, upstream: Array, total: Array | None, weighs: bool) -> Array:
    with own_arithmetic():
        scales = np.asarray(upstream, np.float64) if total is None else upstream / total
        return scales * counted if weighs else np.broadcast_to(scales, counted.shape)


def gradient(problem: Problem, scales: da.Array, tree: Tree, recompute: bool) -> da.Array:
    """The gradient with respect to the scores."""
    x = problem.x
    if problem.is_spread:
        facts = row_losses(problem, tree)
    else:
        facts = row_sums(problem.operator, x, (problem.axis,), None, 1.0, tree)
    return of_blocks(
        _gradient_of_block,
        again(x, facts, recompute),
        (facts, all_axes(x)),
        (scales, problem.rows),
        *problem.blocks,
        dtype=x.dtype,
        **problem.options,
    )


@task
def _gradient_of_block(x: Array, facts: Array, scales: Array, *given: Any, **options: Any) -> Array:
    block, axis = block_of(x, *given, **options), options["axis"]
    records = np.squeeze(facts, axis)
    sums = sums_of(records)
    with own_arithmetic():
        if "share" in (records.dtype.names or ()):
            result = _spread_gradient(block, sums, scales, records["share"])
        else:
            result = shares_of_piece(block.x, sums, factors=scales)
            _write_at_labels(result, block, sums, scales)
        if block.ignored is not None:
            result[block.ignored] = 0
    return np.ascontiguousarray(np.moveaxis(result, -1, axis))


def _write_at_labels(result: Array, block: Block, sums: Sums, scales: Array) -> None:
    rows = block.has_label
    m, others = sums.maximum[rows], sums.others[rows]
    e = np.exp(block.x[block.places].astype(np.float64) - m)
    # 1 − p: where that is the largest, from the others' sum, which keeps its relative precision
    missing = np.where(e == 1.0, others / (1.0 + others), 1.0 - e / (1.0 + others))
    result[block.places] = (-scales[rows] * missing).astype(result.dtype)


def _spread_gradient(block: Block, sums: Sums, scales: Array, shares: Array) -> Array:
    """scale · (Σ q · p − q)."""
    x = block.x.astype(computing_type(block.x.dtype), copy=False)
    result = shares_of_piece(x, sums, factors=scales * shares).astype(np.float64)
    if block.probabilities is None:
        targets = np.broadcast_to(block.even * block.weights, result.shape).copy()
        targets[block.places] += block.own[block.has_label]
    else:
        targets = (block.probabilities.astype(np.float64) * block.kept + block.even) * block.weights
    targets *= scales[..., None]
    result -= targets
    return result.astype(block.x.dtype)
