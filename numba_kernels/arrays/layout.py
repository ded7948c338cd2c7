"""Any array, axis and `out` to contiguous rows for a kernel, and back.

A kernel sees addresses and sizes: rows of `n` numbers, one after another. An array that lies otherwise is copied once
to lie so, and the result once back.
"""

import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..compile.jit import Kernels
from ..compile.threads import PARALLEL_FROM, run
from ..rowwise.kernels import LineKernels
from ..vector import VECTOR_BYTES
from .entry import SmallCalls
from .inputs import Array, address, as_floats, check_axis, check_out

# How many numbers a vector holds, by their size; halves are computed in float32.
LANES = {size: VECTOR_BYTES // max(size, 4) for size in (2, 4, 8)}
# Rows from this length on are worth spreading over threads, one by one.
LONG = 32768


def launch(kernels: Kernels, x: Array, count: int, dst: Any, src: Any, *layout: int) -> None:
    """Run a kernel for the dtype of `x` over `count` lines, on all threads where the size of `x` is worth it."""
    run(kernels[x.dtype], x.size, count, dst, src, count, *layout)


def _plain(x: Array) -> bool:
    return type(x) is np.ndarray and bool(x.flags.c_contiguous)


def _last_axis_copy(x: Array, axis: int) -> Array:
    """`x` with `axis` moved to the end, contiguous; `x` itself where it lies so already."""
    return x if axis == x.ndim - 1 and _plain(x) else np.ascontiguousarray(np.moveaxis(x, axis, -1))


def _direct(out: Array | None, places: tuple[int, ...]) -> bool:
    """Whether a kernel may write to `out` while it reads contiguous sources: apart from them, or exactly one."""
    if out is None or not _plain(out):
        return False
    start, size = address(out), out.nbytes
    return all(start == place or abs(start - place) >= size for place in places)


def _rows(name: str, kernels: Kernels, sources: tuple[Array, ...], axis: int, out: Array | None) -> Array:
    """Run a row kernel along `axis` of several arrays of one shape."""
    x = sources[0]
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    moved = tuple([_last_axis_copy(source, axis) for source in sources])
    places = tuple(map(address, moved))
    in_place = axis == x.ndim - 1 and (out is None or _direct(out, places))
    result = out if in_place and out is not None else np.empty(moved[0].shape, x.dtype)
    n = x.shape[axis]
    launch(kernels, x, x.size // n, address(result), places, n)
    if in_place:
        return result
    back = np.moveaxis(result, -1, axis)
    if out is None:
        return np.ascontiguousarray(back)
    np.copyto(out, back)
    return out


class Lines(NamedTuple):
    """How the lines of an array along an axis lie: (outer, n, inner), and the steps in bytes between outer blocks and
    along the axis; inner numbers are neighbours."""

    outer: int
    n: int
    inner: int
    step_outer: int
    step_along: int


def lines_of(x: Array, axis: int) -> Lines | None:
    """The lines of `x` along `axis` where its memory has that form; None where it must be copied first."""
    inner = 1
    for dimension in range(x.ndim - 1, axis, -1):
        if x.shape[dimension] != 1 and x.strides[dimension] != inner * x.itemsize:
            return None
        inner *= x.shape[dimension]
    n, step_along = x.shape[axis], x.strides[axis]
    if inner == 1 and n > 1 and step_along != x.itemsize:
        return None
    outer, step_outer = 1, n * inner * x.itemsize
    for dimension in range(axis - 1, -1, -1):
        if x.shape[dimension] == 1:
            continue
        if outer == 1:
            step_outer = x.strides[dimension]
        elif x.strides[dimension] != outer * step_outer:
            return None
        outer *= x.shape[dimension]
    return Lines(outer, n, inner, step_outer, step_along)


def _plain_target(out: Any, x: Array, start: int) -> int:
    """The address of `out` where a contiguous `x` at `start` can be worked straight into it, else 0.

    It must be as contiguous, and lie apart from `x` or be the same.
    """
    if type(out) is not np.ndarray or out.shape != x.shape or out.dtype != x.dtype:
        return 0
    place = address(out)
    if place != start and abs(place - start) < x.nbytes:
        return 0
    flags = out.flags
    return place if flags.c_contiguous and flags.writeable else 0


def along_axis(
    name: str,
    kernels: LineKernels,
    given: npt.ArrayLike,
    axis: int,
    out: Array | None,
    few_long_rows: Any = None,
) -> Array:
    """Run the kernels of an operator along an axis of an array.

    `few_long_rows` (`blocks.OverBlocks`) takes over where whole rows would leave threads idle.
    """
    x = as_floats(name, given)
    shape, numbers = x.shape, x.size
    if (
        numbers
        and shape
        and (axis == -1 or axis == len(shape) - 1)
        and type(axis) is int
        and x.flags.c_contiguous
    ):
        # the usual case, in two microseconds
        result = np.empty(shape, x.dtype) if out is None else out
        start = address(x)
        place = address(result) if out is None else _plain_target(out, x, start)
        if place:
            n, size = shape[-1], x.itemsize
            rows = numbers // n
            if few_long_rows is not None and n >= LONG and few_long_rows.suits(x):
                few_long_rows(x, result)
                return result
            chosen, step = kernels.rows if n >= LANES[size] else kernels.short_rows, n * size
            run(chosen[x.dtype], numbers, rows, place, start, rows, n, 1, step, size, step, size)
            if numbers < PARALLEL_FROM:
                kernels.small.learn(x.dtype, n < LANES[size])
            return result
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    # follow the memory: axes in the order of their strides
    order = sorted(range(x.ndim), key=lambda d: (-abs(x.strides[d]) if x.shape[d] > 1 else -sys.maxsize, d))
    source, along = x.transpose(order), order.index(axis)
    lines = lines_of(source, along)
    if lines is None:
        source = np.ascontiguousarray(source)
        lines = lines_of(source, along)
        assert lines is not None
    target = np.empty(source.shape, x.dtype) if out is None else out.transpose(order)
    same = address(target) == address(source) and target.strides == source.strides
    places = lines_of(target, along) if same or not np.may_share_memory(target, source) else None
    if places is None:
        target = np.empty(source.shape, x.dtype)
        places = lines_of(target, along)
        assert places is not None
    contiguous = kernels.rows if lines.n >= LANES[x.itemsize] else kernels.short_rows
    launch(
        kernels.columns if lines.inner > 1 else contiguous,
        x,
        lines.outer * lines.inner,
        address(target),
        address(source),
        *lines[1:],
        *places[3:],
    )
    result = target.transpose(np.argsort(order))
    if out is None:
        return result
    if not np.may_share_memory(result, out):
        np.copyto(out, result)
    return out


def as_pair(name: str, a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Array]:
    """Two arrays of one shape and one dtype that the kernels take."""
    first, second = as_floats(name, a), as_floats(name, b)
    if first.dtype != second.dtype:
        message = f"{name} takes two arrays of one dtype (got {first.dtype} and {second.dtype}); convert one"
        raise TypeError(message)
    if first.shape != second.shape:
        message = f"{name} takes two arrays of one shape (got {first.shape} and {second.shape})"
        raise ValueError(message)
    return first, second


def two_rows_to_rows(
    name: str, kernels: Kernels, a: npt.ArrayLike, b: npt.ArrayLike, axis: int, out: Array | None
) -> Array:
    """Run a kernel that turns a row of `a` and the same row of `b` into a row of the result."""
    return _rows(name, kernels, as_pair(name, a, b), axis, out)


def elementwise(
    name: str, kernels: Kernels, small: SmallCalls, given: npt.ArrayLike, out: Array | None
) -> Array:
    """Run a kernel that turns every number of an array into a number of the result."""
    x = as_floats(name, given)
    result = _elements(name, kernels, (x,), out)
    if 0 < x.size < PARALLEL_FROM:
        small.learn(x.dtype)
    return result


def two_elementwise(
    name: str, kernels: Kernels, a: npt.ArrayLike, b: npt.ArrayLike, out: Array | None
) -> Array:
    """Run a kernel that turns a number of `a` and the same one of `b` into a number of the result."""
    return _elements(name, kernels, as_pair(name, a, b), out)


def _elements(name: str, kernels: Kernels, given: tuple[Array, ...], out: Array | None) -> Array:
    """Run a kernel for each element of arrays of one shape."""
    x = given[0]
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    sources = tuple([each if _plain(each) else np.ascontiguousarray(each).reshape(x.shape) for each in given])
    places = tuple(map(address, sources))
    result = out if out is not None and _direct(out, places) else np.empty(x.shape, x.dtype)
    if x.size:
        launch(kernels, x, x.size, address(result), places if len(places) > 1 else places[0], 1)
    if out is None:
        return result if x.ndim else result[()]
    if result is not out:
        np.copyto(out, result)
    return out
