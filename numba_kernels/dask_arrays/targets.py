"""What the right answer of every row is, checked as far as it can be before anything is computed."""

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.foreign import as_array
from ..arrays.labels import Reduction, check_reduction, checked_labels, checked_upstream, class_weights
from ..losses.targets import checked_smoothing
from ..vector import KINDS
from .arguments import as_dask, floats, of_rows, without
from .row_losses import Problem
from .tasks import WHOLE, of_blocks, task
from .topk import normalized_axis


def problem_of(
    name: str,
    logits: da.Array,
    labels: npt.ArrayLike | da.Array,
    axis: int,
    weight: npt.ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    reduction: Reduction,
) -> Problem:
    """The arguments of a cross-entropy, checked."""
    smoothing = checked_smoothing(name, label_smoothing)
    check_reduction(name, reduction)
    x = floats(name, logits, "logits")
    along = normalized_axis(name, x, axis)
    given = (
        labels
        if isinstance(labels, da.Array)
        else da.asarray(as_array(name, labels, "labels", "labels.filled(-1) and ignore_index=-1"))
    )
    given = as_dask(name, given, "labels")
    of_classes = class_weights(name, weight, x.shape[along])
    weights = da.from_array(of_classes, chunks=(x.chunks[along],))
    if given.dtype.kind == "f" or given.dtype in KINDS:
        return _of_probabilities(name, x, along, given, weights, ignore_index, smoothing)
    checked = _labels(name, given, x, along, ignore_index)
    of_rows_too = da.from_array(np.append(of_classes, 0.0), chunks=-1)
    counted = of_blocks(_counted, checked, (of_rows_too, WHOLE), dtype=np.dtype(np.float64))
    return Problem(name, x, along, checked, counted, weights, None, smoothing)


def _of_probabilities(
    name: str,
    x: da.Array,
    axis: int,
    given: da.Array,
    weights: da.Array,
    ignore_index: int | None,
    smoothing: float,
) -> Problem:
    if ignore_index is not None:
        message = f"{name} takes ignore_index beside integer labels (got probabilities); give such rows zeros"
        raise ValueError(message)
    if given.dtype != x.dtype or given.shape != x.shape:
        message = (
            f"{name} takes integer labels, or probabilities of the shape and dtype of logits, {x.dtype} of shape "
            f"{x.shape} (got {given.dtype} of shape {given.shape}); convert one"
        )
        raise ValueError(message) if given.dtype == x.dtype else TypeError(message)
    counted = da.ones(without(x.shape, axis), chunks=without(x.chunks, axis))
    return Problem(name, x, axis, None, counted, weights, given.rechunk(x.chunks), smoothing)


def _labels(name: str, given: da.Array, x: da.Array, axis: int, ignore_index: int | None) -> da.Array:
    """Labels as int64, −1 where ignored, in the blocks of the rows; those out of range are refused in tasks."""
    labels = of_rows(name, "labels", given, x, axis)
    # the dtype, and an ignore_index that is no integer
    checked_labels(name, np.zeros((), labels.dtype), (), 1, ignore_index)
    return labels.map_blocks(
        _checked,
        operator=name,
        classes=x.shape[axis],
        ignore_index=ignore_index,
        dtype=np.dtype(np.int64),
        meta=np.empty((0,) * labels.ndim, np.int64),
    )


@task
def _checked(labels: Array, operator: str, classes: int, ignore_index: int | None) -> Array:
    return checked_labels(operator, labels, np.shape(labels), classes, ignore_index)


@task
def _counted(labels: Array, weights: Array) -> Array:
    counted: Array = weights[labels]
    return counted


def upstream_of(problem: Problem, dy: npt.ArrayLike | da.Array | None, reduction: Reduction) -> da.Array:
    """The gradient with respect to the loss: without axes, or for "none" in the blocks of the rows."""
    name, rows = problem.operator, problem.counted
    if not isinstance(dy, da.Array):
        given: Any = checked_upstream(name, dy, reduction, rows.shape)
        return da.from_array(given, chunks=rows.chunks) if given.ndim else da.from_array(given)
    given = as_dask(name, dy, "dy")
    checked_upstream(name, np.broadcast_to(np.empty((), given.dtype), given.shape), reduction, rows.shape)
    return given.rechunk(rows.chunks) if given.ndim else given
