"""x @ weight.T + bias by the block product, for what follows: the scores as an array."""

from typing import Any

import numpy as np

from ..arrays.addresses import Array, address, first_number
from ..arrays.operators import LANES
from ..compile.jit import helper, keep_alive
from ..compile.kernels import in_stages
from ..compile.threads import run
from ..products.panels import pack, panel_rows, panels
from ..products.scores import Weights, scores, scores_room
from ..rowwise.kernels import new_scratch
from ..vector import compute_kind, itemsize, loop, minimum, traced, when
from .inputs import Layer

# A piece of the work is so many classes, whose weights stay in the second cache, for so many rows: whole panels.
_CLASSES, _ROWS = 48, 768
# So many products take as long as a number of a softmax, by which `threads` counts.
PRODUCTS_A_NUMBER = 36.0


@traced
def _room(kind: Any) -> Any:
    return scores_room(kind, _CLASSES)


@traced
def _work(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, depth: Any, scratch: Any) -> None:
    """Stage 0 packs the rows of x, stage 1 multiplies; lines are pieces, those of a block of classes together."""
    x, packed, rows, address, row, bias, classes, pieces = src
    work = compute_kind(kind)
    each, size = panel_rows(work), itemsize(work)
    with when(stage == 0) as otherwise:
        units = (rows + (each - 1)) // each
        begin, end = units * first // pieces * each, units * last // pieces * each
        pack(work, packed, x, depth * size, rows, depth, begin, end)
    with otherwise, loop(first, last) as piece:
        groups = (rows + (_ROWS - 1)) // _ROWS
        block, group = piece // groups * _CLASSES, piece % groups * _ROWS
        weights = Weights(kind, address, row, bias, depth).at(block)
        for panel in panels(work, packed, rows, depth, group, group + _ROWS):
            place = dst + (panel.first * classes + block) * size
            scores(place, classes * size, panel, weights, minimum(classes - block, _CLASSES), scratch)


@helper
def _lines(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, n: Any) -> Any:
    owner, scratch = new_scratch(_room(kind), kind)
    _work(kind, dst, src, stage, first, last, n, scratch)
    keep_alive(owner)


_KERNELS = in_stages(_lines, 2, 1.0, lambda n, inner: 1)


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
