"""linear_cross_entropy and its gradients, with weights in shards of classes.

scores, losses and d, the gradient with respect to the scores: a block for each chunk of rows and shard
dx = sum over shards of d @ weight      dweight = sum over chunks of rows of dᵀ x      dbias = sum of d
"""

import math
from typing import NamedTuple

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.labels import Reduction, checked_divisor
from ..linear.row_gradient import write_row_gradient
from ..linear.softcap import cap, checked_softcap, multiply_by_slope
from ..linear.weight_gradient import add_weight_gradient
from .cross_entropy import gradient, reduced_loss, row_scales
from .row_losses import Problem
from .scores import Layer, rounded, scores_of
from .targets import problem_of
from .tasks import Tree, all_axes, of_blocks, task


def linear_cross_entropy(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    labels: npt.ArrayLike | da.Array,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    softcap: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    split_every: int | None = None,
) -> da.Array:
    """`softops.numba_kernels.linear_cross_entropy` with weights in shards of classes, lazily.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., features)
        The rows of features, of NumPy or Dask; in chunks of rows, with all features in each.
    weight : dask array, shape (classes, features)
        The weights, of float64 where `x` is, else of float16, bfloat16 or float32; in chunks of classes (shards), with
        all features in each.
    labels : array of integers, shape (...)
        The right class of each row, 0 to classes − 1; of NumPy or Dask.
    bias : array, shape (classes,), optional
        What is added to the scores, of NumPy or Dask; no wider than they are computed in.
    class_weight : NumPy array of float, shape (classes,), optional
        A weight for each class.
    ignore_index, label_smoothing, softcap, reduction, divisor
        As of the NumPy function.
    split_every : int, optional
        How many shards are merged at a time; None: Dask's setting, 4 unless configured.

    Returns
    -------
    dask array of the dtype of `x`, without axes, or for "none" of the shape of `labels`

    Raises
    ------
    TypeError
        Weights that are no dask array, chunks of another kind than NumPy's, another dtype, float64 beside a narrower
        one, labels that are no integers. In a task: a masked chunk.
    ValueError
        Shapes that do not fit together, features in several chunks, chunks of unknown sizes, an option out of range.
        In a task: labels out of range.

    Notes
    -----
    The scores of `linear_softmax`, with its memory; of them the special values and the bound of `cross_entropy`.
    Between shards move 32 bytes a row and shard, no score. The same bits for the same chunks
    (``tests/numba_kernels/dask_arrays/test_linear.py``).
    """
    name = "linear_cross_entropy"
    divided_by = checked_divisor(name, divisor, reduction)
    head = _head(
        name, x, weight, labels, bias, class_weight, ignore_index, label_smoothing, softcap, reduction
    )
    return reduced_loss(head.problem, reduction, divided_by, head.layer.dtype, Tree(split_every))


def linear_cross_entropy_grad(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    labels: npt.ArrayLike | da.Array,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    softcap: float = 0.0,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    dy: npt.ArrayLike | da.Array | None = None,
    return_loss: bool = False,
    split_every: int | None = None,
    recompute: bool = False,
) -> tuple[da.Array, ...]:
    """`softops.numba_kernels.linear_cross_entropy_grad` with weights in shards of classes, lazily.

    Parameters
    ----------
    x, weight, labels, bias, class_weight, ignore_index, label_smoothing, softcap, reduction, divisor, split_every
        As of `linear_cross_entropy`.
    dy : number, or for "none" an array of the shape of `labels`; optional
        The gradient with respect to the loss, of NumPy or Dask; 1 where it is not given.
    return_loss : bool
        Return the loss too.
    recompute : bool
        Compute the scores a second time for their gradient, rather than hold all of them.

    Returns
    -------
    dx : dask array of the shape and dtype of `x`
    dweight : dask array of float32, of float64 where `x` is; shape (classes, features), in the shards of `weight`
    dbias : dask array of the dtype of `dweight`, shape (classes,); also where no bias was given

    with `return_loss` the result of `linear_cross_entropy` before them

    Raises
    ------
    TypeError, ValueError
        As `linear_cross_entropy`; and for a `dy` of another shape or dtype.

    Notes
    -----
    The gradient of each score is that of `cross_entropy_grad`, in the type of the scores, and held until both products
    with it are done. Each of these is that of the NumPy function for a chunk of rows and a shard, rounded to that type;
    chunks and shards are added up in float64. Between shards move `dx`, features · 4 bytes a row and shard, and 16 or
    32. Compute all results at once: ``dask.compute(*gradients)``.
    """
    name = "linear_cross_entropy_grad"
    divided_by = checked_divisor(name, divisor, reduction)
    head = _head(
        name, x, weight, labels, bias, class_weight, ignore_index, label_smoothing, softcap, reduction
    )
    tree, layer = Tree(split_every), head.layer
    scales = row_scales(head.problem, dy, reduction, divided_by)
    d = gradient(head.problem, scales, tree, recompute)
    if softcap:
        given = (layer.scores, all_axes(d)), (head.problem.labels, head.problem.rows)
        d = of_blocks(_sloped, d, *given, dtype=d.dtype, softcap=float(softcap))
    gradients = _products(head, d, split_every)
    if not return_loss:
        return gradients
    return reduced_loss(head.problem, reduction, divided_by, layer.dtype, tree), *gradients


class _Head(NamedTuple):
    """A layer, and what is right of its rows."""

    layer: Layer
    """With scores that are not capped."""
    problem: Problem


def _head(
    name: str,
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    labels: npt.ArrayLike | da.Array,
    bias: npt.ArrayLike | da.Array | None,
    class_weight: npt.ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    softcap: float,
    reduction: Reduction,
) -> _Head:
    capped_at = checked_softcap(name, softcap)
    layer = scores_of(name, x, weight, bias)
    scores = layer.scores
    if capped_at:
        scores = of_blocks(_capped, scores, dtype=scores.dtype, softcap=capped_at)
    problem = problem_of(name, scores, labels, -1, class_weight, ignore_index, label_smoothing, reduction)
    if problem.labels is None:
        message = f"{name} takes integer labels (got probabilities); convert with labels.astype(np.int64)"
        raise TypeError(message)
    return _Head(layer, problem)


@task
def _capped(scores: Array, softcap: float) -> Array:
    result = np.empty(scores.shape, scores.dtype)
    cap(in_c_order(scores), softcap, result)
    return result


@task
def _sloped(d: Array, scores: Array, labels: Array, softcap: float) -> Array:
    result = d.copy(order="C")
    multiply_by_slope(result, in_c_order(scores), softcap)
    result[labels < 0] = 0  # whatever their scores are
    return result


def _products(head: _Head, d: da.Array, split_every: int | None) -> tuple[da.Array, ...]:
    """dx, dweight and dbias."""
    layer = head.layer
    batch, classes, features = tuple(range(d.ndim - 1)), d.ndim - 1, d.ndim
    index = (*batch, classes, features)
    options = {
        "dtype": d.dtype,
        "meta": np.empty((0,) * len(index), d.dtype),
        "align_arrays": False,
        "concatenate": True,
    }
    of_rows = da.blockwise(
        _row_gradient,
        index,
        d,
        index[:-1],
        layer.weight,
        index[-2:],
        adjust_chunks={classes: (1,) * d.numblocks[classes]},
        **options,
    )
    of_weights = da.blockwise(
        _weight_gradient,
        index,
        d,
        index[:-1],
        layer.x,
        (*batch, features),
        head.problem.labels,
        batch,
        adjust_chunks={i: (1,) * d.numblocks[i] for i in batch},
        **options,
    )
    summed = {"dtype": np.float64, "split_every": split_every}
    dx = of_rows.sum(axis=classes, **summed)
    dweight = of_weights.sum(axis=batch, **summed) if batch else of_weights
    dbias = d.sum(axis=batch, **summed) if batch else d
    return rounded(dx, layer.dtype), rounded(dweight, d.dtype), rounded(dbias, d.dtype)


def _flat(x: Array, dtype: np.dtype[np.generic]) -> Array:
    """Rows of any rank as rows of a matrix."""
    return in_c_order(x, dtype).reshape(math.prod(x.shape[:-1]), x.shape[-1])


@task
def _row_gradient(d: Array, weight: Array) -> Array:
    rows = _flat(d, d.dtype)
    dx = np.zeros((len(rows), weight.shape[1]), d.dtype)
    if dx.size and rows.size:
        write_row_gradient(dx, rows, weight if weight.strides[1] == weight.itemsize else in_c_order(weight))
    return dx.reshape(*d.shape[:-1], 1, weight.shape[1])


@task
def _weight_gradient(d: Array, x: Array, labels: Array) -> Array:
    rows, slopes = _flat(x, d.dtype), _flat(d, d.dtype)
    # rows that are ignored count for nothing, whatever they hold
    kept = np.flatnonzero(labels.reshape(-1) >= 0)
    dweight, dbias = np.zeros((d.shape[-1], x.shape[-1]), d.dtype), np.zeros(d.shape[-1])
    if dweight.size and kept.size:
        if kept.size < len(rows):
            rows, slopes = rows[kept], slopes[kept]
        add_weight_gradient(dweight, dbias, slopes, rows, fresh=True)
    return dweight.reshape((1,) * (d.ndim - 1) + dweight.shape)
