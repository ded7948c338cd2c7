"""Kernels over the lines of any array, wherever they lie, without a copy of the array.

Lines whose numbers are neighbours are used as they lie; others go through a scratch, some lines at a time, since
neighbours along another axis share cache lines:

    for each few lines:
        gather them into the scratch
        for each line: compute
        scatter them to the result, where there are lines of it
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arrays.addresses import Array, first_number
from ..arrays.layout import launch
from ..compile.jit import helper, keep_alive
from ..compile.kernels import Kernels, over_rows
from ..vector import (
    compute_kind,
    itemsize,
    load_scalar,
    loop,
    maximum,
    minimum,
    store_scalar,
    traced,
    where,
)
from .kernels import new_scratch
from .places import Places, line_at, places_of
from .rows import rows_at_once

# So many lines are in a scratch at a time, fewer where they take more than so many bytes.
_SCRATCH_LINES, _SCRATCH_BYTES = 16, 256 * 1024


class Batch(NamedTuple):
    """A few lines at hand: `count` lines of n numbers of a kind, of which the first is line `index` of the array."""

    stored: Any
    """The kind of the array, which is not that of the lines where these are in a scratch."""
    kind: Any
    index: Any
    address: Any
    stride: Any
    count: Any
    n: Any


@traced
def _lines_in_scratch(kind: Any, n: Any) -> Any:
    """How many lines of n numbers a scratch has room for."""
    return maximum(minimum(_SCRATCH_BYTES // (n * itemsize(compute_kind(kind))), _SCRATCH_LINES), 1)


def _gather(kind: Any, scratch: Any, places: Places, first: Any, count: Any, n: Any) -> None:
    """Lines `first` to `first + count` to rows of the computing type, one after another."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, n) as k, loop(0, count) as line:
        x = load_scalar(kind, line_at(places, first + line) + k * places.along)
        store_scalar(work, scratch + (line * n + k) * size, x)


def _scatter(kind: Any, scratch: Any, places: Places, first: Any, count: Any, n: Any) -> None:
    """Rows of the computing type to lines `first` to `first + count`."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, n) as k, loop(0, count) as line:
        x = load_scalar(work, scratch + (line * n + k) * size)
        store_scalar(kind, line_at(places, first + line) + k * places.along, x)


def reading(compute: Any) -> Kernels:
    """The kernels of ``compute(dst, batch, *more)``, for all lines, a few at a time.

    `src` holds the places of the lines and behind them what is `more`, all integers, since a parallel kernel takes flat
    tuples of one type. A batch has no more lines than `rows_at_once`.
    """

    @traced
    def as_they_lie(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        places, more = Places(*src[:4]), src[4:]
        at_once = where(places.offsets == 0, rows_at_once(kind, n), 1)
        with loop(first, last, at_once) as index:
            count = minimum(at_once, last - index)
            compute(dst, Batch(kind, kind, index, line_at(places, index), places.stride, count, n), *more)

    @traced
    def gathered(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, scratch: Any) -> None:
        places, more, work = Places(*src[:4]), src[4:], compute_kind(kind)
        room, stride = _lines_in_scratch(kind, n), n * itemsize(work)
        at_once = minimum(rows_at_once(work, n), room)
        with loop(first, last, room) as start:
            end = minimum(room, last - start)
            _gather(kind, scratch, places, start, end, n)
            with loop(0, end, at_once) as line:
                row, count = scratch + line * stride, minimum(at_once, end - line)
                compute(dst, Batch(kind, work, start + line, row, stride, count, n), *more)

    return _over(as_they_lie, gathered, _source_lies, 1.0)


def writing(compute: Any, cost: float = 1.0) -> Kernels:
    """The kernels that call ``compute(kind, dst, src, n, index, *more)`` for every line.

    `dst` holds the places of the result's lines, `src` those of the source's and behind them what is `more`; `compute`
    turns the n numbers at `src` into n numbers at `dst`, which may be the same address.
    """

    @traced
    def as_they_lie(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        source, target, more = Places(*src[:4]), Places(*dst), src[4:]
        with loop(first, last) as index:
            compute(kind, line_at(target, index), line_at(source, index), n, index, *more)

    @traced
    def gathered(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, scratch: Any) -> None:
        for index, line in through_scratch(kind, dst, src, first, last, n, scratch):
            compute(compute_kind(kind), line, line, n, index, *src[4:])

    return _over(as_they_lie, gathered, _both_lie, cost)


def through_scratch(
    kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, scratch: Any
) -> Iterator[tuple[Any, Any]]:
    """Each line, as (index, address in a scratch): brought there before the body, which works in place, and back after.

    The body is written once, in a loop.
    """
    source, target = Places(*src[:4]), Places(*dst)
    room, stride = _lines_in_scratch(kind, n), n * itemsize(compute_kind(kind))
    with loop(first, last, room) as start:
        count = minimum(room, last - start)
        _gather(kind, scratch, source, start, count, n)
        with loop(0, count) as line:
            yield start + line, scratch + line * stride
        _scatter(kind, scratch, target, start, count, n)


@traced
def _source_lies(kind: Any, dst: Any, src: Any) -> Any:
    """Whether the numbers of a line lie together."""
    return Places(*src[:4]).along == itemsize(kind)


@traced
def _both_lie(kind: Any, dst: Any, src: Any) -> Any:
    return _source_lies(kind, dst, src) & _source_lies(kind, src, dst)


def _over(as_they_lie: Any, gathered: Any, lie: Any, cost: float) -> Kernels:
    """The kernels of lines that are taken as they lie, or through a scratch."""

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        if lie(kind, dst, src):
            as_they_lie(kind, dst, src, first, last, n)
        else:
            owner, scratch = new_scratch(_lines_in_scratch(kind, n) * n, kind)
            gathered(kind, dst, src, first, last, n, scratch)
            keep_alive(owner)

    return over_rows(lines, cost)


def over_scratch(gathered: Any) -> Kernels:
    """The kernels of ``gathered(kind, dst, src, first, last, n, scratch)``, which always needs a scratch."""

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        owner, scratch = new_scratch(_lines_in_scratch(kind, n) * n, kind)
        gathered(kind, dst, src, first, last, n, scratch)
        keep_alive(owner)

    return over_rows(lines)


def run_reading(kernels: Kernels, x: Array, axis: int, dst: Any, *more: int) -> None:
    """Run kernels of `reading` along `axis` of a non-empty `x`."""
    source, offsets = places_of(x, axis)
    n = x.shape[axis]
    launch(kernels, x, x.size // n, dst, (*source, *more), n)
    del offsets  # the kernel read them until here


def run_writing(kernels: Kernels, x: Array, axis: int, out: Array | None, *more: int) -> Array:
    """Run kernels of `writing` along `axis` of a non-empty `x`.

    The result goes to `out`, whose shape and dtype are right, where it lies exactly on `x` or apart from it.
    """
    target = out
    if out is not None and np.may_share_memory(out, x):
        same = first_number(out) == first_number(x) and out.strides == x.strides
        target = out if same else None
    if target is None:
        target = np.empty(x.shape, x.dtype)
    source, offsets = places_of(x, axis)
    to, offsets_to = places_of(target, axis)
    n = x.shape[axis]
    launch(kernels, x, x.size // n, tuple(to), (*source, *more), n)
    del offsets, offsets_to  # the kernel read them until here
    if out is None or target is out:
        return target
    np.copyto(out, target)
    return out
