"""Blocks of memory transposed in registers: as many vectors as a vector has lanes at a time."""

from typing import Any

from ..vector import (
    compute_kind,
    full,
    itemsize,
    lanes,
    load,
    load_partial,
    loop,
    minimum,
    outlined,
    shuffle,
    stack_address,
    store,
    store_partial,
    when,
)


def transposed(vectors: list[Any]) -> list[Any]:
    """Lane i of vector j becomes lane j of vector i: inside quarters of vectors at first, then quarter by quarter.

    In steps that processors have instructions for, so that no register is taken by a table of places.
    """
    count = len(vectors)
    each = count // 4
    inside = [
        row for first in range(0, count, each) for row in _inside_quarters(vectors[first : first + each])
    ]
    columns = [_quarters(inside[j::each]) for j in range(each)]
    return [columns[j][quarter] for quarter in range(4) for j in range(each)]


def _inside_quarters(rows: list[Any], size: int = 1) -> list[Any]:
    """As many rows as a quarter has lanes, each quarter of them transposed; blocks of `size` lanes stay together."""
    if len(rows) == 1:
        return rows
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    lower, upper = ([_in_turns(*pair, size, half) for pair in pairs] for half in (0, 1))
    return _inside_quarters(lower, 2 * size) + _inside_quarters(upper, 2 * size)


def _in_turns(a: Any, b: Any, size: int, half: int) -> Any:
    """The lower or the upper half of every quarter, blocks of two vectors taken in turns."""
    count, each = a.lanes, a.lanes // 4
    starts = [
        first + half * (each // 2) + k for first in range(0, count, each) for k in range(0, each // 2, size)
    ]
    places = [place for start in starts for place in (start, count + start)]
    return shuffle(a, b, [place + k for place in places for k in range(size)])


def _quarters(rows: list[Any]) -> list[Any]:
    """Four vectors, of which quarter i of vector j becomes quarter j of vector i."""
    count, each = rows[0].lanes, rows[0].lanes // 4
    even, odd = ([q * each + k for q in (side, side + 2) for k in range(each)] for side in (0, 1))

    def two(a: Any, b: Any) -> tuple[Any, Any]:
        first, second = (shuffle(a, b, order + [count + k for k in order]) for order in (even, odd))
        return first, second

    (a, b), (c, d) = two(rows[0], rows[1]), two(rows[2], rows[3])
    (first, third), (second, fourth) = two(a, c), two(b, d)
    return [first, second, third, fourth]


@outlined
def _transpose_block(
    kind: Any, dst: Any, dst_row: Any, src: Any, src_row: Any, rows: Any, columns: Any, stored: Any
) -> None:
    """Of at most as many rows and columns as a vector has lanes; `stored`: how many lanes of each row are written."""
    width, work = lanes(kind), compute_kind(kind)
    with when(columns == width) as otherwise:
        rows_of = [src + minimum(rows - 1, i) * src_row for i in range(width)]
        for i, vector in enumerate(transposed([load(kind, row) for row in rows_of])):
            with when(stored == width) as partly:
                store(work, dst + i * dst_row, vector)
            with partly:
                store_partial(work, dst + i * dst_row, vector, stored)
    with otherwise:
        scratch = stack_address(rows, full(kind, 0.0).type, width)
        with loop(rows.constant(0), width) as i:
            row = src + minimum(i, rows - 1) * src_row
            store(work, scratch, load_partial(kind, row, columns, 0.0), i)
        for i, vector in enumerate(transposed([load(work, scratch, i) for i in range(width)])):
            store(work, scratch, vector, i)
        with loop(0, columns) as i:
            store_partial(work, dst + i * dst_row, load(work, scratch, i), stored)


def transpose(
    kind: Any,
    dst: Any,
    dst_row: Any,
    src: Any,
    src_row: Any,
    rows: Any,
    columns: Any,
    *,
    padded: bool = False,
) -> None:
    """rows × columns numbers of a kind as columns × rows of its computing type; steps between rows in bytes.

    `padded`: each row of the result has room up to a whole vector, and is filled with repetitions of its last number.
    """
    width = lanes(kind)
    size, to_size = itemsize(kind), itemsize(compute_kind(kind))
    with loop(0, rows, width) as i, loop(0, columns, width) as j:
        count, across = minimum(rows - i, width), minimum(columns - j, width)
        place, source = dst + j * dst_row + i * to_size, src + i * src_row + j * size
        stored = count.constant(width) if padded else count
        _transpose_block(kind, place, dst_row, source, src_row, count, across, stored)
