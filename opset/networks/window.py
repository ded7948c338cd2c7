"""A kernel that moves over the spatial dimensions of an image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nodes.arrays import Array


@dataclass(frozen=True)
class Window:
    """
    Where a kernel lies; each list has a number for each spatial dimension.

    Attributes
    ----------
    kernel, strides, dilations
        As ONNX has them.
    before, after
        The pads; below 0 so much is cut off.
    beyond
        How much further than the pads the last places reach, with ``ceil_mode``.
    out
        How many places there are.
    """

    kernel: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    before: Sequence[int]
    after: Sequence[int]
    beyond: Sequence[int]
    out: Sequence[int]

    def padded(self, x: Array, around: float = 0, beyond: float | None = None) -> Array:
        """An image of shape (N, C, d1, ..., dr) with its pads of the number `around`, and `beyond` behind these."""
        ends = zip(self.before, self.after, x.shape[2:], strict=True)
        kept: Any = (..., *(slice(max(-n, 0), length + min(m, 0)) for n, m, length in ends))
        x = x[kept]
        x = _surrounded(x, [max(n, 0) for n in self.before], [max(n, 0) for n in self.after], around)
        return _surrounded(x, [0] * len(self.kernel), self.beyond, around if beyond is None else beyond)

    def places(self, padded: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
        """Yield each place in the kernel, and (N, C, o1, ..., or): what lies under it while the kernel moves."""
        for place in itertools.product(*map(range, self.kernel)):
            cuts = tuple(
                slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
                for k, dilation, count, stride in zip(
                    place, self.dilations, self.out, self.strides, strict=True
                )
            )
            yield place, padded[(slice(None), slice(None), *cuts)]

    def under(self, padded: Array) -> Array:
        """A view of shape (N, C, k1, ..., kr, o1, ..., or)."""
        steps = padded.strides[2:]
        inner = [step * dilation for step, dilation in zip(steps, self.dilations, strict=True)]
        outer = [step * stride for step, stride in zip(steps, self.strides, strict=True)]
        return np.lib.stride_tricks.as_strided(
            padded,
            (*padded.shape[:2], *self.kernel, *self.out),
            (*padded.strides[:2], *inner, *outer),
            writeable=False,
        )


def window_over(lengths: Sequence[int], kernel: Sequence[int], attributes: Mapping[str, Any]) -> Window:
    """
    Return how a kernel moves over an image.

    Parameters
    ----------
    lengths
        Of the spatial dimensions, d1 to dr.
    kernel
        Its lengths, k1 to kr.
    attributes
        Of the node: pads, strides, dilations, auto_pad, ceil_mode.

    Raises
    ------
    ValueError
        The kernel has another rank, or is larger than the image with its pads.
    """
    rank = len(kernel)
    if len(lengths) != rank or not rank:
        message = f"a kernel of rank {rank} does not move over an image of spatial rank {len(lengths)}"
        raise ValueError(message)
    strides = attributes.get("strides") or [1] * rank
    dilations = attributes.get("dilations") or [1] * rank
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    before, after = _pads(lengths, reach, strides, attributes)
    wholes = [sum(lengths_) for lengths_ in zip(before, lengths, after, strict=True)]
    rounds_up = attributes.get("ceil_mode", 0) and attributes.get("auto_pad", "NOTSET") == "NOTSET"
    out, beyond = [], []
    for whole, size, stride, end in zip(wholes, reach, strides, after, strict=True):
        count = (whole - size) // stride + 1
        # One place more, unless it would begin in the pads behind the image.
        if rounds_up and (whole - size) % stride and count * stride < whole - end:
            count += 1
        out.append(count)
        beyond.append(max((count - 1) * stride + size - whole, 0))
    if min(out, default=1) < 1:
        message = f"the kernel {list(kernel)} is larger than what it moves over, {wholes}"
        raise ValueError(message)
    return Window(kernel, strides, dilations, before, after, beyond, out)


def _pads(
    lengths: Sequence[int], reach: Sequence[int], strides: Sequence[int], attributes: Mapping[str, Any]
) -> tuple[list[int], list[int]]:
    """The pads before and after each spatial dimension."""
    rank, mode = len(reach), attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode == "NOTSET":
        pads = attributes.get("pads") or [0] * 2 * rank
        return pads[:rank], pads[rank:]
    missing = [  # so much that ceil(length / stride) places fit
        max(0, (-(-length // stride) - 1) * stride + size - length)
        for length, size, stride in zip(lengths, reach, strides, strict=True)
    ]
    less, more = [n // 2 for n in missing], [n - n // 2 for n in missing]
    return (less, more) if mode == "SAME_UPPER" else (more, less)


def _surrounded(x: Array, before: Sequence[int], after: Sequence[int], number: float) -> Array:
    if not any(before) and not any(after):
        return x
    shape = [length + n + m for length, n, m in zip(x.shape[2:], before, after, strict=True)]
    larger = np.full((*x.shape[:2], *shape), number, x.dtype)
    inside: Any = (..., *(slice(n, n + length) for n, length in zip(before, x.shape[2:], strict=True)))
    larger[inside] = x
    return larger
