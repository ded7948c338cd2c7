"""x @ weight.T + bias for a block of classes and a panel of rows of x."""

from typing import Any, NamedTuple

from ..vector import (
    Variable,
    compute_kind,
    full,
    is_half,
    itemsize,
    lanes,
    load_scalar,
    loop,
    minimum,
    prefetch,
    splat,
    store,
    vector_bytes,
    where,
)
from .convert import convert_row
from .panels import Panel, has_wide_registers, panel_rows
from .stream import STREAMED_ROWS, stream
from .tile import Rows, Sums, by_row, flat, multiply, tile_rows
from .transpose import transpose


class Weights(NamedTuple):
    """The weights of classes: rows of `depth` numbers, `row` bytes apart, and biases of the computing type."""

    kind: Any
    address: Any
    row: Any
    bias: Any
    depth: Any

    def at(self, first: Any) -> "Weights":
        """Those of the classes from one on."""
        work = compute_kind(self.kind)
        return self._replace(address=self.address + first * self.row, bias=self.bias + first * itemsize(work))


# So many numbers of a row of halves are widened before they are multiplied: they stay in the nearest cache.
_WIDENED = 256


def scores_room(kind: Any, classes: int) -> int:
    """How many numbers of scratch `scores` needs for so many classes."""
    return (classes + tile_rows(kind)) * panel_rows(kind) + tile_rows(kind) * _WIDENED


def scores(dst: Any, dst_row: Any, panel: Panel, weights: Weights, classes: Any, scratch: Any) -> None:
    """The scores of some classes for the rows of a panel, a row of `classes` numbers each, `dst_row` bytes apart."""
    kind, width, streamed = weights.kind, int(lanes(weights.kind)), classes.constant(0)
    if is_half(kind) and panel.vectors == 1 and has_wide_registers(kind):
        streamed = where(panel.count <= STREAMED_ROWS, classes // width * width, 0)
        with loop(0, streamed, width) as first:
            stream(dst + first * itemsize(compute_kind(kind)), dst_row, panel, weights, first)
    place = dst + streamed * itemsize(compute_kind(kind))
    _by_tiles(place, dst_row, panel, weights.at(streamed), classes - streamed, scratch)


def _by_tiles(dst: Any, dst_row: Any, panel: Panel, weights: Weights, classes: Any, scratch: Any) -> None:
    """The same, tile by tile.

    Class by class they come out as vectors over the rows, and are transposed at the end.
    """
    work, taken = compute_kind(weights.kind), tile_rows(weights.kind)
    size, width = itemsize(work), classes.constant(panel.vectors * vector_bytes(work))
    room = scratch + taken * _WIDENED * size
    with loop(0, classes, taken) as first:
        count = minimum(classes - first, taken)
        sums = _of_a_tile(work, weights.at(first), count, panel, scratch)
        for i, of_class in enumerate(sums):
            place = minimum(first + i, classes - 1) * size
            bias = splat(of_class[0], load_scalar(work, weights.bias + place))
            for j, total in enumerate(of_class):
                store(work, room + (first + i) * width, total + bias, j)
    transpose(work, dst, dst_row, room, width, classes, panel.count)


def _of_a_tile(work: Any, weights: Weights, count: Any, panel: Panel, scratch: Any) -> Sums:
    """The products of a few classes' weights; halves are widened in the scratch, some numbers at a time."""
    kind, depth = weights.kind, weights.depth
    if not is_half(kind):
        rows = Rows.side_by_side(kind, weights.address, weights.row)
        following = weights.address + weights.row * tile_rows(kind)

        def ask(k: Any) -> None:
            # a number of the next weights for each that is multiplied: those of a tile by its end
            prefetch(following + k * (tile_rows(kind) * itemsize(kind)))

        return multiply(work, rows, count, panel.address, panel.vectors, depth, meanwhile=ask)
    taken, row = tile_rows(kind), depth.constant(_WIDENED * itemsize(work))
    sums = Variable(*[full(work, 0.0)] * (taken * panel.vectors))
    with loop(0, depth, _WIDENED) as k:
        chunk, begin = minimum(depth - k, _WIDENED), weights.address + k * itemsize(kind)
        with loop(0, count) as i:
            convert_row(work, scratch + i * row, kind, begin + i * weights.row, chunk, taken * weights.row)
        place = panel.address + k * (panel.vectors * vector_bytes(work))
        rows = Rows.side_by_side(work, scratch, row)
        sums.value = flat(
            multiply(work, rows, count, place, panel.vectors, chunk, by_row(sums.value, panel.vectors))
        )
    return by_row(sums.value, panel.vectors)
