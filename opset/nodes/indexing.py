"""Numbers found, put and counted by their places."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from .arrays import Array
from .node import Node, Operation

_REDUCTIONS: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def gather_nd(node: Node) -> Operation:
    """Slices by the coordinates in the last axis of the indices; the first axes may be common to both."""
    batch = node.attributes.get("batch_dims", 0)

    def run(x: Array, indices: Array) -> Array:
        common = np.ix_(*(np.arange(n) for n in indices.shape[:batch])) if batch else ()
        rest = indices.ndim - 1 - batch
        first = [place.reshape(*place.shape, *[1] * rest) for place in common]
        return np.asarray(x[(*first, *np.moveaxis(indices, -1, 0))])

    return Operation(run, fresh=True)


def scatter_nd(node: Node) -> Operation:
    """Slices put, added, … where the coordinates in the last axis of the indices say."""
    reduction = node.attributes.get("reduction", "none")

    def run(x: Array, indices: Array, updates: Array) -> Array:
        return _put(x, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)

    return Operation(run, fresh=True)


def scatter_elements(node: Node) -> Operation:
    """Numbers put, added, … along an axis, each in its own place along the others."""
    axis, reduction = node.attributes.get("axis", 0), node.attributes.get("reduction", "none")

    def run(x: Array, indices: Array, updates: Array) -> Array:
        places: list[Any] = list(np.indices(indices.shape, sparse=True))
        places[axis] = indices
        return _put(x, tuple(places), updates, reduction)

    return Operation(run, fresh=True)


def _put(x: Array, places: Any, updates: Array, reduction: str) -> Array:
    result = np.array(x)
    if reduction == "none":
        result[places] = updates
    else:
        _REDUCTIONS[reduction].at(result, places, updates)
    return result


def one_hot(node: Node) -> Operation:
    """A new axis with the second value at each index, and the first elsewhere; indices out of reach have none."""
    axis = node.attributes.get("axis", -1)

    def run(indices: Array, depth: Array, values: Array) -> Array:
        count = int(depth.item())
        # A float is cut off; what is below 0 counts from the end, once.
        numbers = np.expand_dims(indices.astype(np.int64), axis)
        shape = [1] * numbers.ndim
        shape[axis] = count
        classes = np.arange(count).reshape(shape)
        return np.asarray(np.where((numbers == classes) | (numbers + count == classes), values[1], values[0]))

    return Operation(run, fresh=True)


def non_zero(x: Array) -> Array:
    """The coordinates of what is not 0, in columns."""
    return (
        np.array(np.nonzero(np.atleast_1d(x)), np.int64) if x.ndim else np.zeros((0, int(bool(x))), np.int64)
    )


def compress(node: Node) -> Operation:
    """Those slices along an axis, or of the flat tensor those numbers, for which the condition holds."""
    axis = node.attributes.get("axis")

    def run(x: Array, condition: Array) -> Array:
        flat, along = (x.ravel(), 0) if axis is None else (x, axis)
        return np.asarray(np.compress(condition[: flat.shape[along]], flat, along))

    return Operation(run, fresh=True)


def place_of_smallest(node: Node) -> Operation:
    """The index of the smallest number along an axis, of several the first or the last."""
    axis, last = node.attributes.get("axis", 0), bool(node.attributes.get("select_last_index", 0))
    keeps = bool(node.attributes.get("keepdims", 1))

    def run(x: Array) -> Array:
        if not last:
            return np.asarray(np.argmin(x, axis, keepdims=keeps), np.int64)
        return np.asarray(x.shape[axis] - 1 - np.argmin(np.flip(x, axis), axis, keepdims=keeps), np.int64)

    return Operation(run, fresh=True)


def reversed_sequences(node: Node) -> Operation:
    """The first so many steps of each row in the opposite order."""
    time, batch = node.attributes.get("time_axis", 0), node.attributes.get("batch_axis", 1)

    def run(x: Array, lengths: Array) -> Array:
        turned = np.moveaxis(x, (time, batch), (0, 1))
        steps = np.arange(len(turned))[:, None]
        order = np.where(steps < lengths, lengths - 1 - steps, steps)
        return np.array(np.moveaxis(turned[order, np.arange(turned.shape[1])], (0, 1), (time, batch)))

    return Operation(run, fresh=True)


def triangle(node: Node) -> Operation:
    """The upper or lower triangle of matrices, 0 elsewhere."""
    cut = np.triu if node.attributes.get("upper", 1) else np.tril
    return Operation(lambda x, k=None: np.asarray(cut(x, 0 if k is None else int(k.item()))), fresh=True)


def cumulative_sum(node: Node) -> Operation:
    """Sums up to each number, or to the one before it, from one end or the other; in float64, rounded once."""
    exclusive, reverse = (bool(node.attributes.get(name, 0)) for name in ("exclusive", "reverse"))

    def run(x: Array, axis: Array) -> Array:
        along = int(axis.item())
        turned = np.flip(x, along) if reverse else x
        wide = turned if x.dtype.kind in "iu" else turned.astype(np.float64)
        sums = np.cumsum(wide, along, dtype=wide.dtype)
        if exclusive:
            sums = np.roll(sums, 1, along)
            first: list[Any] = [slice(None)] * x.ndim
            first[along] = slice(0, 1)
            sums[tuple(first)] = 0
        return np.array(np.flip(sums, along) if reverse else sums).astype(x.dtype)

    return Operation(run, fresh=True)


def numbers_between(start: Array, limit: Array, step: Array) -> Array:
    """ceil((limit - start) / step) numbers, each the start and so many steps."""
    first, last, each = (value.item() for value in (start, limit, step))
    count = max(int(np.ceil((last - first) / each)), 0)
    return np.asarray(first + np.arange(count) * each).astype(start.dtype)


def identity_like(node: Node) -> Operation:
    """Ones on a diagonal of a matrix of the same shape, of the same dtype unless an attribute names one."""
    number, k = node.attributes.get("dtype"), node.attributes.get("k", 0)

    def run(x: Array) -> Array:
        dtype = x.dtype if number is None else onnx.helper.tensor_dtype_to_np_dtype(number)
        rows, columns = x.shape
        return np.asarray(np.eye(rows, columns, k, dtype=dtype))

    return Operation(run, fresh=True)


def depth_to_space(node: Node) -> Operation:
    """Channels into blocks of an image; the block's places come before the channels, or after them (CRD)."""
    size, mode = node.attributes["blocksize"], node.attributes.get("mode", "DCR")

    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        if mode == "DCR":
            parts = x.reshape(n, size, size, c // size**2, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            parts = x.reshape(n, c // size**2, size, size, h, w).transpose(0, 1, 4, 2, 5, 3)
        return parts.reshape(n, c // size**2, h * size, w * size)

    return Operation(run, fresh=True)


def space_to_depth(node: Node) -> Operation:
    """Blocks of an image into channels, the block's places before the channels, or after them (CRD)."""
    size, mode = node.attributes["blocksize"], node.attributes.get("mode", "DCR")

    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        parts = x.reshape(n, c, h // size, size, w // size, size)
        parts = parts.transpose((0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
        return parts.reshape(n, c * size**2, h // size, w // size)

    return Operation(run, fresh=True)
