"""The gradient with respect to weights and biases: dweight += dᵀ x, dbias += Σ d, with d the gradient of the scores.

for a block of classes:
    for some rows of d: transpose them, so that the numbers of a class are neighbours
        add their sums to dbias
        for a panel of features, a few classes at a time: dweight += their numbers · x
"""

from typing import Any

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.operators import LANES
from ..compile.threads import run
from ..numerics.sums import reduce_add
from ..products.columns import load_block, pack_columns, store_block
from ..products.panels import panels, share_of_rows
from ..products.tile import Rows, multiply, tile_rows
from ..products.transpose import transpose
from ..rowwise.kernels import over_pieces
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    full,
    itemsize,
    load_scalar,
    loop,
    minimum,
    prefetch,
    store_scalar,
    vector_bytes,
    when,
    where,
    widen,
)
from .product import PRODUCTS_A_NUMBER

# So many classes are a piece of the work, and so many rows are transposed at a time, which stays in the second cache.
_CLASSES, _ROWS = 48, 256


def _work(
    kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, features: Any, scratch: Any
) -> None:
    """Stage 0 packs x, stage 1 multiplies; lines are pieces."""
    d, x, packed, rows, classes, biases, fresh, pieces = src
    row, size = features * itemsize(kind), itemsize(kind)
    with when(stage == 0) as otherwise:
        share = share_of_rows(kind, features, first, last, pieces)
        pack_columns(kind, packed, x, row, features, rows, *share)
    with otherwise, loop(first, last) as piece, loop(0, rows, _ROWS) as k:
        block = piece * _CLASSES
        count, depth = minimum(classes - block, _CLASSES), minimum(rows - k, _ROWS)
        step = rows.constant(_ROWS * size)
        transpose(kind, scratch, step, d + (k * classes + block) * size, classes * size, depth, count)
        _add_biases(kind, biases + block * 8, scratch, step, count, depth)
        for panel in panels(kind, packed, features, rows, 0, features):
            numbers = panel.address + k * (panel.vectors * vector_bytes(kind))
            with loop(0, count, tile_rows(kind)) as i:
                left, place = count - i, dst + (block + i) * row
                of_classes = Rows.side_by_side(kind, scratch + i * step, step)
                columns = where((fresh != 0) & (k == 0), 0, panel.count)
                begin_with = load_block(kind, place, row, left, panel._replace(count=columns))
                following = place + tile_rows(kind) * row + panel.first * size

                def ask(k: Any, following: Any = following) -> None:
                    # the lines of the sums that the next classes are added to, one after another
                    prefetch(
                        following + k % tile_rows(kind) * row + k // tile_rows(kind) % 4 * 64, write=True
                    )

                sums = multiply(
                    kind, of_classes, left, numbers, panel.vectors, depth, begin_with, meanwhile=ask
                )
                store_block(kind, place, row, left, panel, sums)


def _add_biases(kind: Any, dst: Any, src: Any, step: Any, count: Any, depth: Any) -> None:
    """The sum of each class's numbers, in float64."""
    real = step.constant(0.0, types.float64)
    with loop(0, count) as i:
        total = Variable(widen(full(kind, 0.0)))
        for part in slices(kind, depth):
            total.value += widen(part.load(src + i * step))
        place = dst + i * 8
        store_scalar(real, place, load_scalar(real, place) + reduce_add(total.value))


def _room(kind: Any, _: Any) -> int:
    return _CLASSES * _ROWS


_KERNELS = over_pieces(_work, _room, stages=2)


def add_weight_gradient(dweight: Array, dbias: Array, d: Array, x: Array, *, fresh: bool) -> None:
    """Add those of some rows, with gradients d (rows, classes) of their scores, to dweight and to dbias in float64.

    `fresh`: dweight is written, not added to, and not read.
    """
    (rows, features), classes = x.shape, d.shape[1]
    width = LANES[x.itemsize]
    packed = np.empty(-(-features // width) * width * rows, x.dtype)
    pieces = -(-classes // _CLASSES)
    src = address(d), address(x), address(packed), rows, classes, address(dbias), int(fresh), pieces
    work = rows * features * classes / PRODUCTS_A_NUMBER
    run(_KERNELS[x.dtype], work, pieces, address(dweight), src, pieces, features)
