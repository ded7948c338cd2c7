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
    """Lane i of vector j becomes lane j of vector i: halves change places, then quarters, and so on."""
    count, each, result = len(vectors), len(vectors) // 2, list(vectors)
    while each:
        keep = [lane if lane & each == 0 else count + lane - each for lane in range(count)]
        bring = [lane + each if lane & each == 0 else count + lane for lane in range(count)]
        for i in range(count):
            if i & each == 0:
                a, b = result[i], result[i + each]
                result[i], result[i + each] = shuffle(a, b, keep), shuffle(a, b, bring)
        each //= 2
    return result


@outlined
def _transpose_block(
    kind: Any, dst: Any, dst_row: Any, src: Any, src_row: Any, rows: Any, columns: Any, stored: Any
) -> None:
    """Of at most as many rows and columns as a vector has lanes; `stored`: how many lanes of each row are written."""
    width, work = lanes(kind), compute_kind(kind)
    with when((rows == width) & (columns == width) & (stored == width)) as otherwise:
        block = transposed([load(kind, src + i * src_row) for i in range(width)])
        for i, vector in enumerate(block):
            store(work, dst + i * dst_row, vector)
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
