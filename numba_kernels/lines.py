"""Kernels along an axis from what an operator does to one row and to a tile of columns.

Memory is (outer, n, inner) with steps in bytes between outer blocks and along the axis; a *line* is the n numbers along
the axis at one (outer, inner). Where inner is 1 and the row long enough, vectors lie along the row. Otherwise a tile of
neighbouring lines is brought into a scratch of the computing type, n vectors deep, and vectors lie across lines; so are
rows of less than a vector, which are transposed on the way. Halves go through a scratch of float32 in either case.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .jit import by_type, helper, kernel, parallel_kernel
from .memory import load, load_first, load_number, store, store_first, store_number
from .simd import computing, is_half, itemsize, lanes, stack_scratch
from .vector import computed_as

# A tile is at most this many vectors wide, and as wide as fits in this many bytes.
_TILE_VECTORS = 4
_TILE_BYTES = 128 * 1024


@helper
def tile_width(kind: Any, n: Any) -> Any:
    """How many lines a tile of depth `n` takes: whole vectors, at least one."""
    step, size = lanes(kind), itemsize(computing(kind))
    return step * max(1, min(_TILE_VECTORS, _TILE_BYTES // (n * step * size)))


@helper
def new_scratch(numbers: Any, kind: Any) -> Any:
    """Memory for so many numbers of the computing type and a vector more; its owner and an aligned address in it."""
    owner = np.empty(numbers * itemsize(computing(kind)) + 128, np.uint8)
    return owner, (owner.ctypes.data + 63) // 64 * 64


def new_scratch_for_halves(numbers: Any, kind: Any) -> Any:
    """`new_scratch` for halves; no memory for what is computed as it lies."""
    raise NotImplementedError


@by_type(new_scratch_for_halves)
def _new_scratch_for_halves(numbers: Any, kind: Any) -> Any:
    if computed_as(kind) == kind:
        return lambda numbers, kind: (None, 0)
    return lambda numbers, kind: new_scratch(numbers, kind)


@helper
def keep(owner: Any) -> Any:
    """Hold the memory of a scratch until here: Numba lets go of an array after its last use by name."""


@helper
def load_columns(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, along: Any) -> Any:
    """`count` neighbouring lines to a tile of `width` (rounded up to vectors; what is beyond `count` is zero)."""
    work = computing(kind)
    size, wide, step = itemsize(kind), itemsize(work), lanes(kind)
    for k in range(n):
        for i in range(0, count, step):
            at = src + k * along + i * size
            x = load(kind, at) if count - i >= step else load_first(kind, at, count - i, 0.0)
            store(work, to + (k * width + i) * wide, x)


@helper
def store_columns(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, along: Any) -> Any:
    """A tile back to `count` neighbouring lines."""
    work = computing(kind)
    size, wide, step = itemsize(kind), itemsize(work), lanes(kind)
    for k in range(n):
        for i in range(0, count, step):
            at = dst + k * along + i * size
            x = load(work, source + (k * width + i) * wide)
            if count - i >= step:
                store(kind, at, x)
            else:
                store_first(kind, at, x, count - i)


@helper
def load_transposed(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, outer: Any) -> Any:
    """`count` short rows to a tile of `width` columns."""
    work = computing(kind)
    size, wide = itemsize(kind), itemsize(work)
    for j in range(count):
        for k in range(n):
            store_number(work, to + (k * width + j) * wide, load_number(kind, src + j * outer + k * size))
    for j in range(count, width):
        for k in range(n):
            store_number(work, to + (k * width + j) * wide, 0.0)


@helper
def store_transposed(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, outer: Any) -> Any:
    """A tile of columns back to `count` short rows."""
    work = computing(kind)
    size, wide = itemsize(kind), itemsize(work)
    for j in range(count):
        for k in range(n):
            store_number(kind, dst + j * outer + k * size, load_number(work, source + (k * width + j) * wide))


@helper
def convert_row(to_kind: Any, dst: Any, from_kind: Any, src: Any, n: Any) -> Any:
    """A row from one kind to another of the same computing type; the two do not overlap."""
    step, to_size, from_size = lanes(from_kind), itemsize(to_kind), itemsize(from_kind)
    for i in range(0, n - step + 1, step):
        store(to_kind, dst + i * to_size, load(from_kind, src + i * from_size))
    if n % step:
        i = n - step
        if i >= 0:
            store(to_kind, dst + i * to_size, load(from_kind, src + i * from_size))
        else:
            for j in range(n):
                store_number(to_kind, dst + j * to_size, load_number(from_kind, src + j * from_size))


def each_row(row: Any) -> Any:
    """The helper for lines that are contiguous rows of at least one vector, from what is done to one of them."""

    @helper
    def rows(
        kind: Any,
        dst: Any,
        src: Any,
        first: Any,
        last: Any,
        n: Any,
        inner: Any,
        src_outer: Any,
        src_along: Any,
        dst_outer: Any,
        dst_along: Any,
    ) -> Any:
        work = computing(kind)
        if is_half(kind):
            owner, scratch = new_scratch(n, kind)
            for line in range(first, last):
                convert_row(work, scratch, kind, src + line * src_outer, n)
                row(work, scratch, scratch, n)
                convert_row(kind, dst + line * dst_outer, work, scratch, n)
            keep(owner)
        else:
            for line in range(first, last):
                row(work, dst + line * dst_outer, src + line * src_outer, n)

    return rows


def along_short_rows(tile: Any) -> Any:
    """The helper for lines that are contiguous rows of less than one vector."""

    @helper
    def short_rows(
        kind: Any,
        dst: Any,
        src: Any,
        first: Any,
        last: Any,
        n: Any,
        inner: Any,
        src_outer: Any,
        src_along: Any,
        dst_outer: Any,
        dst_along: Any,
    ) -> Any:
        # n times four vectors at the most, less than a stack scratch holds
        width, scratch = lanes(kind) * _TILE_VECTORS, stack_scratch(kind)
        for line in range(first, last, width):
            count = min(width, last - line)
            used = (count + lanes(kind) - 1) // lanes(kind) * lanes(kind)
            load_transposed(kind, scratch, src + line * src_outer, n, count, used, src_outer)
            tile(computing(kind), scratch, n, used)
            store_transposed(kind, dst + line * dst_outer, scratch, n, count, used, dst_outer)

    return short_rows


def along_columns(tile: Any) -> Any:
    """The helper for lines with others between their numbers."""

    @helper
    def columns(
        kind: Any,
        dst: Any,
        src: Any,
        first: Any,
        last: Any,
        n: Any,
        inner: Any,
        src_outer: Any,
        src_along: Any,
        dst_outer: Any,
        dst_along: Any,
    ) -> Any:
        size, step = itemsize(kind), lanes(kind)
        width = tile_width(kind, n)
        owner, scratch = new_scratch(n * width, kind)
        line = first
        while line < last:
            block, column = line // inner, line % inner
            count = min(width, inner - column, last - line)
            used = (count + step - 1) // step * step
            load_columns(kind, scratch, src + block * src_outer + column * size, n, count, used, src_along)
            tile(computing(kind), scratch, n, used)
            store_columns(kind, dst + block * dst_outer + column * size, scratch, n, count, used, dst_along)
            line += count
        keep(owner)

    return columns


def over_lines(lines: Any) -> tuple[Any, Any]:
    """The two kernels (serial, parallel) of a helper on the lines `first` to `last`.

    The parallel one takes a number of parts more, each done by one thread. A line is done whole and in one order, so
    that the bits of the result do not depend on the number of threads.
    """

    def serial(
        kind: Any, dst: Any, src: Any, count: Any, n: Any, inner: Any, a: Any, b: Any, c: Any, d: Any
    ) -> Any:
        lines(kind, dst, src, 0, count, n, inner, a, b, c, d)

    def parallel(
        kind: Any,
        dst: Any,
        src: Any,
        count: Any,
        n: Any,
        inner: Any,
        a: Any,
        b: Any,
        c: Any,
        d: Any,
        parts: Any,
    ) -> Any:
        for part in prange(parts):
            lines(kind, dst, src, count * part // parts, count * (part + 1) // parts, n, inner, a, b, c, d)

    return kernel(serial), parallel_kernel(parallel)


class LineKernels(NamedTuple):
    """The kernels of an operator, each serial and parallel; apart, so that a first call compiles what it needs."""

    rows: tuple[Any, Any]
    """For contiguous rows of at least one vector."""
    columns: tuple[Any, Any]
    """For lines with others between their numbers."""
    short_rows: tuple[Any, Any]
    """For contiguous rows of less than one vector."""


def kernels_of(rows: Any, tile: Any) -> LineKernels:
    """The kernels of an operator from what it does to contiguous rows and to a tile of columns."""
    lines = (rows, along_columns(tile), along_short_rows(tile))
    return LineKernels(*map(over_lines, lines))
