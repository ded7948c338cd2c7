"""A kernel that moves over the spatial dimensions of an image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..nodes.arrays import Array


def under_kernel(
    x: Array, kernel: Sequence[int], attributes: Mapping[str, Any], around: float = 0
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """
    For each place in the kernel what lies under it while it moves over an image.

    Parameters
    ----------
    x
        Shape (N, C, d1, ..., dr), with the number `around` around it where the attributes ask for pads.
    kernel
        Its lengths, k1 to kr.
    attributes
        Of the node: pads, strides and dilations.

    Yields
    ------
    tuple of int, ndarray
        The place, and (N, C, o1, ..., or).
    """
    rank = len(kernel)
    strides = attributes.get("strides") or [1] * rank
    dilations = attributes.get("dilations") or [1] * rank
    before, after = _pads(x.shape[2:], kernel, strides, dilations, attributes)
    if any(before) or any(after):
        widths = [(0, 0), (0, 0), *zip(before, after, strict=True)]
        x = np.pad(x, widths, constant_values=x.dtype.type(around))
    lengths = x.shape[2:]
    out = [
        (length - dilation * (size - 1) - 1) // stride + 1
        for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True)
    ]
    if min(out, default=1) < 1:
        message = f"the kernel {list(kernel)} is larger than what it moves over, {list(lengths)}"
        raise ValueError(message)
    for place in itertools.product(*map(range, kernel)):
        cuts = tuple(
            slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
            for k, dilation, count, stride in zip(place, dilations, out, strides, strict=True)
        )
        yield place, x[(slice(None), slice(None), *cuts)]


def _pads(
    lengths: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    attributes: Mapping[str, Any],
) -> tuple[list[int], list[int]]:
    """The pads before and after each spatial dimension."""
    rank, mode = len(kernel), attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode == "NOTSET":
        pads = attributes.get("pads") or [0] * 2 * rank
        return pads[:rank], pads[rank:]
    missing = [  # so much that ceil(length / stride) places fit
        max(0, (-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length)
        for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True)
    ]
    less, more = [n // 2 for n in missing], [n - n // 2 for n in missing]
    return (less, more) if mode == "SAME_UPPER" else (more, less)
