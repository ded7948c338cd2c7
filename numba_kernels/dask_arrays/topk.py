"""topk: the k best of each block, merged; with probabilities also the sums of rows."""

from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from .. import topk as of_arrays
from ..arrays.addresses import Array
from ..arrays.inputs import check_count, normalized
from ..arrays.temperatures import checked_temperature
from ..log_sums.pieces import Sums, shares_of_piece
from .arguments import floats, without
from .hardmax import place_type
from .row_sums import masked, row_sums, sums_of
from .tasks import Tree, all_axes, field, of_blocks, starts, task


def topk(
    x: da.Array,
    k: int,
    axis: int = -1,
    *,
    probabilities: bool = False,
    temperature: float = 1.0,
    split_every: int | None = None,
) -> tuple[da.Array, da.Array]:
    """`softops.numba_kernels.topk` of a dask array, lazily: the k largest numbers and where they stand.

    Parameters
    ----------
    x : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The numbers, in NumPy chunks of known sizes, along any axis.
    k : int
        How many, from 0 to n.
    axis : int
        The axis along which they are chosen; NumPy's meaning and errors.
    probabilities : bool
        Return the softmax of the whole line at these places instead of the numbers.
    temperature : float
        What the numbers are divided by before the softmax; above 0 and finite. With `probabilities` alone.
    split_every : int, optional
        How many blocks of a row are merged at a time; None: Dask's setting.

    Returns
    -------
    values : dask array of the dtype of `x`, shape (..., k, ...)
    indices : dask array of int64 of the same shape

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, another dtype, or a k that is no integer. In a task: a
        masked chunk.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Chunks of unknown sizes, a k that is negative or more than there are, a temperature that is not above 0, or one
        without `probabilities`.

    Notes
    -----
    Order, ties and NaN as of the NumPy function: numbers and indices are the same whatever the chunks. Probabilities
    are within the bound of `softmax`. A block gives k numbers a row, and 16 bytes a row for probabilities; `x` is read
    twice for these, where a chunk lies. Compute both results at once: ``dask.compute(values, indices)``.
    """
    name = "topk"
    x = floats(name, x)
    along = normalized_axis(name, x, axis)
    count = check_count(name, "k", k, x.shape[along])
    degrees = checked_temperature(name, temperature)
    if degrees != 1.0 and not probabilities:
        message = f"{name} takes a temperature with probabilities alone (got {temperature!r}); pass probabilities=True"
        raise ValueError(message)
    tree = Tree(split_every)
    places = best(name, x, along, count, tree)
    values, indices = field(places, "value"), field(places, "index")
    if probabilities:
        sums = row_sums(name, x, (along,), None, degrees, tree)
        values = of_blocks(
            _probabilities, values, (sums, all_axes(x)), dtype=x.dtype, along=along, temperature=degrees
        )
    return values, indices


def normalized_axis(name: str, x: da.Array, axis: int) -> int:
    """One axis counted from the front."""
    if x.ndim == 0:
        message = f"{name} works along an axis and takes an array of rank 1 or more (got a scalar); pass x.reshape(1)"
        raise ValueError(message)
    return normalized(axis, x.ndim)


@task
def _probabilities(values: Array, records: Array, along: int, temperature: float) -> Array:
    sums = Sums(*(each.reshape(without(values.shape, along)) for each in sums_of(records)))
    return shares_of_piece(np.ascontiguousarray(values), sums, along, temperature)


def best(name: str, x: da.Array, axis: int, k: int, tree: Tree) -> da.Array:
    """Records of the k best numbers along one axis, the best first."""
    # blocks give as many as they have, which merging makes k of
    dtype = place_type(x.dtype)
    blocks = of_blocks(
        _best_k_of_block, x, (starts(x, axis), (axis,)), dtype=dtype, operator=name, axis=axis, k=k
    )
    given = tuple(min(k, n) for n in x.chunks[axis])
    blocks._chunks = (*x.chunks[:axis], given, *x.chunks[axis + 1 :])
    merge = partial(_best_of_concatenated, k=k)
    return da.reduction(
        blocks,
        chunk=_as_they_are,
        combine=merge,
        aggregate=merge,
        axis=axis,
        keepdims=True,
        output_size=k,
        dtype=dtype,
        split_every=tree.split_every,
        meta=blocks._meta,
    )


def _as_they_are(records: Array, axis: Any, keepdims: bool) -> Array:
    return records


@task
def _best_k_of_block(block: Array, begin: Array, operator: str, axis: int, k: int) -> Array:
    x = masked(operator, block, None)
    values, indices = of_arrays(x, min(k, x.shape[axis]), axis)
    records = np.empty(values.shape, place_type(x.dtype))
    records["value"], records["index"] = values, indices + begin[0]
    return records


@task
def _best_of_concatenated(records: Array, axis: Any, keepdims: bool, k: int) -> Array:
    """The k best of what blocks gave; they stand in the order of the blocks, so that equals are in that of indices."""
    along = axis[0] if isinstance(axis, tuple) else axis
    count = min(k, records.shape[along])
    places = of_arrays(np.ascontiguousarray(records["value"]), count, along)[1]
    return np.take_along_axis(records, places, along)
