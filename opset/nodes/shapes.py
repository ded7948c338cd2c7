"""Shapes and dtypes, at every version's meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from .arrays import Array
from .node import Node, Operation

_PLAIN_DTYPES = "bfloat16 bool float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64"
_CASTABLE = frozenset(_PLAIN_DTYPES.split())


def shape(node: Node) -> Operation:
    """The lengths of the dimensions, or of some of them."""
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return Operation(lambda x: np.array(x.shape[start:end], np.int64), fresh=True)


def reshape(node: Node) -> Operation:
    """The shape is an attribute before version 5, and an input since."""
    zero_is_length = bool(node.attributes.get("allowzero", 0))

    def reshaped(x: Array, lengths: Sequence[int]) -> Array:
        if not zero_is_length:
            lengths = [length or x.shape[place] for place, length in enumerate(lengths)]
        return x.reshape(lengths)

    fixed = node.attributes.get("shape") if node.version < 5 else node.fixed(1)
    if fixed is None:
        return Operation(lambda x, lengths: reshaped(x, lengths.tolist()))
    given = [int(length) for length in fixed]
    return Operation(lambda x, _=None: reshaped(x, given))


def flatten(node: Node) -> Operation:
    """A matrix, cut in front of the axis."""
    axis = node.attributes.get("axis", 1)

    def run(x: Array) -> Array:
        if not -x.ndim <= axis <= x.ndim:
            message = f"axis must lie in [{-x.ndim}, {x.ndim}], not be {axis}"
            raise ValueError(message)
        split = axis + x.ndim if axis < 0 else axis
        return x.reshape(math.prod(x.shape[:split]), math.prod(x.shape[split:]))

    return Operation(run)


def transpose(node: Node) -> Operation:
    """The dimensions in the order of ``perm``, or the other way round."""
    order = node.attributes.get("perm")
    return Operation(lambda x: x.transpose(order))


def _axes(node: Node) -> tuple[int, ...] | None:
    """The axes of Squeeze and Unsqueeze: an attribute before version 13, an input since; None where unknown yet."""
    value = node.attributes.get("axes") if node.version < 13 else node.fixed(1)
    return None if value is None else tuple(int(axis) for axis in np.ravel(value))


def squeeze(node: Node) -> Operation:
    """Without some dimensions of length 1, or without any."""
    axes = _axes(node)
    if axes is not None or not node.has(1):
        return Operation(lambda x, _=None: x.squeeze(axes))
    return Operation(lambda x, axes: x.squeeze(tuple(axes.ravel().tolist())))


def unsqueeze(node: Node) -> Operation:
    """With dimensions of length 1."""
    axes = _axes(node)
    if axes is not None:
        return Operation(lambda x, _=None: np.expand_dims(x, axes))
    return Operation(lambda x, axes: np.expand_dims(x, tuple(axes.ravel().tolist())))


def constant_of_shape(node: Node) -> Operation:
    """One number everywhere; 0 unless an attribute says otherwise."""
    value = node.attributes.get("value")
    fill = np.zeros((), np.float32) if value is None else value.reshape(())
    return Operation(lambda lengths: np.full(tuple(lengths.tolist()), fill, fill.dtype), fresh=True)


def cast(node: Node) -> Operation | None:
    """``to`` is a name before version 6. Text and the smallest floats are for onnx's own implementation."""
    to = node.attributes.get("to")
    number = onnx.TensorProto.DataType.Value(to) if isinstance(to, str) else to
    if number in (None, onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        return None
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))
    if dtype.name not in _CASTABLE:
        return None
    return Operation(lambda x: x.astype(dtype), fresh=True)


def dropout(node: Node) -> Operation | None:
    """The input and a mask of ones; before version 12 there is no training to ask for, as onnxruntime reads it."""
    if node.version >= 12 and node.has(2):
        return None
    if node.outputs < 2:
        return Operation(lambda x, *_: x)
    return Operation(lambda x, *_: (x, np.ones(x.shape, bool if node.version >= 10 else x.dtype)), many=True)


def expand(x: Array, lengths: Array) -> Array:
    """Broadcast with a shape, in memory of its own."""
    target = np.broadcast_shapes(x.shape, tuple(lengths.tolist()))
    return np.array(np.broadcast_to(x, target), order="C")


def element(x: Any) -> Any:
    """What an optional holds, which is the element itself or None."""
    if x is None:
        message = "the optional is empty"
        raise ValueError(message)
    return x
