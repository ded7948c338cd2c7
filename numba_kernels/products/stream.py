"""Few rows and weights of halves, which come from memory once: widened and transposed in registers.

    for as many classes as a vector has lanes, and as many of their numbers:
        load and widen them, a vector of each class, and transpose: a class in each lane
        for each number k, each row of x: sum += x[k] · vector k

The sums are those of the tile, number after number: what a row comes to does not depend on how many there are.
"""

from typing import Any

from ..vector import (
    Variable,
    compute_kind,
    fma,
    full,
    itemsize,
    lanes,
    load,
    load_partial,
    load_scalar,
    loop,
    prefetch,
    splat,
    stack_address,
    store,
    vector_bytes,
    when,
)
from .panels import Panel
from .transpose import transposed

# Rows of x that are multiplied at a time: their sums and a block of weights are as many as there are registers.
STREAMED_ROWS = 8
# So many bytes of each class are asked for before they are needed.
_AHEAD = 128


def stream(dst: Any, dst_row: Any, panel: Panel, weights: Any, first: Any) -> None:
    """The scores of a vector of classes, from class `first` on, for at most `STREAMED_ROWS` rows of a narrow panel."""
    kind, work = weights.kind, compute_kind(weights.kind)
    width, depth, size = int(lanes(kind)), weights.depth, itemsize(weights.kind)
    place = weights.address + first * weights.row
    zero = full(kind, 0.0)
    sums = Variable(*[zero] * STREAMED_ROWS)
    whole = depth // width * width
    with loop(0, whole, width) as k:
        rows = [place + i * weights.row + k * size for i in range(width)]
        for row in rows:
            prefetch(row + _AHEAD)
        columns = transposed([load(kind, row) for row in rows])
        numbers = panel.address + k * vector_bytes(work)
        for i, column in enumerate(columns):
            sums.value = _added(work, sums.value, column, numbers + i * vector_bytes(work))
    with when(whole < depth):
        rest, scratch = depth - whole, stack_address(depth, zero.type, width)
        rows = [place + i * weights.row + whole * size for i in range(width)]
        for i, column in enumerate(transposed([load_partial(kind, row, rest, 0.0) for row in rows])):
            store(work, scratch, column, i)
        with loop(0, rest) as i:
            numbers = panel.address + (whole + i) * vector_bytes(work)
            sums.value = _added(work, sums.value, load(work, scratch, i), numbers)
    biases = load(work, weights.bias + first * itemsize(work))
    for i, total in enumerate(sums.value):
        with when(panel.count > i):
            store(work, dst + i * dst_row, total + biases)


def _added(work: Any, sums: Any, column: Any, numbers: Any) -> list[Any]:
    """sum + number · column for each row; its numbers lie side by side."""
    each = [splat(column, load_scalar(work, numbers + i * itemsize(work))) for i in range(len(sums))]
    return [fma(column, number, total) for number, total in zip(each, sums, strict=True)]
