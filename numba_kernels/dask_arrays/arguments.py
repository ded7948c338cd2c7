"""What a user gives, checked before anything is computed: arrays of Dask with NumPy chunks of known sizes, and axes."""

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.axes import Axis, axes_of
from ..arrays.foreign import as_array
from ..arrays.inputs import as_floats, broadcast

Axes = tuple[int, ...]


def as_dask(name: str, x: Any, what: str = "x") -> da.Array:
    """An array of Dask whose chunks are NumPy's and have known sizes."""
    if not isinstance(x, da.Array):
        message = (
            f"{name} takes a dask array as {what} (got {type(x).__name__}); "
            f"pass dask.array.from_array({what}, chunks=...), or call softops.numba_kernels.{name}"
        )
        raise TypeError(message)
    if np.isnan(sum(map(sum, x.chunks))):
        message = (
            f"{name} takes chunks of known sizes (got {what} of chunks {x.chunks}); "
            f"call {what}.compute_chunk_sizes() first"
        )
        raise ValueError(message)
    if not isinstance(x._meta, np.ndarray):
        message = (
            f"{name} takes NumPy chunks (got {what} of {type(x._meta).__module__}.{type(x._meta).__name__}); "
            f"convert with {what}.map_blocks(np.asarray)"
        )
        raise TypeError(message)
    return x


def floats(name: str, x: Any, what: str = "x") -> da.Array:
    """The same, of a dtype that kernels take and without a mask."""
    given = as_dask(name, x, what)
    as_floats(name, given._meta)
    return given


def axes_in(x: da.Array, axis: Axis) -> Axes:
    """The axes counted from the front; of an array without any axis none."""
    return axes_of(np.broadcast_to(np.empty((), np.bool_), x.shape), axis)


def is_whole(x: da.Array, axes: Axes) -> bool:
    """Whether every chunk has all there is along axes."""
    return all(x.numblocks[d] == 1 for d in axes)


def as_mask(name: str, where: Any, x: da.Array) -> da.Array:
    """A mask in the shape and chunks of `x`."""
    if isinstance(where, da.Array):
        given = as_dask(name, where, "where")
        as_array(name, given._meta, "where", "where.filled(False)")
    else:
        given = da.asarray(as_array(name, where, "where", "where.filled(False)"))
    if given.dtype != np.bool_:
        message = (
            f"{name} takes a where of bool (got {given.dtype}); compare, or convert with where.astype(bool)"
        )
        raise TypeError(message)
    return like(name, "where", given, x)


def like(name: str, what: str, given: da.Array, x: da.Array) -> da.Array:
    """An array in the shape and chunks of `x`."""
    broadcast(name, what, np.broadcast_to(np.empty((), np.bool_), given.shape), x.shape)
    return da.broadcast_to(given, x.shape).rechunk(x.chunks)


def of_rows(name: str, what: str, given: npt.ArrayLike | da.Array, x: da.Array, axis: int) -> da.Array:
    """An array with a number for each row of `x` along `axis`, in its chunks."""
    array = given if isinstance(given, da.Array) else da.asarray(as_array(name, given, what))
    array = as_dask(name, array, what)
    shape, chunks = without(x.shape, axis), without(x.chunks, axis)
    if array.shape != shape:
        message = (
            f"{name} takes one of {what} for each row: shape {shape} (got {array.shape}); drop the class axis"
        )
        raise ValueError(message)
    return array.rechunk(chunks)


def without(numbers: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    """A shape or chunks without an axis."""
    return (*numbers[:axis], *numbers[axis + 1 :])
