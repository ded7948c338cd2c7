"""Lines of any array, wherever they lie, without a copy of the array.

A line is the n numbers along an axis. Kernels find it by its *places*: (address of the first line, address of the
other lines' offsets or 0, step between lines, step along a line), in bytes. A line whose numbers are neighbours is used
as it lies; others are brought into a scratch, some lines at a time, since neighbours along another axis share cache
lines.
"""

import itertools
from typing import Any

import numpy as np

from .arrays import KINDS, Array, address
from .jit import helper, over_rows
from .layout import launch
from .lines import keep, new_scratch
from .memory import load_number, store_number
from .simd import computing, itemsize

Places = tuple[int, int, int, int]

# So many lines at a time, fewer where they take more than so many bytes.
_BLOCK, _BLOCK_BYTES = 16, 256 * 1024


def places_of(x: Array, axis: int) -> tuple[Places, Array | None]:
    """The places of the lines of `x` along `axis`, in C order of the other axes; and what must live as long."""
    along = x.strides[axis] if x.shape[axis] > 1 else x.itemsize
    others = [(x.shape[d], x.strides[d]) for d in range(x.ndim) if d != axis and x.shape[d] > 1]
    step = others[-1][1] if others else 0
    for (_, stride), (length, inner) in itertools.pairwise(others):
        if stride != length * inner:
            break
    else:
        return (address(x), 0, step, along), None
    offsets = np.zeros(1, np.int64)
    for length, stride in others:
        offsets = (offsets[:, None] + np.arange(length, dtype=np.int64) * stride).ravel()
    return (address(x), address(offsets), 0, along), offsets


@helper
def line_at(places: Any, line: Any) -> Any:
    """The address of a line."""
    if places[1] == 0:
        return places[0] + line * places[2]
    return places[0] + load_number(np.int64(0), places[1] + line * 8)


@helper
def block_of(kind: Any, n: Any) -> Any:
    """How many lines of n numbers a scratch takes at a time."""
    return max(1, min(_BLOCK, _BLOCK_BYTES // (n * itemsize(computing(kind)))))


@helper
def gather(kind: Any, to: Any, places: Any, first: Any, count: Any, n: Any) -> Any:
    """Lines `first` to `first + count` to rows of the computing type, one after another."""
    work = computing(kind)
    wide = itemsize(work)
    for k in range(n):
        for j in range(count):
            x = load_number(kind, line_at(places, first + j) + k * places[3])
            store_number(work, to + (j * n + k) * wide, x)


@helper
def scatter(kind: Any, places: Any, source: Any, first: Any, count: Any, n: Any) -> Any:
    """Rows of the computing type to lines `first` to `first + count`."""
    work = computing(kind)
    wide = itemsize(work)
    for k in range(n):
        for j in range(count):
            x = load_number(work, source + (j * n + k) * wide)
            store_number(kind, line_at(places, first + j) + k * places[3], x)


def reading(line: Any) -> tuple[Any, Any]:
    """The kernels (serial, parallel) that call ``line(kind, work, dst, src, index, at, n)`` for every line.

    `src` holds the places of the lines and what else `line` needs, all integers (a parallel kernel takes flat tuples of
    one type); `at` is where the n numbers of line `index` lie, of the kind `work`.
    """

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        if src[3] == itemsize(kind):
            for index in range(first, last):
                line(kind, kind, dst, src, index, line_at(src, index), n)
        else:
            work = computing(kind)
            block, wide = block_of(kind, n), itemsize(work)
            owner, scratch = new_scratch(block * n, kind)
            for start in range(first, last, block):
                count = min(block, last - start)
                gather(kind, scratch, src, start, count, n)
                for j in range(count):
                    line(kind, work, dst, src, start + j, scratch + j * n * wide, n)
            keep(owner)

    return over_rows(lines)


def writing(line: Any) -> tuple[Any, Any]:
    """The kernels (serial, parallel) that call ``line(work, to, at, src, index, n)`` for every line.

    `dst` holds the places of the result's lines, `src` those of the source's and what else `line` needs; `line` turns
    the n numbers at `at` into n numbers at `to`, which may be the same address, both of the kind `work`.
    """

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        if src[3] == itemsize(kind) and dst[3] == itemsize(kind):
            for index in range(first, last):
                line(kind, line_at(dst, index), line_at(src, index), src, index, n)
        else:
            work = computing(kind)
            block, wide = block_of(kind, n), itemsize(work)
            owner, scratch = new_scratch(block * n, kind)
            for start in range(first, last, block):
                count = min(block, last - start)
                gather(kind, scratch, src, start, count, n)
                for j in range(count):
                    at = scratch + j * n * wide
                    line(work, at, at, src, start + j, n)
                scatter(kind, dst, scratch, start, count, n)
            keep(owner)

    return over_rows(lines)


def run_writing(kernels: tuple[Any, Any], x: Array, axis: int, out: Array | None, *rest: int) -> Array:
    """Run kernels of `writing` along `axis` of a non-empty `x`, with `rest` behind the places in `src`.

    The result goes to `out`, whose shape and dtype are right, where it lies exactly on `x` or apart from it.
    """
    target = out
    if out is not None and np.may_share_memory(out, x):
        same = address(out) == address(x) and out.strides == x.strides
        target = out if same else None
    if target is None:
        target = np.empty(x.shape, x.dtype)
    source, offsets = places_of(x, axis)
    to, offsets_to = places_of(target, axis)
    n = x.shape[axis]
    launch(kernels, x.size, x.size // n, KINDS[x.dtype], to, (*source, *rest), n)
    del offsets, offsets_to  # the kernel read them until here
    if out is None or target is out:
        return target
    np.copyto(out, target)
    return out
