"""The gradient with respect to rows of features: dx = d @ weight, with d the gradient of the scores.

for some rows and columns of dx:
    for a block of classes: pack their weights, columns side by side
        for a panel of columns, a few rows at a time: sums += d · weights

Sums over a block are in the computing type, those of the blocks are added up in float64.
"""

from typing import Any

from numba import types

from ..arrays.addresses import Array, address, first_number
from ..compile.threads import run
from ..products.columns import pack_columns, store_block
from ..products.panels import Panel, panels
from ..products.tile import Rows, multiply, tile_rows
from ..rowwise.kernels import over_pieces
from ..vector import (
    compute_kind,
    full,
    itemsize,
    lanes,
    loop,
    minimum,
    narrow,
    prefetch,
    widen,
)
from ..vector.memory import read, write
from .product import PRODUCTS_A_NUMBER

# A piece of the work is so many columns for so many rows, where there are columns enough for all threads, else for
# fewer rows; and so many classes are summed before float64, whose weights stay in the second cache.
_COLUMNS, _ROWS, _FEW_ROWS, _CLASSES = 96, 192, 48, 256


def _work(
    kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, columns: Any, scratch: Any
) -> None:
    d, rows, weights, weight_row, classes, each = src
    work = compute_kind(kind)
    size = itemsize(work)
    sums = scratch + _CLASSES * _COLUMNS * size
    across = (columns + (_COLUMNS - 1)) // _COLUMNS
    with loop(first, last) as piece:
        row, column = piece // across * each, piece % across * _COLUMNS
        count, width = minimum(rows - row, each), minimum(columns - column, _COLUMNS)
        _clear(work, sums, count)
        with loop(0, classes, _CLASSES) as k:
            depth = minimum(classes - k, _CLASSES)
            source = weights + k * weight_row + column * itemsize(kind)
            pack_columns(kind, scratch, source, weight_row, width, depth, 0, width)
            numbers = d + (row * classes + k) * size
            for panel in panels(work, scratch, width, depth, 0, width):
                with loop(0, count, tile_rows(work)) as i:
                    of_rows = Rows.side_by_side(work, numbers + i * classes * size, classes * size)
                    later = source + (depth + panel.first + i) * weight_row

                    def ask(k: Any, of_rows: Rows = of_rows, later: Any = later) -> None:
                        # what the next rows are, half a line at a time, and some of the weights of the next block
                        row, place = k // 32, k % 32
                        prefetch(of_rows.at(row + tile_rows(work)).address + place * 32)
                        prefetch(later + row * weight_row + place // 4 * 64)

                    found = multiply(
                        work, of_rows, count - i, panel.address, panel.vectors, depth, meanwhile=ask
                    )
                    _add(work, sums, i, panel, found)
        for panel in panels(work, scratch, width, columns, 0, width):
            with loop(0, count, tile_rows(work)) as i:
                place = dst + ((row + i) * columns + column) * size
                store_block(work, place, columns * size, count - i, panel, _sums(work, sums, i, panel, count))


def _place(work: Any, sums: Any, row: Any, panel: Panel, j: int) -> Any:
    return sums + (row * _COLUMNS + panel.first + j * int(lanes(work))) * 8


def _clear(work: Any, sums: Any, count: Any) -> None:
    zero = widen(full(work, 0.0))
    with loop(0, (count + tile_rows(work)) * (_COLUMNS // int(lanes(work)))) as i:
        write(zero.constant(0.0, types.float64), sums + i * (int(lanes(work)) * 8), zero)


def _add(work: Any, sums: Any, first: Any, panel: Panel, found: Any) -> None:
    """Rows of a tile beyond the last have a place of their own."""
    for i, vectors in enumerate(found):
        for j, vector in enumerate(vectors):
            place, real = _place(work, sums, first + i, panel, j), first.constant(0.0, types.float64)
            write(real, place, read(real, place, vector.lanes) + widen(vector))


def _sums(work: Any, sums: Any, first: Any, panel: Panel, count: Any) -> Any:
    """Of a tile, rounded; the last row for those beyond."""
    real, width = first.constant(0.0, types.float64), int(lanes(work))
    return [
        [
            narrow(work, read(real, _place(work, sums, minimum(first + i, count - 1), panel, j), width))
            for j in range(panel.vectors)
        ]
        for i in range(tile_rows(work))
    ]


def _room(kind: Any, src: Any) -> Any:
    """How many numbers of scratch: packed weights, and sums, two numbers of float32 each."""
    return _CLASSES * _COLUMNS + (src[5] + tile_rows(compute_kind(kind))) * (2 * _COLUMNS)


_KERNELS = over_pieces(_work, _room)


def write_row_gradient(dx: Array, d: Array, weight: Array) -> None:
    """Write d @ weight, all of the computing type but the weights, which may be halves."""
    (rows, columns), classes = dx.shape, d.shape[1]
    each = _ROWS if columns > 4 * _COLUMNS else _FEW_ROWS
    pieces = -(-rows // each) * -(-columns // _COLUMNS)
    src = address(d), rows, first_number(weight), weight.strides[0], classes, each
    work = rows * columns * classes / PRODUCTS_A_NUMBER
    run(_KERNELS[weight.dtype], work, pieces, address(dx), src, pieces, columns)
