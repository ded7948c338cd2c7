"""x @ weight.T + bias by the block product, for what follows: the scores as an array."""

from typing import Any

import numpy as np

from ..arrays.addresses import Array, address, first_number
from ..arrays.operators import LANES
from ..compile.threads import run
from ..products.panels import pack, panels, share_of_rows
from ..products.scores import Weights, scores, scores_room
from ..rowwise.kernels import over_pieces
from ..vector import compute_kind, itemsize, loop, minimum, when
from .inputs import Layer

# A piece of the work is so many classes, whose weights stay in the second cache, for so many rows: whole panels.
_CLASSES, _ROWS = 48, 768
# So many products take as long as a number of a softmax, by which `threads` counts.
PRODUCTS_A_NUMBER = 36.0


def _room(kind: Any, _: Any) -> int:
    return scores_room(kind, _CLASSES)


def _work(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, depth: Any, scratch: Any) -> None:
    """Stage 0 packs the rows of x, stage 1 multiplies; lines are pieces, those of a block of classes together."""
    x, packed, rows, address, row, bias, classes, pieces = src
    work = compute_kind(kind)
    size = itemsize(work)
    with when(stage == 0) as otherwise:
        share = share_of_rows(work, rows, first, last, pieces)
        pack(work, packed, x, depth * size, rows, depth, *share)
    with otherwise, loop(first, last) as piece:
        groups = (rows + (_ROWS - 1)) // _ROWS
        block, group = piece // groups * _CLASSES, piece % groups * _ROWS
        weights = Weights(kind, address, row, bias, depth).at(block)
        for panel in panels(work, packed, rows, depth, group, group + _ROWS):
            place = dst + (panel.first * classes + block) * size
            scores(place, classes * size, panel, weights, minimum(classes - block, _CLASSES), scratch)


_KERNELS = over_pieces(_work, _room, stages=2)


def product(layer: Layer, into: Array | None = None) -> Array:
    """The scores x @ weight.T + bias of a layer in the computing type, (rows, classes); an array `into` which."""
    x, weight, bias = layer[:3]
    (rows, depth), classes = x.shape, len(weight)
    result = np.empty((rows, classes), x.dtype) if into is None else into
    if result.size == 0:
        return result
    width = LANES[x.itemsize]
    packed = np.empty(-(-rows // width) * width * depth, x.dtype)
    pieces = -(-classes // _CLASSES) * -(-rows // _ROWS)
    weights = first_number(weight), weight.strides[0], address(bias), classes
    src = address(x), address(packed), rows, *weights, pieces
    work = rows * depth * classes / PRODUCTS_A_NUMBER
    run(_KERNELS[weight.dtype], work, pieces, address(result), src, pieces, depth)
    return result
