"""Rows of a matrix as panels, see `tile`: a row to each lane, number k of all rows of a panel side by side."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..vector import compute_kind, full, lanes, loop, maximum, minimum, register_lanes, vector_bytes
from .transpose import transpose


class Panel(NamedTuple):
    """`count` rows from the `first` on, packed `vectors` wide, at an address."""

    vectors: int
    first: Any
    count: Any
    address: Any


def widest_panel(kind: Any) -> int:
    """How many vectors wide a panel is at the most; it is that or one vector."""
    return 3 if has_wide_registers(kind) else 1


def has_wide_registers(kind: Any) -> bool:
    """Whether a vector is one register, of which there are 32."""
    return bool(register_lanes(full(kind, 0.0)) == lanes(kind))


def panel_rows(kind: Any) -> int:
    """How many rows the widest panel has; who cuts rows cuts them at multiples of this."""
    return widest_panel(kind) * int(lanes(kind))


def panels(kind: Any, address: Any, rows: Any, depth: Any, begin: Any, end: Any) -> Iterator[Panel]:
    """The panels of rows `begin` to `end` of so many that lie packed at an address.

    As wide as can be, and of what is left at the end one vector wide each. The body is written for each width, in a
    loop.
    """
    width, wide, work = int(lanes(kind)), widest_panel(kind), compute_kind(kind)
    widely = (rows + (width - 1)) // width // wide * wide
    first, last = begin // width, (minimum(end, rows) + (width - 1)) // width
    spans = [(first, minimum(last, widely), wide), (maximum(first, widely), last, 1)]
    for start, stop, step in spans if wide > 1 else spans[:1]:
        with loop(start, stop, step) as vector:
            row = vector * width
            yield Panel(
                step, row, minimum(rows - row, step * width), address + vector * depth * vector_bytes(work)
            )


def share_of_rows(kind: Any, rows: Any, first: Any, last: Any, pieces: Any) -> tuple[Any, Any]:
    """The rows, whole panels of them, that are the share of pieces `first` to `last` of so many."""
    each = panel_rows(kind)
    panels_of_all = (rows + (each - 1)) // each
    return panels_of_all * first // pieces * each, panels_of_all * last // pieces * each


def pack(kind: Any, dst: Any, src: Any, row: Any, rows: Any, depth: Any, begin: Any, end: Any) -> None:
    """Lay out rows `begin` to `end` of so many, `row` bytes apart, as panels of the computing type.

    Lanes beyond the last row repeat it.
    """
    work = compute_kind(kind)
    for panel in panels(kind, dst, rows, depth, begin, end):
        step = rows.constant(panel.vectors * vector_bytes(work))
        source = src + panel.first * row
        transpose(kind, panel.address, step, source, row, panel.count, depth, padded=True)
