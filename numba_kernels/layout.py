"""Any array, axis and `out` to contiguous rows for a kernel, and back.

A kernel sees addresses and sizes: rows of `n` numbers, one after another. An array that lies otherwise is copied once
to lie so, and the result once back.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index

Array = npt.NDArray[Any]
Kernels = tuple[Any, Any]

# What says to a kernel which numbers lie at an address: a scalar of the type.
KINDS: dict[np.dtype[Any], Any] = {np.dtype(np.float32): np.float32(0), np.dtype(np.float64): np.float64(0)}

# Below this many numbers starting threads costs more than it saves (a launch takes some 5 µs).
PARALLEL_FROM = 16384


def as_floats(name: str, x: npt.ArrayLike) -> Array:
    """`x` as an array of a dtype the kernels take."""
    if type(x) is not np.ndarray:
        x = np.asarray(x) if hasattr(x, "__array__") or not hasattr(x, "__dlpack__") else np.from_dlpack(x)
    if x.dtype not in KINDS:
        message = f"{name} takes float32 or float64 (got {x.dtype}); convert with x.astype(np.float32)"
        raise TypeError(message)
    return x


def check_axis(name: str, x: Array, axis: int) -> int:
    """The axis counted from the front."""
    if x.ndim == 0:
        message = f"{name} works along an axis and takes an array of rank 1 or more (got a scalar); pass x.reshape(1)"
        raise ValueError(message)
    return int(normalize_axis_index(axis, x.ndim))


def check_out(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an `out` that cannot take the result."""
    wanted = f"np.empty({shape}, {dtype.name!r})"
    if not isinstance(out, np.ndarray):
        message = f"{name} writes to an array (got out of type {type(out).__name__}); pass {wanted}"
        raise TypeError(message)
    if out.shape != shape or out.dtype != dtype:
        message = f"{name} gives {dtype} of shape {shape} (got out: {out.dtype} of shape {out.shape}); pass {wanted}"
        raise ValueError(message)
    if not out.flags.writeable:
        message = f"{name} writes to out (got a read-only array); pass {wanted}"
        raise ValueError(message)


def address(x: Array) -> int:
    """Where the first number of a contiguous array lies."""
    pointer: int = x.__array_interface__["data"][0]
    return pointer


def launch(kernels: Kernels, size: int, kind: Any, dst: int, src: Any, rows: int, n: int) -> None:
    """Run a kernel over `rows` rows of `n`, on this thread or, where `size` numbers are worth it, on all."""
    parts = 1 if size < PARALLEL_FROM or rows < 2 else min(rows, numba.get_num_threads())
    if parts > 1:
        kernels[1](kind, dst, src, rows, n, parts)
    else:
        kernels[0](kind, dst, src, rows, n)


def last_axis_copy(x: Array, axis: int) -> Array:
    """`x` with `axis` moved to the end, contiguous; `x` itself where it lies so already."""
    return np.ascontiguousarray(np.moveaxis(x, axis, -1))


def _direct(out: Array, sources: tuple[Array, ...]) -> bool:
    """Whether a kernel may write to `out` while it reads the sources: apart from them, or exactly one of them."""
    return out.flags.c_contiguous and all(
        address(out) == address(x) or not np.may_share_memory(out, x) for x in sources
    )


def _rows(name: str, kernels: Kernels, sources: tuple[Array, ...], axis: int, out: Array | None) -> Array:
    """Run a row kernel along `axis` of arrays of one shape."""
    x = sources[0]
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    moved = tuple(last_axis_copy(source, axis) for source in sources)
    in_place = axis == x.ndim - 1 and (out is None or _direct(out, moved))
    result = out if in_place and out is not None else np.empty(moved[0].shape, x.dtype)
    addresses = address(moved[0]) if len(moved) == 1 else tuple(address(source) for source in moved)
    n = x.shape[axis]
    launch(kernels, x.size, KINDS[x.dtype], address(result), addresses, x.size // n, n)
    if in_place:
        return result
    back = np.moveaxis(result, -1, axis)
    if out is None:
        return np.ascontiguousarray(back)
    np.copyto(out, back)
    return out


def rows_to_rows(name: str, kernels: Kernels, x: npt.ArrayLike, axis: int, out: Array | None) -> Array:
    """Run a kernel that turns every row of `x` along `axis` into a row of the result."""
    return _rows(name, kernels, (as_floats(name, x),), axis, out)


def two_rows_to_rows(
    name: str, kernels: Kernels, a: npt.ArrayLike, b: npt.ArrayLike, axis: int, out: Array | None
) -> Array:
    """Run a kernel that turns a row of `a` and the same row of `b` into a row of the result."""
    first, second = as_floats(name, a), as_floats(name, b)
    if first.dtype != second.dtype:
        message = f"{name} takes two arrays of one dtype (got {first.dtype} and {second.dtype}); convert one"
        raise TypeError(message)
    if first.shape != second.shape:
        message = f"{name} takes two arrays of one shape (got {first.shape} and {second.shape})"
        raise ValueError(message)
    return _rows(name, kernels, (first, second), axis, out)


def rows_to_numbers(
    name: str,
    kernels: Kernels,
    x: npt.ArrayLike,
    axis: int,
    keepdims: bool,
    out: Array | None,
    *,
    empty: float,
) -> Array:
    """Run a kernel that turns every row of `x` along `axis` into a number; `empty` is that of a row of length 0."""
    x = as_floats(name, x)
    axis = check_axis(name, x, axis)
    shape = x.shape[:axis] + ((1,) if keepdims else ()) + x.shape[axis + 1 :]
    if out is not None:
        check_out(name, out, shape, x.dtype)
    result = np.full(shape, empty, x.dtype)
    if x.size:
        rows = last_axis_copy(x, axis)
        launch(kernels, x.size, KINDS[x.dtype], address(result), address(rows), result.size, x.shape[axis])
    if out is not None:
        np.copyto(out, result)
        return out
    return result if shape else result[()]


def elementwise(name: str, kernels: Kernels, x: npt.ArrayLike, out: Array | None) -> Array:
    """Run a kernel that turns every number of `x` into a number of the result."""
    x = as_floats(name, x)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    source = np.ascontiguousarray(x).reshape(x.shape)
    result = out if out is not None and _direct(out, (source,)) else np.empty(x.shape, x.dtype)
    if x.size:
        launch(kernels, x.size, KINDS[x.dtype], address(result), address(source), x.size, 1)
    if out is None:
        return result if x.ndim else result[()]
    if result is not out:
        np.copyto(out, result)
    return out
