"""hardmax: the best of each block, merged; then a one where it is."""

from typing import Any

import dask.array as da
import numpy as np

from .. import hardmax as of_arrays
from .. import topk as best_of_arrays
from ..arrays.addresses import Array
from ..arrays.axes import merged
from .arguments import Axes, axes_in, floats, is_whole
from .row_sums import masked
from .tasks import Tree, all_axes, of_blocks, starts, task


def hardmax(
    x: da.Array, axis: int | tuple[int, ...] | None = -1, *, split_every: int | None = None
) -> da.Array:
    """`softops.numba_kernels.hardmax` of a dask array, lazily: one at the first maximum, zero elsewhere.

    Parameters
    ----------
    x : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores, in NumPy chunks of known sizes, along any axis.
    axis : int, tuple of int, or None
        The axes along which one element is chosen, the first in C order, None for all; NumPy's meaning and errors.
    split_every : int, optional
        How many blocks of a row are merged at a time; None: Dask's setting.

    Returns
    -------
    dask array of the shape, dtype and chunks of `x`

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, or another dtype. In a task: a masked chunk.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Chunks of unknown sizes, or an axis twice.

    Notes
    -----
    Exact: the bits of the NumPy function, whatever the chunks. `x` is read once.
    """
    name = "hardmax"
    x = floats(name, x)
    axes = axes_in(x, axis)
    if is_whole(x, axes):
        return of_blocks(_whole, x, dtype=x.dtype, along=axes)
    places = first_best(name, x, axes, None, Tree(split_every))
    zeros = da.zeros(x.shape, dtype=x.dtype, chunks=x.chunks)
    begins = [(starts(x, d), (d,)) for d in axes]
    lengths = tuple(x.shape[d] for d in axes)
    return of_blocks(
        _with_ones, zeros, (places, all_axes(x)), *begins, dtype=x.dtype, along=axes, lengths=lengths
    )


@task
def _whole(block: Array, along: Axes) -> Array:
    return of_arrays(block, along if block.ndim else None)


@task
def _with_ones(block: Array, records: Array, *begins: Array, along: Axes, lengths: tuple[int, ...]) -> Array:
    """A block of zeros with a one where the index of a row is in it."""
    result = np.zeros(block.shape, block.dtype)
    indices = np.maximum(records["index"], 0)
    place = list(np.indices(indices.shape, sparse=True))
    inside = records["index"] >= 0
    for d, index, begin in zip(along, np.unravel_index(indices, lengths), begins, strict=True):
        place[d] = index - begin[0]
        inside = inside & (place[d] >= 0) & (place[d] < block.shape[d])
    where = [np.broadcast_to(each, indices.shape)[inside] for each in place]
    result[tuple(where)] = 1
    return result


def place_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A record of a number and of where it stands."""
    return np.dtype([("value", dtype), ("index", np.int64)])


def first_best(name: str, x: da.Array, axes: Axes, mask: da.Array | None, tree: Tree) -> da.Array:
    """Records of the best number along axes, which have length 1, and of its index among all there in C order.

    A NaN is better than any other, and of equals the one with the lower index; the index −1 where there are none.
    """
    places = [(starts(x, d), (d,)) for d in axes]
    blocks = of_blocks(
        _best_of_block,
        x,
        (mask, all_axes(x)),
        *places,
        dtype=place_type(x.dtype),
        axes=axes,
        operator=name,
        along=axes,
        lengths=tuple(x.shape[d] for d in axes),
    )
    return tree.merged(blocks, _better, axes)


@task
def _best_of_block(
    block: Array, mask: Array | None, *begins: Array, operator: str, along: Axes, lengths: tuple[int, ...]
) -> Array:
    x = masked(operator, block, mask)
    lines = merged(x, along)
    records = np.empty(lines.shape[:-1], place_type(x.dtype))
    if lines.shape[-1] == 0:
        records["value"], records["index"] = -np.inf, -1
    else:
        values, indices = (each[..., 0] for each in best_of_arrays(lines, 1))
        own = np.unravel_index(indices, [x.shape[d] for d in along]) if along else ()
        moved = [index + begin[0] for index, begin in zip(own, begins, strict=True)]
        records["value"] = values
        records["index"] = np.ravel_multi_index(moved, lengths) if along else 0
    return records.reshape([1 if d in along else n for d, n in enumerate(x.shape)])


def _better(records: Array) -> Array:
    """Of records along the last axis the best."""
    values, indices = np.ascontiguousarray(records["value"]), records["index"]
    best = best_of_arrays(values, 1)[0]
    is_best = (values == best) | (np.isnan(values) & np.isnan(best))
    least = np.where(is_best & (indices >= 0), indices, np.iinfo(np.int64).max).min(-1)
    merged = np.empty(records.shape[:-1], records.dtype)
    merged["value"], merged["index"] = best[..., 0], np.where(indices.max(-1) < 0, -1, least)
    return merged
