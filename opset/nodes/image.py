"""Convolution, pooling and batch normalization in their usual forms; unusual ones are left to onnx's own code."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from .node import Maker, Spot
from .plan import Work

Array = NDArray[Any]

_HALVES = frozenset((np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)))


@dataclass(frozen=True)
class _Window:
    """How a kernel moves over the spatial dimensions of (N, C, d1, ..., dr)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def padded(self, x: Array, value: float) -> Array:
        """The array with `value` around it."""
        if not any(self.before) and not any(self.after):
            return x
        around = [(0, 0), (0, 0), *zip(self.before, self.after, strict=True)]
        return np.pad(x, around, constant_values=x.dtype.type(value))

    def positions(self, padded: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
        """For each place in the kernel what lies there, for all places of the kernel: (N, C, o1, ..., or)."""
        out = [
            (length - dilation * (size - 1) - 1) // stride + 1
            for length, size, stride, dilation in zip(
                padded.shape[2:], self.kernel, self.strides, self.dilations, strict=True
            )
        ]
        if min(out, default=1) < 1:
            message = (
                f"the kernel {list(self.kernel)} is larger than what it moves over, {list(padded.shape[2:])}"
            )
            raise ValueError(message)
        for place in itertools.product(*map(range, self.kernel)):
            cuts = tuple(
                slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
                for k, dilation, count, stride in zip(place, self.dilations, out, self.strides, strict=True)
            )
            yield place, padded[(slice(None), slice(None), *cuts)]


def _window(attributes: Mapping[str, Any], kernel: tuple[int, ...], lengths: tuple[int, ...]) -> _Window:
    """The window over an array whose spatial dimensions have these lengths, which decide about SAME padding."""
    rank = len(kernel)
    pads = attributes.get("pads") or [0] * 2 * rank
    strides = tuple(attributes.get("strides") or [1] * rank)
    dilations = tuple(attributes.get("dilations") or [1] * rank)
    before, after = tuple(pads[:rank]), tuple(pads[rank:])
    mode = attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        before = after = (0,) * rank
    elif mode != "NOTSET":  # so much that ceil(length / stride) places fit
        missing = [
            max(0, (-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length)
            for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True)
        ]
        less, more = tuple(n // 2 for n in missing), tuple(n - n // 2 for n in missing)
        before, after = (less, more) if mode == "SAME_UPPER" else (more, less)
    return _Window(kernel, strides, dilations, before, after)


def _usual(attributes: Mapping[str, Any]) -> bool:
    """Whether no pad is below 0, and lengths are rounded down."""
    return not attributes.get("ceil_mode", 0) and min(attributes.get("pads") or [0]) >= 0


def _conv(spot: Spot) -> Work | None:
    """
    One matrix product for each place in the kernel, summed in float64 and rounded once.

    The order in which a BLAS sums in float32 depends on where in the matrix a row lies, so that channels with
    the same weights would come out different.
    """
    if not _usual(spot.attributes):
        return None
    groups = spot.attributes.get("group", 1)

    def run(x: Array, w: Array, bias: Array | None = None) -> Array:
        if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
            message = f"weights of shape {list(w.shape)} in {groups} groups do not fit"
            raise ValueError(message)
        dtype = x.dtype
        wide = np.dtype(np.float64) if dtype.kind not in "iu" else dtype
        window = _window(spot.attributes, w.shape[2:], x.shape[2:])
        weights: Any = w.astype(wide, copy=False).reshape(
            groups, w.shape[0] // groups, w.shape[1], *w.shape[2:]
        )
        total: Any = 0
        shape: tuple[int, ...] = ()
        for place, piece in window.positions(window.padded(x.astype(wide, copy=False), 0)):
            shape = piece.shape[2:]
            columns = piece.reshape(len(x), groups, w.shape[1], math.prod(shape))
            matrix = np.ascontiguousarray(weights[(slice(None), slice(None), slice(None), *place)])
            total = total + (matrix * columns if w.shape[1] == 1 else np.matmul(matrix, columns))
        y: Array = total.reshape(len(x), w.shape[0], *shape)
        if bias is not None:
            y = y + bias.reshape(-1, *[1] * len(shape))
        return y.astype(dtype, copy=False)

    return Work(run=run, fresh=True)


def _max_pool(spot: Spot) -> Work | None:
    """The largest number under the kernel, and with a second output its index in the flattened input."""
    if not _usual(spot.attributes) or (spot.outputs > 1 and spot.attributes.get("storage_order", 0)):
        return None
    kernel = tuple(spot.attributes["kernel_shape"])

    def run(x: Array) -> Array:
        window = _window(spot.attributes, kernel, x.shape[2:])
        result: Any = None
        for _, piece in window.positions(window.padded(x, _lowest(x.dtype))):
            result = piece.copy() if result is None else np.maximum(result, piece, out=result)
        return np.asarray(result)

    def run_with_indices(x: Array) -> tuple[Array, Array]:
        window = _window(spot.attributes, kernel, x.shape[2:])
        size = math.prod(x.shape[2:])
        numbered = np.arange(size).reshape(1, 1, *x.shape[2:])
        pieces = window.positions(window.padded(x, _lowest(x.dtype)))
        best: Any = None
        for (_, piece), (_, index) in zip(pieces, window.positions(window.padded(numbered, -1)), strict=True):
            if best is None:
                best, chosen = piece.copy(), np.broadcast_to(index, piece.shape).copy()
                continue
            # Of equal numbers the first; padding, whose index is -1, gives way to any number.
            better = (index >= 0) & ((chosen < 0) | (piece > best) | (np.isnan(piece) & ~np.isnan(best)))
            np.copyto(best, piece, where=better)
            np.copyto(chosen, index, where=better)
        images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(kernel))
        return best, images * size + chosen

    return Work(run=run_with_indices, many=True) if spot.outputs > 1 else Work(run=run, fresh=True)


def _lowest(dtype: np.dtype[Any]) -> float:
    return -np.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def _average_pool(spot: Spot) -> Work | None:
    """Means of what the kernel covers; the pads count where ``count_include_pad`` says so."""
    if not _usual(spot.attributes):
        return None
    kernel = tuple(spot.attributes["kernel_shape"])
    all_count = bool(spot.attributes.get("count_include_pad", 0))

    def run(x: Array) -> Array:
        window = _window(spot.attributes, kernel, x.shape[2:])
        wide = np.float32 if x.dtype in _HALVES else x.dtype
        total = sum(piece for _, piece in window.positions(window.padded(x.astype(wide, copy=False), 0)))
        ones = np.ones((1, 1, *x.shape[2:]), wide)
        counts = sum(piece for _, piece in window.positions(window.padded(ones, float(all_count))))
        return np.asarray(total / counts).astype(x.dtype, copy=False)

    return Work(run=run, fresh=True)


def _batch_normalization(spot: Spot) -> Work | None:
    """Out of training; before version 14 a node with one output is meant so, as onnxruntime reads it."""
    if spot.attributes.get("training_mode", 0) or spot.outputs > 1:
        return None
    epsilon = spot.attributes.get("epsilon", 1e-5)
    whole = not spot.attributes.get("spatial", 1)

    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        shape = x.shape[1:] if whole else (-1, *[1] * (x.ndim - 2))
        slope = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        shift = bias - mean * slope
        y: Array = x * slope.reshape(shape) + shift.reshape(shape)
        return y.astype(x.dtype)

    return Work(run=run, fresh=True)


IMAGES: dict[str, Maker] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "MaxPool": _max_pool,
}
