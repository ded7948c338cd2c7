"""Shapes, dtypes and the pieces of tensors in NumPy, at every version's meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .node import Maker, Spot
from .plan import Work

Array = NDArray[Any]

TEXT = "OSU"
"""Kinds of dtype that strings come in, mixed at will."""

_PLAIN_DTYPES = "bfloat16 bool float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64"
_CASTABLE = frozenset(_PLAIN_DTYPES.split())


def _identity(_: Spot) -> Work:
    return Work(run=lambda x: x, view=True)


def _shape(spot: Spot) -> Work:
    start, end = spot.attributes.get("start", 0), spot.attributes.get("end")
    return Work(run=lambda x: np.array(x.shape[start:end], np.int64), fresh=True)


def _size(_: Spot) -> Work:
    return Work(run=lambda x: np.array(x.size, np.int64), fresh=True)


def _reshape(spot: Spot) -> Work:
    """The shape is an attribute before version 5, and an input since."""
    zero_is_length = bool(spot.attributes.get("allowzero", 0))

    def lengths(x: Array, shape: Sequence[int]) -> list[int]:
        if zero_is_length:
            return list(shape)
        return [length or x.shape[place] for place, length in enumerate(shape)]

    fixed = spot.attributes.get("shape") if spot.version < 5 else spot.fixed(1)
    if fixed is None:
        return Work(run=lambda x, shape: x.reshape(lengths(x, shape.tolist())), view=True)
    given = tuple(int(length) for length in fixed)
    if zero_is_length or 0 not in given:
        return Work(run=lambda x, _=None: x.reshape(given), view=True)
    return Work(run=lambda x, _=None: x.reshape(lengths(x, given)), view=True)


def _flatten(spot: Spot) -> Work:
    axis = spot.attributes.get("axis", 1)

    def run(x: Array) -> Array:
        if not -x.ndim <= axis <= x.ndim:
            message = f"axis must lie in [{-x.ndim}, {x.ndim}], not be {axis}"
            raise ValueError(message)
        split = axis + x.ndim if axis < 0 else axis
        return x.reshape(math.prod(x.shape[:split]), math.prod(x.shape[split:]))

    return Work(run=run, view=True)


def _transpose(spot: Spot) -> Work:
    order = spot.attributes.get("perm")
    return Work(run=lambda x: x.transpose(order), view=True)


def _axes(spot: Spot) -> tuple[int, ...] | None:
    """The axes of Squeeze and Unsqueeze: an attribute before version 13, an input since; None where unknown yet."""
    value = spot.attributes.get("axes") if spot.version < 13 else spot.fixed(1)
    return None if value is None else tuple(int(axis) for axis in np.ravel(value))


def _squeeze(spot: Spot) -> Work:
    axes = _axes(spot)
    if axes is not None or not spot.has(1):
        return Work(run=lambda x, _=None: x.squeeze(axes), view=True)
    return Work(run=lambda x, axes: x.squeeze(tuple(axes.ravel().tolist())), view=True)


def _unsqueeze(spot: Spot) -> Work:
    axes = _axes(spot)
    if axes is not None:
        return Work(run=lambda x, _=None: np.expand_dims(x, axes), view=True)
    return Work(run=lambda x, axes: np.expand_dims(x, tuple(axes.ravel().tolist())), view=True)


def _concat(spot: Spot) -> Work:
    axis = spot.attributes.get("axis", 1)  # the default of version 1; later ones have none

    def run(*arrays: Array) -> Array:
        if len({array.dtype for array in arrays if array.dtype.kind not in TEXT}) > 1:
            message = f"all must have one dtype, not {', '.join(str(array.dtype) for array in arrays)}"
            raise TypeError(message)
        return np.concatenate(arrays, axis)

    return Work(run=run, fresh=True)


def _gather(spot: Spot) -> Work:
    axis = spot.attributes.get("axis", 0)

    def run(x: Array, indices: Array) -> Array:
        result = np.take(x, indices, axis)
        if type(result) is np.ndarray:
            return result
        return np.array(result, x.dtype)

    return Work(run=run, fresh=True)


def _gather_elements(spot: Spot) -> Work:
    axis = spot.attributes.get("axis", 0)

    def run(x: Array, indices: Array) -> Array:
        along = axis + x.ndim if axis < 0 else axis
        near = tuple(slice(None if place == along else n) for place, n in enumerate(indices.shape))
        return np.take_along_axis(x[near], indices, along)

    return Work(run=run, fresh=True)


def _slice(spot: Spot) -> Work:
    """Starts, ends and axes are attributes before version 10, and inputs since, with steps."""
    named = [spot.attributes.get(name) for name in ("starts", "ends", "axes")]

    def cut(x: Array, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Array:
        chosen = range(len(starts)) if axes is None else [int(axis) for axis in axes]
        index = [slice(None)] * x.ndim
        strides = [1] * len(starts) if steps is None else [int(step) for step in steps]
        for axis, start, end, step in zip(chosen, starts, ends, strides, strict=True):
            first, last = int(start), int(end)
            if (
                step < 0
            ):  # read as numbers in [0, length - 1] and [-1, length - 1], which is not how slices do
                length = x.shape[axis]
                first = max(first + length if first < 0 else first, 0)
                last = last + length if last < 0 else last
                index[axis] = slice(first, last if last >= 0 else None, step)
            else:
                index[axis] = slice(first, last, step)
        return x[tuple(index)]

    if spot.version < 10:
        return Work(run=lambda x: cut(x, *named), view=True)
    return Work(run=cut, view=True)


def _cast(spot: Spot) -> Work | None:
    """``to`` is a name before version 6. Text and the smallest floats are for onnx's own implementation."""
    to = spot.attributes.get("to")
    number = onnx.TensorProto.DataType.Value(to) if isinstance(to, str) else to
    if number in (None, onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        return None
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))
    if dtype.name not in _CASTABLE:
        return None

    def run(x: Array) -> Array:
        return x.astype(dtype)

    return Work(run=run, fresh=True)


def _constant_of_shape(spot: Spot) -> Work:
    value = spot.attributes.get("value")
    fill = np.zeros((), np.float32) if value is None else value.reshape(())
    return Work(run=lambda shape: np.full(tuple(shape.tolist()), fill, fill.dtype), fresh=True)


def _expand(_: Spot) -> Work:
    def run(x: Array, shape: Array) -> Array:
        target = np.broadcast_shapes(x.shape, tuple(shape.tolist()))
        return np.array(np.broadcast_to(x, target), order="C")

    return Work(run=run, fresh=True)


def _dropout(spot: Spot) -> Work | None:
    """The input and a mask of ones; before version 12 there is no training to ask for, as onnxruntime reads it."""
    if spot.version >= 12 and spot.has(2):
        return None
    if spot.outputs < 2:
        return Work(run=lambda x, *_: x, view=True)
    return Work(run=lambda x, *_: (x, np.ones(x.shape, bool if spot.version >= 10 else x.dtype)), many=True)


def _optional(spot: Spot) -> Work:
    """An optional holds its element itself, or None."""
    return Work(run=lambda x=None: x, view=spot.has(0))


def _has_element(_: Spot) -> Work:
    return Work(run=lambda x=None: np.array(x is not None), fresh=True)


def _element(_: Spot) -> Work:
    def run(x: Any) -> Any:
        if x is None:
            message = "the optional is empty"
            raise ValueError(message)
        return x

    return Work(run=run, view=True)


SHAPES: dict[str, Maker] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Identity": _identity,
    "Optional": _optional,
    "OptionalGetElement": _element,
    "OptionalHasElement": _has_element,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
