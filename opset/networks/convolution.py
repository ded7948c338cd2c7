"""
Convolutions of any rank, as matrix products summed in float64 and rounded once.

The order in which a BLAS sums in float32 depends on where in the matrix a row lies, so that channels with the same
weights would come out different.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from .window import Window, window_over

_COLUMNS = 2**19
"""So many numbers of what lies under the kernel are laid out at a time: of some images, or of some rows of one."""


def conv(node: Node) -> Operation:
    """
    Each kernel over each image.

    What lies under the kernel is laid out as columns, some images or rows at a time, and multiplied by the weights.
    """
    groups = node.attributes.get("group", 1)

    def run(x: Array, w: Array, bias: Array | None = None) -> Array:
        if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
            message = f"weights of shape {list(w.shape)} in {groups} groups do not fit"
            raise ValueError(message)
        window = window_over(x.shape[2:], w.shape[2:], node.attributes)
        wide = _wide(x.dtype)
        weights = w.astype(wide, copy=False)
        y = np.empty((len(x), groups, w.shape[0] // groups, *window.out), x.dtype)
        shift = 0 if bias is None else bias.astype(wide).reshape(groups, -1, *[1] * len(window.out))
        convolved = _channel_by_channel if w.shape[1] == 1 else _by_columns
        per_image = math.prod(w.shape[1:]) * groups * math.prod(window.out)
        images = max(1, _COLUMNS // max(per_image, 1))
        for start in range(0, len(x), images):
            part = slice(start, start + images)
            convolved(y[part], window, window.padded(x[part]).astype(wide, copy=False), weights, shift)
        return y.reshape(len(x), w.shape[0], *window.out)

    return Operation(run, fresh=True)


def conv_integer(node: Node) -> Operation:
    """A convolution of what is above the zero points, in float64, which is exact, as int32."""
    convolved = conv(node).run

    def run(x: Array, w: Array, x_zero: Array | None = None, w_zero: Array | None = None) -> Array:
        images, kernels = x.astype(np.float64), w.astype(np.float64)
        if x_zero is not None:
            images = images - x_zero
        if w_zero is not None:
            kernels = kernels - (w_zero if w_zero.size == 1 else w_zero.reshape(-1, *[1] * (w.ndim - 1)))
        return np.asarray(convolved(images, kernels)).astype(np.int64).astype(np.int32)

    return Operation(run, fresh=True)


def _by_columns(y: Array, window: Window, padded: Array, weights: Array, shift: Any) -> None:
    groups, each = y.shape[1:3]
    first = 3 + len(window.kernel)
    matrices = weights.reshape(groups, each, -1)
    under = _grouped(window.under(padded), groups)
    per_row = matrices[0, 0].size * groups * len(y) * math.prod(window.out[1:])
    rows = max(1, _COLUMNS // max(per_row, 1))
    for start in range(0, window.out[0], rows):
        part = slice(start, start + rows)
        here: Any = (*[slice(None)] * first, part)
        columns = under[here]
        product = np.matmul(matrices, columns.reshape(len(y), groups, matrices.shape[2], -1))
        y[:, :, :, part] = product.reshape(len(y), groups, each, *columns.shape[first:]) + shift


def _grouped(under: Array, groups: int) -> Array:
    """The channels of a view cut into groups, without a copy."""
    n, channels, *rest = under.shape
    step, *steps = under.strides[1:]
    return np.lib.stride_tricks.as_strided(
        under,
        (n, groups, channels // groups, *rest),
        (under.strides[0], step * (channels // groups), step, *steps),
        writeable=False,
    )


def _channel_by_channel(y: Array, window: Window, padded: Array, weights: Array, shift: Any) -> None:
    """Kernels over one channel each: a product for each place in the kernel."""
    groups, each = y.shape[1:3]
    kernels = weights.reshape(groups, each, *window.kernel)
    total: Any = np.zeros(y.shape, padded.dtype)
    for place, piece in window.places(padded):
        here: Any = (..., *place)
        scale = kernels[here].reshape(groups, each, *[1] * len(window.out))
        total += scale * piece[:, :, None]
    y[...] = total + shift


def conv_transpose(node: Node) -> Operation:
    """Each number of an image times a kernel, added up where they fall."""
    attributes, groups = node.attributes, node.attributes.get("group", 1)

    def run(x: Array, w: Array, bias: Array | None = None) -> Array:
        rank = x.ndim - 2
        if x.ndim != w.ndim or x.shape[1] != w.shape[0] or w.shape[0] % groups:
            message = f"weights of shape {list(w.shape)} in {groups} groups do not fit"
            raise ValueError(message)
        strides = attributes.get("strides") or [1] * rank
        dilations = attributes.get("dilations") or [1] * rank
        more = attributes.get("output_padding") or [0] * rank
        lengths, kernel, wide = x.shape[2:], w.shape[2:], _wide(x.dtype)
        whole = [
            (length - 1) * stride + (size - 1) * dilation + 1 + extra
            for length, stride, size, dilation, extra in zip(
                lengths, strides, kernel, dilations, more, strict=True
            )
        ]
        before, out = _cropped(whole, lengths, strides, attributes)
        each = w.shape[1]
        columns = x.astype(wide, copy=False).reshape(len(x), groups, x.shape[1] // groups, math.prod(lengths))
        matrices = w.astype(wide, copy=False).reshape(groups, w.shape[0] // groups, each, *kernel)
        total = np.zeros((len(x), groups, each, *whole), wide)
        window = Window(kernel, strides, dilations, [0] * rank, [0] * rank, [0] * rank, lengths)
        for place, piece in window.places(total.reshape(len(x), groups * each, *whole)):
            here: Any = (..., *place)
            matrix = np.ascontiguousarray(matrices[here]).swapaxes(1, 2)
            np.add(piece, np.matmul(matrix, columns).reshape(piece.shape), out=piece)
        y = np.zeros((len(x), groups * each, *out), wide)
        ends = [min(n, length - start) for n, length, start in zip(out, whole, before, strict=True)]
        target: Any = (..., *(slice(n) for n in ends))
        taken: Any = (..., *(slice(start, start + n) for start, n in zip(before, ends, strict=True)))
        y[target] = total.reshape(len(x), groups * each, *whole)[taken]
        if bias is not None:
            y += bias.reshape(-1, *[1] * rank)
        return y.astype(x.dtype, copy=False)

    return Operation(run, fresh=True)


def _cropped(
    whole: Sequence[int], lengths: Sequence[int], strides: Sequence[int], attributes: Any
) -> tuple[list[int], list[int]]:
    """How much is cut off in front of each spatial dimension, and the lengths that remain."""
    rank, mode = len(whole), attributes.get("auto_pad", "NOTSET")
    wanted = attributes.get("output_shape")
    if not wanted and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [length * stride for length, stride in zip(lengths, strides, strict=True)]
    if wanted:
        wanted = wanted[-rank:]
        missing = [max(length - n, 0) for length, n in zip(whole, wanted, strict=True)]
        before = [n // 2 if mode == "SAME_UPPER" else n - n // 2 for n in missing]
        return before, list(wanted)
    pads = [0] * 2 * rank if mode == "VALID" else attributes.get("pads") or [0] * 2 * rank
    out = [length - start - end for length, start, end in zip(whole, pads[:rank], pads[rank:], strict=True)]
    if min(out, default=1) < 1:
        message = f"the pads {pads} leave nothing of {list(whole)}"
        raise ValueError(message)
    return pads[:rank], out


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64) if dtype.kind not in "iu" else dtype
