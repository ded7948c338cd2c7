"""Pools of any rank, over a window that moves and over the whole image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Implementation, Node, Operation
from ..nodes.reductions import p_norm
from .window import Window, window_over


def max_pool(node: Node) -> Operation:
    """The largest number under the kernel, and with a second output its index in the flattened input."""
    kernel = tuple(node.attributes["kernel_shape"])
    order = "F" if node.attributes.get("storage_order", 0) else "C"

    def run(x: Array) -> Array:
        window = window_over(x.shape[2:], kernel, node.attributes)
        result: Any = None
        for _, piece in window.places(window.padded(x, _lowest(x.dtype))):
            result = piece.copy() if result is None else np.maximum(result, piece, out=result)
        return np.asarray(result)

    def run_with_indices(x: Array) -> tuple[Array, Array]:
        window, size = window_over(x.shape[2:], kernel, node.attributes), math.prod(x.shape[2:])
        pieces = window.places(window.padded(x, _lowest(x.dtype)))
        numbered = np.arange(size).reshape(1, 1, *x.shape[2:])
        best: Any = None
        for (_, piece), (_, index) in zip(pieces, window.places(window.padded(numbered, -1)), strict=True):
            if best is None:
                best, chosen = piece.copy(), np.broadcast_to(index, piece.shape).copy()
                continue
            # Of equal numbers the first; padding, whose index is -1, gives way to any number.
            better = (index >= 0) & ((chosen < 0) | (piece > best) | (np.isnan(piece) & ~np.isnan(best)))
            np.copyto(best, piece, where=better)
            np.copyto(chosen, index, where=better)
        images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(kernel))
        if order == "F":
            chosen = np.ravel_multi_index(np.unravel_index(chosen, x.shape[2:]), x.shape[2:], order="F")
        return best, images * size + chosen

    return Operation(run_with_indices, many=True) if node.outputs > 1 else Operation(run, fresh=True)


def _lowest(dtype: np.dtype[Any]) -> float:
    return -np.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def average_pool(node: Node) -> Operation:
    """Means of what the kernel covers; the pads count where ``count_include_pad`` says so, what is beyond never."""
    kernel = tuple(node.attributes["kernel_shape"])
    all_count = bool(node.attributes.get("count_include_pad", 0))

    def run(x: Array) -> Array:
        window = window_over(x.shape[2:], kernel, node.attributes)
        counts = _total(window, window.padded(np.ones((1, 1, *x.shape[2:])), float(all_count), 0))
        return np.asarray(_total(window, window.padded(x)) / counts).astype(x.dtype)

    return Operation(run, fresh=True)


def lp_pool(node: Node) -> Operation:
    """The p-norm of what the kernel covers."""
    kernel, p = tuple(node.attributes["kernel_shape"]), node.attributes.get("p", 2)

    def run(x: Array) -> Array:
        window = window_over(x.shape[2:], kernel, node.attributes)
        y = p_norm(window.under(window.padded(x)), tuple(range(2, x.ndim)), p, keeps=False)
        return np.asarray(y).astype(x.dtype)

    return Operation(run, fresh=True)


def global_lp_pool(node: Node) -> Operation:
    """The p-norm over all spatial dimensions."""
    p = node.attributes.get("p", 2)
    return Operation(lambda x: np.asarray(p_norm(x, _spatial(x), p, keeps=True)).astype(x.dtype), fresh=True)


def over_image(reduced: Callable[..., Any]) -> Implementation:
    """A pool over all spatial dimensions by a reduction that takes ``axis`` and ``keepdims``."""
    return lambda _: Operation(lambda x: np.asarray(reduced(x, axis=_spatial(x), keepdims=True)), fresh=True)


def mean(x: Array, axis: tuple[int, ...], *, keepdims: bool) -> Any:
    """Means, summed in float64."""
    return np.mean(x, axis, np.float64, keepdims=keepdims).astype(x.dtype)


def _spatial(x: Array) -> tuple[int, ...]:
    if x.ndim < 2:
        message = f"images have a rank of 2 or more, not {x.ndim}"
        raise ValueError(message)
    return tuple(range(2, x.ndim))


def _total(window: Window, padded: Array) -> Any:
    """Sums in float64."""
    total: Any = 0.0
    for _, piece in window.places(padded):
        total = total + piece.astype(np.float64, copy=False)
    return total
