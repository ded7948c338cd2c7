"""Numbers in a few bits: quantized, read again, and multiplied as integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx

from .arrays import HALVES, Array, same_dtype
from .node import Node, Operation

_DIVISION = frozenset((*HALVES, np.dtype(np.float32), np.dtype(np.float64)))
"""What is divided in as it is; anything else in float32."""

_BYTE = np.dtype(np.uint8)

_integer_limits: Any = ml_dtypes.iinfo
_float_limits: Any = ml_dtypes.finfo


def quantize(node: Node) -> Operation:
    """x / scale, divided in the scale's dtype or a given one, rounded to even, plus the zero point, as near as fits."""
    attributes = node.attributes
    named, precise = (_dtype_of(attributes, name) for name in ("output_dtype", "precision"))
    saturates = bool(attributes.get("saturate", 1))

    def run(x: Array, scale: Array, zero: Array | None = None) -> Array:
        dtype = zero.dtype if zero is not None else named or _BYTE
        division = precise or (scale.dtype if scale.dtype in _DIVISION else np.dtype(np.float32))
        steps = _laid_out(scale, x, attributes).astype(division)
        quotient = np.asarray(x.astype(division) / steps).astype(np.float64)
        start: Any = 0 if zero is None else _laid_out(zero, x, attributes).astype(np.float64)
        if _is_integer(dtype):
            limits = _integer_limits(dtype)
            return np.asarray(np.clip(np.rint(quotient) + start, limits.min, limits.max)).astype(dtype)
        return _as_small_float(np.asarray(quotient + start), dtype, saturates=saturates)

    return Operation(run, fresh=True)


def dequantize(node: Node) -> Operation:
    """(x - zero point) scale, for the whole tensor, along an axis or by blocks; rounded once."""
    attributes, named = node.attributes, _dtype_of(node.attributes, "output_dtype")

    def run(x: Array, scale: Array, zero: Array | None = None) -> Array:
        dtype = named or (scale.dtype if scale.dtype in _DIVISION else np.dtype(np.float32))
        steps = x.astype(np.float64)
        if zero is not None:
            same_dtype(x, zero)
            steps = steps - _laid_out(zero, x, attributes).astype(np.float64)
        return np.asarray(steps * _laid_out(scale, x, attributes).astype(np.float64)).astype(dtype)

    return Operation(run, fresh=True)


def dynamic_quantize(x: Array) -> tuple[Array, Array, Array]:
    """Bytes from the smallest to the largest number, of which one stands for 0; their scale and zero point."""
    low, high = (np.float32(ufunc(x, initial=0)) for ufunc in (np.min, np.max))
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    y = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)
    return y, np.asarray(scale, np.float32), np.asarray(zero).astype(np.uint8)


def integer_product(a: Array, b: Array, a_zero: Array | None = None, b_zero: Array | None = None) -> Array:
    """(A - zero points of rows) (B - zero points of columns), in float64, which is exact, as int32."""
    left, right = a.astype(np.float64), b.astype(np.float64)
    if a_zero is not None:
        left = left - (a_zero[:, None] if a_zero.ndim == 1 and a_zero.size > 1 else a_zero)
    if b_zero is not None:
        right = right - b_zero
    return np.asarray(np.matmul(left, right)).astype(np.int64).astype(np.int32)


def _dtype_of(attributes: Mapping[str, Any], name: str) -> np.dtype[Any] | None:
    number = attributes.get(name, 0)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else None


def _is_integer(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" or dtype.name.startswith(("int", "uint"))


def _laid_out(numbers: Array, x: Array, attributes: Mapping[str, Any]) -> Array:
    """Scales or zero points as they stand beside the numbers of a tensor."""
    if numbers.size == 1:
        return numbers.reshape(())
    axis, block = attributes.get("axis", 1) % x.ndim, attributes.get("block_size", 0)
    if numbers.ndim == 1 and not block:
        shape = [1] * x.ndim
        shape[axis] = -1
        return numbers.reshape(shape)
    each = block or -(-x.shape[axis] // numbers.shape[axis])
    return np.asarray(np.take(numbers, np.arange(x.shape[axis]) // each, axis))


def _as_small_float(x: Array, dtype: np.dtype[Any], *, saturates: bool) -> Array:
    """The nearest number of a float of 8 bits or fewer; beyond the largest that one, or what the cast makes of it."""
    largest = float(_float_limits(dtype).max)
    kept: Array = np.clip(x, -largest, largest) if saturates else x
    return np.asarray(kept.astype(np.float32).astype(dtype))
