"""The register tile: a few rows times a panel, all sums of which stay in registers while the depth goes by.

    for k in the depth:
        load the vectors of the panel at k
        for each row: broadcast its number k, and for each vector: sum += number · vector

A *panel* is (depth, width) in the computing type, packed: `width` is a whole number of vectors, whose lanes are what
the caller lays there (rows of the other matrix, queries). The rows lie wherever they lie, with a step from row to row
and one from number to number, so that they need not be packed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..vector import (
    Variable,
    fma,
    full,
    itemsize,
    load,
    load_scalar,
    loop,
    minimum,
    splat,
    vector_bytes,
)
from .panels import has_wide_registers


class Rows(NamedTuple):
    """Numbers of a kind: number k of row i lies at ``address + i * row + k * step``."""

    kind: Any
    address: Any
    row: Any
    step: Any

    @staticmethod
    def side_by_side(kind: Any, address: Any, row: Any) -> "Rows":
        """Rows whose numbers are neighbours."""
        return Rows(kind, address, row, address.constant(itemsize(kind)))

    @property
    def turned(self) -> "Rows":
        """Number i of each row as row i."""
        return Rows(self.kind, self.address, self.step, self.row)

    def at(self, row: Any) -> "Rows":
        """The rows from one on."""
        return self._replace(address=self.address + row * self.row)


def tile_rows(kind: Any) -> int:
    """How many rows a tile takes: with the widest panel their sums fill the registers but for a few."""
    return 8 if has_wide_registers(kind) else 6


Sums = list[list[Any]]


def multiply(
    kind: Any,
    rows: Rows,
    count: Any,
    panel: Any,
    vectors: int,
    depth: Any,
    begin: Sums | None = None,
    step: Any = None,
    meanwhile: Callable[[Any], None] | None = None,
) -> Sums:
    """The products of the first `count` of `tile_rows` rows and a panel of so many vectors, by row and vector.

    Added to what is to `begin` with. The last row stands for those beyond, too: no memory behind it is read. `step`:
    how many bytes further the panel's next numbers lie, where it is a part of a wider one. ``meanwhile(k)`` is written
    into the loop over the depth, to ask for memory that is wanted next.
    """
    taken, further = tile_rows(kind), vectors * vector_bytes(kind) if step is None else step
    starts = [rows.at(minimum(count - 1, i)).address for i in range(taken)]
    zero = full(kind, 0.0)
    sums = Variable(*(flat(begin) if begin else [zero] * (taken * vectors)))
    with loop(0, depth) as k:
        if meanwhile is not None:
            meanwhile(k)
        place = panel + k * further
        columns = [load(kind, place, j) for j in range(vectors)]
        numbers = (splat(zero, load_scalar(rows.kind, start + k * rows.step)) for start in starts)
        pairs = [(number, column) for number in numbers for column in columns]
        sums.value = [fma(*pair, total) for pair, total in zip(pairs, sums.value, strict=True)]
    return by_row(sums.value, vectors)


def flat(sums: Sums) -> list[Any]:
    """All vectors, for a `Variable`."""
    return [total for row in sums for total in row]


def by_row(totals: Any, vectors: int) -> Sums:
    """The vectors of `flat`, so many to each row."""
    return [list(totals[i : i + vectors]) for i in range(0, len(totals), vectors)]
