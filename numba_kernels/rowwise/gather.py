"""Lines of any array, wherever they lie, without a copy of the array.

A line is the n numbers along an axis. Kernels find it by its *places*: (address of the first line, address of the
other lines' offsets or 0, step between lines, step along a line), in bytes. Lines whose numbers are neighbours are used
as they lie; others are brought into a scratch, some lines at a time, since neighbours along another axis share cache
lines.
"""

import itertools
from typing import Any

import numpy as np

from ..arrays.inputs import Array, address
from ..arrays.layout import launch
from ..compile.jit import Kernels, helper, over_rows
from ..vector import compute_kind, itemsize, load_scalar, maximum, minimum, store_scalar, traced
from ..vector.flow import choose, repeat
from .kernels import keep, new_scratch
from .rows import rows_at_once

Places = tuple[int, int, int, int]

# So many lines at a time, fewer where they take more than so many bytes.
_BLOCK, _BLOCK_BYTES = 16, 256 * 1024


def places_of(x: Array, axis: int) -> tuple[Places, Array | None]:
    """The places of the lines of `x` along `axis`, in C order of the other axes; and what must live as long."""
    if axis == x.ndim - 1 and x.flags.c_contiguous:
        return (address(x), 0, x.shape[axis] * x.itemsize, x.itemsize), None
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


def line_at(places: Any, line: Any) -> Any:
    """The address of a line."""
    first, offsets, step = places[:3]
    integer = first.constant(0)
    return first + choose(offsets == 0, lambda: line * step, lambda: load_scalar(integer, offsets + line * 8))


@traced
def block_of(kind: Any, n: Any) -> Any:
    """How many lines of n numbers a scratch takes at a time."""
    return maximum(minimum(_BLOCK_BYTES // (n * itemsize(compute_kind(kind))), _BLOCK), 1)


def gather(kind: Any, to: Any, places: Any, first: Any, count: Any, n: Any) -> None:
    """Lines `first` to `first + count` to rows of the computing type, one after another."""
    work, wide = compute_kind(kind), itemsize(compute_kind(kind))

    def number(k: Any, j: Any) -> None:
        x = load_scalar(kind, line_at(places, first + j) + k * places[3])
        store_scalar(work, to + (j * n + k) * wide, x)

    repeat(0, n, lambda k: repeat(0, count, lambda j: number(k, j)))


def scatter(kind: Any, places: Any, source: Any, first: Any, count: Any, n: Any) -> None:
    """Rows of the computing type to lines `first` to `first + count`."""
    work, wide = compute_kind(kind), itemsize(compute_kind(kind))

    def number(k: Any, j: Any) -> None:
        x = load_scalar(work, source + (j * n + k) * wide)
        store_scalar(kind, line_at(places, first + j) + k * places[3], x)

    repeat(0, n, lambda k: repeat(0, count, lambda j: number(k, j)))


def reading(lines: Any) -> Kernels:
    """The kernels of ``lines(kind, work, dst, src, index, at, step, count, n)``, for all lines.

    `src` holds the places of the lines and what else `lines` needs, all integers (a parallel kernel takes flat tuples
    of one type); from `at` on lie `count` lines of n numbers of the kind `work`, the first of which is line `index`,
    `step` bytes apart and no more than `rows_at_once`.
    """

    @traced
    def as_they_lie(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        few = choose(src[1] == 0, lambda: rows_at_once(kind, n), lambda: n.constant(1))

        def some(index: Any) -> None:
            lines(kind, kind, dst, src, index, line_at(src, index), src[2], minimum(few, last - index), n)

        repeat(first, last, some, step=few)

    @traced
    def gathered(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, spare: Any) -> None:
        work, block = compute_kind(kind), block_of(kind, n)
        few, step = minimum(rows_at_once(work, n), block), n * itemsize(work)

        def some(start: Any) -> None:
            count = minimum(block, last - start)
            gather(kind, spare, src, start, count, n)

            def part(j: Any) -> None:
                lines(kind, work, dst, src, start + j, spare + j * step, step, minimum(few, count - j), n)

            repeat(0, count, part, step=few)

        repeat(first, last, some, step=block)

    return _over(as_they_lie, gathered, _source_lies)


def writing(line: Any) -> Kernels:
    """The kernels that call ``line(work, to, at, src, index, n)`` for every line.

    `dst` holds the places of the result's lines, `src` those of the source's and what else `line` needs; `line` turns
    the n numbers at `at` into n numbers at `to`, which may be the same address, both of the kind `work`.
    """

    @traced
    def as_they_lie(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        repeat(first, last, lambda index: line(kind, line_at(dst, index), line_at(src, index), src, index, n))

    @traced
    def gathered(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, spare: Any) -> None:
        def one(at: Any, index: Any) -> None:
            line(compute_kind(kind), at, at, src, index, n)

        through_scratch(kind, dst, src, first, last, n, spare, one)

    return _over(as_they_lie, gathered, _both_lie)


def through_scratch(
    kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, spare: Any, one: Any
) -> None:
    """Bring lines into a scratch, call ``one(at, index)`` for each, which works in place, and bring them back."""
    block, step = block_of(kind, n), n * itemsize(compute_kind(kind))

    def some(start: Any) -> None:
        count = minimum(block, last - start)
        gather(kind, spare, src, start, count, n)
        repeat(0, count, lambda j: one(spare + j * step, start + j))
        scatter(kind, dst, spare, start, count, n)

    repeat(first, last, some, step=block)


@traced
def _source_lies(kind: Any, dst: Any, src: Any) -> Any:
    """Whether the numbers of a line lie together."""
    return src[3] == itemsize(kind)


@traced
def _both_lie(kind: Any, dst: Any, src: Any) -> Any:
    return (src[3] == itemsize(kind)) & (dst[3] == itemsize(kind))


def _over(as_they_lie: Any, gathered: Any, lie: Any) -> Kernels:
    """The kernels of lines that are taken as they lie, or through a scratch."""

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        if lie(kind, dst, src):
            as_they_lie(kind, dst, src, first, last, n)
        else:
            owner, place = new_scratch(block_of(kind, n) * n, kind)
            gathered(kind, dst, src, first, last, n, place)
            keep(owner)

    return over_rows(lines)


def over_scratch(gathered: Any) -> Kernels:
    """The kernels of ``gathered(kind, dst, src, first, last, n, spare)``, which always needs a scratch."""

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        owner, place = new_scratch(block_of(kind, n) * n, kind)
        gathered(kind, dst, src, first, last, n, place)
        keep(owner)

    return over_rows(lines)


def run_writing(kernels: Kernels, x: Array, axis: int, out: Array | None, *rest: int) -> Array:
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
    launch(kernels, x, x.size // n, to, (*source, *rest), n)
    del offsets, offsets_to  # the kernel read them until here
    if out is None or target is out:
        return target
    np.copyto(out, target)
    return out
