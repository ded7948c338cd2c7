"""Tensors made larger or cut into parts, at every version's meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .arrays import Array
from .node import Node, Operation

_PADS_ARE_INPUTS = 11
_SPLIT_IS_AN_INPUT = 13

_PLACES: dict[str, Callable[[Array, int], Array]] = {
    "edge": lambda places, length: np.clip(places, 0, length - 1),
    "reflect": lambda places, length: _mirrored(places, length),
    "wrap": lambda places, length: places % max(length, 1),
}
"""Of each mode the place in the tensor that stands at a place around it."""


def pad(node: Node) -> Operation:
    """Numbers around a tensor, fewer where a pad is below 0; pads, value and axes are inputs since version 11."""
    mode, attributes = node.attributes.get("mode", "constant"), node.attributes
    if mode not in ("constant", *_PLACES):
        message = f"expected a mode of constant, {', '.join(_PLACES)} (got {mode!r})"
        raise ValueError(message)

    def run(x: Array, pads: Any, value: Any = None, axes: Any = None) -> Array:
        widths = [(0, 0)] * x.ndim
        chosen = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
        numbers = [int(n) for n in np.ravel(pads)]
        if len(numbers) != 2 * len(chosen):
            message = f"{2 * len(chosen)} pads are needed, not {len(numbers)}"
            raise ValueError(message)
        for place, axis in enumerate(chosen):
            widths[axis] = numbers[place], numbers[place + len(chosen)]
        if mode == "constant":
            return _surrounded(x, widths, x.dtype.type() if value is None else np.reshape(value, ()))
        for axis, (before, after) in enumerate(widths):
            if before or after:
                places = _PLACES[mode](np.arange(-before, x.shape[axis] + after), x.shape[axis])
                x = np.take(x, places, axis)
        return np.array(x)

    if node.version >= _PADS_ARE_INPUTS:
        return Operation(run, fresh=True)
    given = attributes.get("pads") or attributes.get("paddings") or []
    number = attributes.get("value", 0.0)
    return Operation(lambda x: run(x, given, np.array(number, x.dtype)), fresh=True)


def _surrounded(x: Array, widths: Sequence[tuple[int, int]], value: Any) -> Array:
    shape = [length + before + after for length, (before, after) in zip(x.shape, widths, strict=True)]
    result = np.full(shape, value, x.dtype)
    ends = list(zip(x.shape, widths, shape, strict=True))
    target = tuple(slice(max(before, 0), n - max(after, 0)) for _, (before, after), n in ends)
    source = tuple(slice(max(-before, 0), n - max(-after, 0)) for n, (before, after), _ in ends)
    result[target] = x[source]
    return result


def _mirrored(places: Array, length: int) -> Array:
    period = max(2 * (length - 1), 1)
    places = places % period
    return np.where(places >= length, period - places, places)


def split(node: Node) -> Operation:
    """
    Parts along an axis.

    Their lengths are an attribute before version 13, and an input since; without them all are as long as the first,
    but for the last since version 18.
    """
    axis, outputs = (
        node.attributes.get("axis", 0),
        node.attributes.get("num_outputs") or len(node.proto.output),
    )

    def run(x: Array, lengths: Any = None) -> list[Array]:
        whole = x.shape[axis]
        if lengths is None:
            each = -(-whole // outputs)
            lengths = [max(min(each, whole - k * each), 0) for k in range(outputs)]
        sizes = list(map(int, lengths.ravel().tolist() if isinstance(lengths, np.ndarray) else lengths))
        if sum(sizes) != whole or min(sizes, default=0) < 0:
            message = f"parts of {sizes} do not make up the length {whole}"
            raise ValueError(message)
        ends = list(accumulate(sizes))
        whole_axes = (slice(None),) * (axis % x.ndim)
        return [x[(*whole_axes, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)]

    if node.version >= _SPLIT_IS_AN_INPUT:
        return Operation(run, many=True)
    given = node.attributes.get("split")
    return Operation(lambda x, lengths=None: run(x, given if lengths is None else lengths), many=True)


def tile(node: Node) -> Operation:
    """The tensor so many times along each axis; before version 6 so many times along one."""
    if node.version < 6:
        return Operation(
            lambda x, times, axis: np.concatenate([x] * int(times.item()), int(axis.item())), fresh=True
        )
    return Operation(lambda x, times: np.tile(x, times.tolist()), fresh=True)
