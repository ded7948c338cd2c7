"""x @ weight.T + bias for a few rows: the weights are read once, at the memory's speed.

Sums are taken otherwise than by `product`: lane by lane, then over the lanes.
"""

from typing import Any

import numpy as np

from ..arrays.addresses import Array, address, first_number
from ..arrays.operators import LANES
from ..compile.kernels import over_rows
from ..compile.threads import run
from ..products.lines import products_of_rows
from ..vector import compute_kind, itemsize, lanes, load_partial, loop, minimum, store_partial, traced
from .inputs import Layer

# A piece of the work is so many classes: their weights stay in the second cache for all rows.
_CLASSES = 64
# Reading so many weights takes as long as a number of a softmax, by which `threads` counts.
_WEIGHTS_A_NUMBER = 10.0


@traced
def _pieces(kind: Any, dst: Any, src: Any, first: Any, last: Any, depth: Any) -> None:
    x, x_row, rows, weights, row, bias, classes = src
    work, width = compute_kind(kind), int(lanes(kind))
    size = itemsize(work)
    with loop(first * _CLASSES, minimum(last * _CLASSES, classes), _CLASSES) as begin:
        count = minimum(classes - begin, _CLASSES)
        with loop(0, rows) as i:
            place = dst + (i * classes + begin) * size

            def put(
                at: Any, products: Any, place: Any = place, begin: Any = begin, count: Any = count
            ) -> None:
                few = minimum(count - at, width)
                added = load_partial(work, bias + (begin + at) * size, few, 0.0)
                store_partial(work, place + at * size, products + added, few)

            products_of_rows(kind, x + i * x_row, weights + begin * row, row, count, depth, put)


_KERNELS = over_rows(_pieces)


def few_rows_product(layer: Layer) -> Array:
    """The scores x @ weight.T + bias of a layer in the computing type, (rows, classes)."""
    x, weight, bias = layer[:3]
    (rows, depth), classes = x.shape, len(weight)
    result = np.empty((rows, classes), x.dtype)
    if result.size == 0:
        return result
    over = -depth % LANES[x.itemsize]
    if over:
        x = np.pad(x, ((0, 0), (0, over)))
    src = address(x), x.strides[0], rows, first_number(weight), weight.strides[0], address(bias), classes
    pieces = -(-classes // _CLASSES)
    work = rows * depth * classes / _WEIGHTS_A_NUMBER
    run(_KERNELS[weight.dtype], work, pieces, address(result), src, pieces, depth)
    return result
