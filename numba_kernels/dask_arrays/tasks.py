"""How plain functions on NumPy chunks become lazy arrays: block by block, and in a tree over the blocks of an axis."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.graph_manipulation import bind

from ..arrays.addresses import Array
from ..compile.threads import on_this_thread
from .arguments import Axes


def task(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of chunks as a task, which stays on its thread.

    Dask runs as many tasks at a time as a worker has threads (``nthreads``), so that kernels with threads of their own
    would ask for more processors than the worker was given.
    """

    @wraps(function)
    def run(*chunks: Any, **options: Any) -> Any:
        with on_this_thread():
            return function(*chunks, **options)

    return run


class Tree(NamedTuple):
    """How what blocks give is merged."""

    split_every: int | None
    """Of how many at a time; None: as Dask is configured to."""

    def merged(self, records: da.Array, merge: Callable[..., Array], axes: Axes) -> da.Array:
        """Records that blocks gave, of length 1 along axes, as one of length 1 there.

        ``merge(records)`` takes those that are to be merged along the last axis, in their order, and leaves it out.
        """
        merge_along = partial(_merged_along, merge=merge)
        return da.reduction(
            records,
            chunk=_as_it_is,
            combine=merge_along,
            aggregate=merge_along,
            axis=axes,
            keepdims=True,
            dtype=records.dtype,
            split_every=self.split_every,
            meta=records._meta,
        )


def _as_it_is(records: Array, axis: Any, keepdims: bool) -> Array:
    return records


@task
def _merged_along(records: Array, axis: Any, keepdims: bool, merge: Callable[..., Array]) -> Array:
    axes = axis if isinstance(axis, tuple) else (axis,)
    kept = [d for d in range(records.ndim) if d not in axes]
    shape = [records.shape[d] for d in kept]
    count = int(np.prod([records.shape[d] for d in axes]))
    lines = records.transpose(*kept, *axes).reshape((*shape, count))
    return merge(lines).reshape([1 if d in axes else n for d, n in enumerate(records.shape)])


WHOLE = (-1,)


def of_blocks(
    function: Callable[..., Array],
    x: da.Array,
    *others: tuple[da.Array | None, Axes],
    dtype: Any,
    axes: Axes = (),
    length: int = 1,
    **options: Any,
) -> da.Array:
    """``function(block of x, blocks of others, **options)`` for every block, of length `length` along axes.

    `others`: arrays, each with those axes of `x` along which its own lie; they have the blocks of `x` there, or one.
    One in a single block, which all blocks of `x` are to see, lies along `WHOLE`.
    """
    index = tuple(range(x.ndim))
    pairs = [argument for array, own in others for argument in (array, own if array is not None else None)]
    return da.blockwise(
        function,
        index,
        x,
        index,
        *pairs,
        dtype=dtype,
        meta=np.empty((0,) * x.ndim, dtype),
        align_arrays=False,
        concatenate=True,
        adjust_chunks={d: (length,) * x.numblocks[d] for d in axes},
        **options,
    )


def all_axes(x: da.Array) -> Axes:
    return tuple(range(x.ndim))


def starts(x: da.Array, axis: int) -> da.Array:
    """Where the blocks of `x` begin along an axis, a number in each block."""
    begins = np.cumsum((0, *x.chunks[axis]))[:-1]
    return da.from_array(begins, chunks=1)


def field(records: da.Array, name: str) -> da.Array:
    """A field of an array of records."""
    return records.map_blocks(_field_of, field=name, dtype=records.dtype[name])


def _field_of(records: Array, field: str) -> Array:
    return np.ascontiguousarray(records[field])


def again(x: da.Array, after: Any, recompute: bool) -> da.Array:
    """`x` for a second pass over it: as it is held from the first, or made anew when `after` (arrays) is there."""
    return bind(x, after) if recompute else x
