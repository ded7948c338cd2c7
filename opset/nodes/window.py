"""A kernel that moves over the spatial dimensions of an image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array


@dataclass(frozen=True)
class Window:
    """How a kernel moves over the spatial dimensions of (N, C, d1, ..., dr)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def positions(self, x: Array, around: float) -> Iterator[tuple[tuple[int, ...], Array]]:
        """For each place in the kernel what lies there, for all places of the kernel: (N, C, o1, ..., or)."""
        if any(self.before) or any(self.after):
            widths = [(0, 0), (0, 0), *zip(self.before, self.after, strict=True)]
            x = np.pad(x, widths, constant_values=x.dtype.type(around))
        lengths = x.shape[2:]
        out = [
            (length - dilation * (size - 1) - 1) // stride + 1
            for length, size, stride, dilation in zip(
                lengths, self.kernel, self.strides, self.dilations, strict=True
            )
        ]
        if min(out, default=1) < 1:
            message = f"the kernel {list(self.kernel)} is larger than what it moves over, {list(lengths)}"
            raise ValueError(message)
        for place in itertools.product(*map(range, self.kernel)):
            cuts = tuple(
                slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
                for k, dilation, count, stride in zip(place, self.dilations, out, self.strides, strict=True)
            )
            yield place, x[(slice(None), slice(None), *cuts)]


def window_of(attributes: Mapping[str, Any], kernel: tuple[int, ...], lengths: tuple[int, ...]) -> Window:
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
    return Window(kernel, strides, dilations, before, after)
