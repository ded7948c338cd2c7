"""Arrays and the kernels that see addresses and sizes alone: how the one are handed to the other."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..compile.kernels import Kernels
from ..compile.threads import run
from .addresses import Array, address
from .inputs import check_out


class LineKernels(NamedTuple):
    """The kernels of an operator along an axis; apart, so that a first call compiles what it needs."""

    rows: Kernels
    """For contiguous rows of at least one vector."""
    columns: Kernels
    """For lines with others between their numbers."""
    short_rows: Kernels
    """For contiguous rows of less than one vector."""


def launch(kernels: Kernels, x: Array, count: int, dst: Any, src: Any, *layout: int) -> None:
    """Run a kernel for the dtype of `x` over `count` lines, on all threads where the size of `x` is worth it."""
    run(kernels[x.dtype], kernels.work(x), count, dst, src, count, *layout)


def is_plain(x: Array) -> bool:
    """Whether it is an array of NumPy's own class in C order."""
    return type(x) is np.ndarray and bool(x.flags.c_contiguous)


def takes_directly(out: Array | None, places: tuple[int, ...]) -> bool:
    """Whether a kernel may write to `out` while it reads contiguous sources: apart from them, or exactly one."""
    if out is None or not is_plain(out):
        return False
    start, size = address(out), out.nbytes
    return all(start == place or abs(start - place) >= size for place in places)


def bits_of(number: float) -> int:
    """A float64 number as kernels take it among addresses."""
    return int.from_bytes(struct.pack("<d", number), "little", signed=True)


def result_of_rows(rows: Array, axis: int, out: Array | None, write: Callable[[int], None]) -> Array:
    """What ``write(address)`` writes for rows in C order, their axis back in its place; in `out` if there is one."""
    moved = None if out is None else np.moveaxis(out, axis, -1)
    if out is not None and moved is not None and takes_directly(moved, (address(rows),)):
        write(address(moved))
        return out
    made = np.empty(rows.shape, rows.dtype)
    write(address(made))
    back = np.moveaxis(made, -1, axis)
    if out is None:
        return np.ascontiguousarray(back)
    np.copyto(out, back)
    return out


def run_elements(
    name: str, kernels: Kernels, given: tuple[Array, ...], out: Array | None, *numbers: float
) -> Array:
    """Run a kernel for each element of arrays of one shape, which may take some numbers beside them."""
    x = given[0]
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    sources = tuple(
        [each if is_plain(each) else np.ascontiguousarray(each).reshape(x.shape) for each in given]
    )
    places = tuple(map(address, sources))
    result = out if out is not None and takes_directly(out, places) else np.empty(x.shape, x.dtype)
    words = places + tuple(map(bits_of, numbers))
    if x.size:
        launch(kernels, x, x.size, address(result), words if len(words) > 1 else words[0], 1)
    if out is None:
        return result if x.ndim else result[()]
    if result is not out:
        np.copyto(out, result)
    return out
