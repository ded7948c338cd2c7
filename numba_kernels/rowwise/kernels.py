"""From what an operator does to rows and to a tile of columns to its kernels.

Memory is (outer, n, inner) with steps in bytes between outer blocks and along the axis; a *line* is the n numbers along
the axis at one (outer, inner). Where inner is 1 and the row long enough, vectors lie along the row. Otherwise a tile of
neighbouring lines is brought into a scratch of the computing type, n vectors deep, and vectors lie across lines; so are
rows of less than a vector, which are transposed on the way.

What does it is a function ``lines(kind, span)`` in traced code; a `Span` says which lines and where they lie.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays.layout import LineKernels
from ..compile.jit import helper, keep_alive, kernel
from ..compile.kernels import Kernels, in_stages
from ..compile.shares import Form, OverParts, words_at
from ..vector import (
    compute_kind,
    default_arithmetic,
    is_half,
    itemsize,
    lanes,
    loop,
    maximum,
    minimum,
    restore_arithmetic,
    stack_scratch,
    traced,
)
from .rows import map_long_row, rows_at_once
from .tiles import TILE_VECTORS, load_columns, load_transposed, store_columns, store_transposed, tile_width


@helper
def new_scratch(numbers: Any, kind: Any) -> Any:
    """Memory for so many numbers of the computing type and a vector more; its owner and an aligned address in it."""
    owner = np.empty(numbers * itemsize(compute_kind(kind)) + 128, np.uint8)
    return owner, (owner.ctypes.data + 63) // 64 * 64


def over_pieces(work: Any, room: Any, stages: int = 1) -> Kernels:
    """The kernels of ``work(kind, dst, src, stage, first, last, n, scratch)``, each line a piece of the work.

    ``room(kind, src)``: how many numbers of scratch whoever takes pieces needs.
    """
    work, room = traced(work), traced(room)

    @helper
    def pieces(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, n: Any) -> Any:
        owner, scratch = new_scratch(room(kind, src), kind)
        work(kind, dst, src, stage, first, last, n, scratch)
        keep_alive(owner)

    return in_stages(pieces, stages, 1.0, lambda n, inner: 1)


# What is spare: room for a few rows of halves in the computing type, for a tile, for nothing


@helper
def _rows_spare(kind: Any, n: Any) -> Any:
    return new_scratch(rows_at_once(kind, n) * n, kind)


@helper
def _tile_spare(kind: Any, n: Any) -> Any:
    return new_scratch(n * tile_width(kind, n), kind)


@helper
def _nothing_spare(kind: Any, n: Any) -> Any:
    return None, 0


def _spare_of_rows(kind: Any) -> Any:
    # halves come as the integers of their bits
    return _rows_spare if isinstance(kind, np.integer) else _nothing_spare


Columns = Callable[..., None]


class Span(NamedTuple):
    """Lines `first` to `last` of n numbers, strides in bytes, and the address of spare memory where any is needed."""

    dst: Any
    src: Any
    n: Any
    inner: Any
    src_outer: Any
    src_along: Any
    dst_outer: Any
    dst_along: Any
    first: Any
    last: Any
    spare: Any


def each_row(row: Any) -> Any:
    """`lines` for contiguous rows of at least one vector, from ``row(kind, dst, src, n)`` in the computing type."""

    def rows(kind: Any, span: Span) -> None:
        work, spare, n = compute_kind(kind), span.spare, span.n
        with loop(span.first, span.last) as i:
            x, y = span.src + i * span.src_outer, span.dst + i * span.dst_outer
            if is_half(kind):
                map_long_row(work, spare, kind, x, n, lambda number: number)
                row(work, spare, spare, n)
                map_long_row(kind, y, work, spare, n, lambda number: number)
            else:
                row(work, y, x, n)

    return rows


def _compute_tile(columns: Columns, work: Any, tile: Any, n: Any, width: Any) -> None:
    """Do what is done to columns to a tile of them."""
    with loop(0, width, lanes(work)) as column:
        columns(work, tile + column * itemsize(work), n, width * itemsize(work))


def _over_short_rows(columns: Columns) -> Any:
    """`lines` for contiguous rows of less than one vector, from what is done to columns."""

    def short_rows(kind: Any, span: Span) -> None:
        # n times four vectors at the most, less than a stack scratch holds
        n, width, scratch = span.n, lanes(kind) * TILE_VECTORS, stack_scratch(kind)
        with loop(span.first, span.last, width) as line:
            count = minimum(width, span.last - line)
            used = whole_vectors(kind, count)
            x, y = span.src + line * span.src_outer, span.dst + line * span.dst_outer
            load_transposed(kind, scratch, x, n, count, used, span.src_outer)
            _compute_tile(columns, compute_kind(kind), scratch, n, used)
            store_transposed(kind, y, scratch, n, count, used, span.dst_outer)

    return short_rows


def _over_columns(columns: Columns) -> Any:
    """`lines` for lines with others between their numbers, from what is done to columns."""

    def tiles(kind: Any, span: Span) -> None:
        n, inner, spare = span.n, span.inner, span.spare
        size, width = itemsize(kind), tile_width(kind, n)
        with loop(span.first // inner, (span.last + (inner - 1)) // inner) as outer:
            # the lines of this block that are asked for
            begin, end = maximum(span.first - outer * inner, 0), minimum(span.last - outer * inner, inner)
            with loop(begin, end, width) as column:
                count = minimum(width, end - column)
                used = whole_vectors(kind, count)
                x = span.src + outer * span.src_outer + column * size
                y = span.dst + outer * span.dst_outer + column * size
                load_columns(kind, spare, x, n, count, used, span.src_along)
                _compute_tile(columns, compute_kind(kind), spare, n, used)
                store_columns(kind, y, spare, n, count, used, span.dst_along)

    return tiles


def whole_vectors(kind: Any, count: Any) -> Any:
    """`count` rounded up to the lanes of whole vectors."""
    return (count + (lanes(kind) - 1)) // lanes(kind) * lanes(kind)


def _over_lines(lines: Any, spare_of: Any, cost: float) -> Kernels:
    """The kernels of `lines`; ``spare_of(kind)`` is what makes (owner, address) of the memory that it needs.

    The parallel one takes a number of parts more, each done by one thread. A line is done whole and in one order, so
    that the bits of the result do not depend on the number of threads.
    """

    @traced
    def over(kind: Any, layout: Any, first: Any, last: Any, spare: Any) -> None:
        lines(kind, Span(*(*layout, first, last, spare)))

    def make(kind: Any) -> tuple[Any, Any]:
        spare = spare_of(kind)

        def serial(
            dst: Any,
            src: Any,
            count: Any,
            n: Any,
            inner: Any,
            src_outer: Any,
            src_along: Any,
            dst_outer: Any,
            dst_along: Any,
        ) -> Any:
            before = default_arithmetic(count)
            owner, place = spare(kind, n)
            layout = (dst, src, n, inner, src_outer, src_along, dst_outer, dst_along)
            over(kind, layout, 0, count, place)
            keep_alive(owner)
            restore_arithmetic(before)
            return 1

        def for_form(form: Form) -> Any:
            words = words_at(form)

            def part(given: Any, stage: Any, first: Any, last: Any) -> Any:
                before = default_arithmetic(given)
                layout = words(given)
                owner, place = spare(kind, layout[2])
                over(kind, layout, first, last, place)
                keep_alive(owner)
                restore_arithmetic(before)
                return 1

            return kernel(part)

        return kernel(serial), OverParts(for_form)

    return Kernels(make, cost)


def kernels_of(rows: Any, columns: Columns, cost: float = 1.0) -> LineKernels:
    """The kernels of an operator from its `lines` for contiguous rows and from ``columns(kind, x, n, stride)``.

    That is done, in place, to n vectors of the computing type, `stride` bytes apart, in each lane of which lies a line.
    """
    return LineKernels(
        _over_lines(rows, _spare_of_rows, cost),
        _over_lines(_over_columns(columns), lambda _: _tile_spare, cost),
        _over_lines(_over_short_rows(columns), lambda _: _nothing_spare, cost),
    )
