"""Where the lines of any array lie: the n numbers along an axis, found without a copy of the array."""

import itertools
from typing import Any, NamedTuple

import numpy as np

from ..arrays.addresses import Array, address, first_number
from ..vector import Variable, load_scalar, when


class Places(NamedTuple):
    """Where the lines of an array lie, in bytes."""

    start: Any
    """The address of the first line."""
    offsets: Any
    """The address of the offsets of all lines from the first; 0 where one stride leads from each to the next."""
    stride: Any
    """From one line to the next, where they do."""
    along: Any
    """From one number of a line to the next."""


def places_of(x: Array, axis: int) -> tuple[Places, Array | None]:
    """The places of the lines of `x` along `axis`, in C order of the other axes; and what must live as long."""
    if axis == x.ndim - 1 and x.flags.c_contiguous:
        return Places(address(x), 0, x.shape[axis] * x.itemsize, x.itemsize), None
    along = x.strides[axis] if x.shape[axis] > 1 else x.itemsize
    others = [(x.shape[d], x.strides[d]) for d in range(x.ndim) if d != axis and x.shape[d] > 1]
    for (_, outer), (length, inner) in itertools.pairwise(others):
        if outer != length * inner:
            break
    else:
        return Places(first_number(x), 0, others[-1][1] if others else 0, along), None
    offsets = np.zeros(1, np.int64)
    for length, stride in others:
        offsets = (offsets[:, None] + np.arange(length, dtype=np.int64) * stride).ravel()
    return Places(first_number(x), address(offsets), 0, along), offsets


def line_at(places: Places, line: Any) -> Any:
    """The address of a line."""
    offset = Variable(line * places.stride)
    with when(places.offsets != 0):
        offset.value = load_scalar(line.constant(0), places.offsets + line * 8)
    return places.start + offset.value
