"""Pieces of tensors, taken out and put together, at every version's meaning."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import TEXT, Array
from .node import Node, Operation


def concat(node: Node) -> Operation:
    """One behind the other along an axis."""
    axis = node.attributes.get("axis", 1)  # the default of version 1; later ones have none

    def run(*arrays: Array) -> Array:
        if len({array.dtype for array in arrays if array.dtype.kind not in TEXT}) > 1:
            message = f"all must have one dtype, not {', '.join(str(array.dtype) for array in arrays)}"
            raise TypeError(message)
        return np.concatenate(arrays, axis)

    return Operation(run, fresh=True)


def gather(node: Node) -> Operation:
    """What lies at some indices along an axis."""
    axis = node.attributes.get("axis", 0)
    # Of one number NumPy gives the number alone.
    return Operation(lambda x, indices: np.asarray(np.take(x, indices, axis), x.dtype), fresh=True)


def gather_elements(node: Node) -> Operation:
    """For each index the number there along an axis, in the index's own place along the others."""
    axis = node.attributes.get("axis", 0)

    def run(x: Array, indices: Array) -> Array:
        along = axis + x.ndim if axis < 0 else axis
        near = tuple(slice(None if place == along else n) for place, n in enumerate(indices.shape))
        return np.take_along_axis(x[near], indices, along)

    return Operation(run, fresh=True)


def slices(node: Node) -> Operation:
    """Starts, ends and axes are attributes before version 10, and inputs since, with steps."""
    if node.version < 10:
        starts, ends, axes = (node.attributes.get(name) for name in ("starts", "ends", "axes"))
        return Operation(lambda x: _cut(x, starts, ends, axes))
    return Operation(_cut)


def _cut(x: Array, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Array:
    chosen = range(len(starts)) if axes is None else [int(axis) for axis in axes]
    strides = [1] * len(starts) if steps is None else [int(step) for step in steps]
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(chosen, starts, ends, strides, strict=True):
        first, last = int(start), int(end)
        if step < 0:
            # Read as numbers in [0, length - 1] and [-1, length - 1], which is not how Python's slices are read.
            length = x.shape[axis]
            first = max(first + length if first < 0 else first, 0)
            last = last + length if last < 0 else last
            index[axis] = slice(first, last if last >= 0 else None, step)
        else:
            index[axis] = slice(first, last, step)
    return x[tuple(index)]
