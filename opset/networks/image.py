"""Convolution, pooling and batch normalization in their usual forms; unusual ones are left to onnx's own code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..nodes.arrays import HALVES, Array
from ..nodes.node import Node, Operation
from .window import under_kernel


def _usual(node: Node) -> bool:
    """Whether no pad is below 0, and lengths are rounded down."""
    return not node.attributes.get("ceil_mode", 0) and min(node.attributes.get("pads") or [0]) >= 0


def conv(node: Node) -> Operation | None:
    """
    One matrix product for each place in the kernel, summed in float64 and rounded once.

    The order in which a BLAS sums in float32 depends on where in the matrix a row lies, so that channels with
    the same weights would come out different.
    """
    if not _usual(node):
        return None
    groups = node.attributes.get("group", 1)

    def run(x: Array, w: Array, bias: Array | None = None) -> Array:
        if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
            message = f"weights of shape {list(w.shape)} in {groups} groups do not fit"
            raise ValueError(message)
        dtype = x.dtype
        wide = np.dtype(np.float64) if dtype.kind not in "iu" else dtype
        weights: Any = w.astype(wide, copy=False).reshape(
            groups, w.shape[0] // groups, w.shape[1], *w.shape[2:]
        )
        total: Any = 0
        shape: tuple[int, ...] = ()
        for place, piece in under_kernel(x.astype(wide, copy=False), w.shape[2:], node.attributes):
            shape = piece.shape[2:]
            columns = piece.reshape(len(x), groups, w.shape[1], math.prod(shape))
            matrix = np.ascontiguousarray(weights[(slice(None), slice(None), slice(None), *place)])
            total = total + (matrix * columns if w.shape[1] == 1 else np.matmul(matrix, columns))
        y: Array = total.reshape(len(x), w.shape[0], *shape)
        if bias is not None:
            y = y + bias.reshape(-1, *[1] * len(shape))
        return y.astype(dtype, copy=False)

    return Operation(run, fresh=True)


def max_pool(node: Node) -> Operation | None:
    """The largest number under the kernel, and with a second output its index in the flattened input."""
    if not _usual(node) or (node.outputs > 1 and node.attributes.get("storage_order", 0)):
        return None
    kernel = tuple(node.attributes["kernel_shape"])

    def run(x: Array) -> Array:
        result: Any = None
        for _, piece in under_kernel(x, kernel, node.attributes, _lowest(x.dtype)):
            result = piece.copy() if result is None else np.maximum(result, piece, out=result)
        return np.asarray(result)

    def run_with_indices(x: Array) -> tuple[Array, Array]:
        size = math.prod(x.shape[2:])
        numbered = np.arange(size).reshape(1, 1, *x.shape[2:])
        pieces = under_kernel(x, kernel, node.attributes, _lowest(x.dtype))
        best: Any = None
        indices = under_kernel(numbered, kernel, node.attributes, -1)
        for (_, piece), (_, index) in zip(pieces, indices, strict=True):
            if best is None:
                best, chosen = piece.copy(), np.broadcast_to(index, piece.shape).copy()
                continue
            # Of equal numbers the first; padding, whose index is -1, gives way to any number.
            better = (index >= 0) & ((chosen < 0) | (piece > best) | (np.isnan(piece) & ~np.isnan(best)))
            np.copyto(best, piece, where=better)
            np.copyto(chosen, index, where=better)
        images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(kernel))
        return best, images * size + chosen

    return Operation(run_with_indices, many=True) if node.outputs > 1 else Operation(run, fresh=True)


def _lowest(dtype: np.dtype[Any]) -> float:
    return -np.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def average_pool(node: Node) -> Operation | None:
    """Means of what the kernel covers; the pads count where ``count_include_pad`` says so."""
    if not _usual(node):
        return None
    kernel = tuple(node.attributes["kernel_shape"])
    all_count = bool(node.attributes.get("count_include_pad", 0))

    def run(x: Array) -> Array:
        wide = np.float32 if x.dtype in HALVES else x.dtype
        total = sum(piece for _, piece in under_kernel(x.astype(wide, copy=False), kernel, node.attributes))
        ones = np.ones((1, 1, *x.shape[2:]), wide)
        counts = sum(piece for _, piece in under_kernel(ones, kernel, node.attributes, float(all_count)))
        return np.asarray(total / counts).astype(x.dtype, copy=False)

    return Operation(run, fresh=True)


def batch_normalization(node: Node) -> Operation | None:
    """Out of training; before version 14 a node with one output is meant so, as onnxruntime reads it."""
    if node.attributes.get("training_mode", 0) or node.outputs > 1:
        return None
    epsilon = node.attributes.get("epsilon", 1e-5)
    whole = not node.attributes.get("spatial", 1)

    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        shape = x.shape[1:] if whole else (-1, *[1] * (x.ndim - 2))
        slope = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        shift = bias - mean * slope
        y: Array = x * slope.reshape(shape) + shift.reshape(shape)
        return y.astype(x.dtype)

    return Operation(run, fresh=True)
