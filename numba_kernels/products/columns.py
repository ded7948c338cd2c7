"""Columns of a matrix as panels, see `tile`: a column to each lane, number k of all columns of a panel side by side."""

from typing import Any

from ..vector import (
    Variable,
    compute_kind,
    is_half,
    itemsize,
    lanes,
    load,
    load_partial,
    loop,
    maximum,
    minimum,
    prefetch,
    store,
    store_partial,
    vector_bytes,
    when,
)
from .panels import Panel, panels
from .tile import Sums, tile_rows

# So many rows ahead of those that are packed are asked for.
_AHEAD = 16


def pack_columns(
    kind: Any, dst: Any, src: Any, row: Any, columns: Any, depth: Any, begin: Any, end: Any
) -> None:
    """Lay out columns `begin` to `end` of so many, rows `row` bytes apart, as panels of the computing type.

    Lanes beyond the last column are 0.
    """
    work = compute_kind(kind)
    for panel in panels(kind, dst, columns, depth, begin, end):
        source, step = src + panel.first * itemsize(kind), panel.vectors * vector_bytes(work)
        with loop(0, depth) as k:
            place = source + k * row
            for j in range(panel.vectors):
                source_of = place + j * vector_bytes(kind)
                prefetch(source_of + row * _AHEAD)
                store(work, panel.address + k * step, _load(kind, source_of, _left(kind, panel, j)), j)


def _load(kind: Any, src: Any, count: Any) -> Any:
    """The first numbers at an address, 0 in the other lanes. Halves take long where they fill no vector."""
    if not is_half(kind):
        return load_partial(kind, src, count, 0.0)
    numbers = Variable()
    with when(count == lanes(kind)) as otherwise:
        numbers.value = load(kind, src)
    with otherwise:
        numbers.value = load_partial(kind, src, count, 0.0)
    return numbers.value


def load_block(kind: Any, src: Any, row: Any, rows: Any, panel: Panel) -> Sums:
    """What lies at a panel's columns of the first `rows` rows of a tile; the last one stands for those beyond.

    Of a panel without columns nothing is read, and all is 0.
    """
    return [
        [
            load_partial(kind, place + j * vector_bytes(kind), _left(kind, panel, j), 0.0)
            for j in range(panel.vectors)
        ]
        for place in _places(kind, src, row, rows, panel)
    ]


def store_block(kind: Any, dst: Any, row: Any, rows: Any, panel: Panel, sums: Sums) -> None:
    """Write sums there; those of rows beyond the last must be the last one's."""
    for place, vectors in zip(_places(kind, dst, row, rows, panel), sums, strict=True):
        for j, vector in enumerate(vectors):
            store_partial(kind, place + j * vector_bytes(kind), vector, _left(kind, panel, j))


def _places(kind: Any, start: Any, row: Any, rows: Any, panel: Panel) -> list[Any]:
    start = start + panel.first * itemsize(kind)
    return [start + minimum(rows - 1, i) * row for i in range(tile_rows(kind))]


def _left(kind: Any, panel: Panel, j: int) -> Any:
    """How many columns vector j of a panel has."""
    width = int(lanes(kind))
    return maximum(minimum(panel.count - j * width, width), 0)
