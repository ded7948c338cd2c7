"""Long rows in blocks: one thread's share where there are fewer rows than threads.

A row is summed block by block, whoever does it, so that the bits of a result do not depend on the number of threads.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.layout import LONG, launch
from ..compile.jit import Kernels, over_rows
from ..compile.threads import parts_for
from ..vector import (
    Variable,
    itemsize,
    load_scalar,
    loop,
    maximum,
    minimum,
    store_scalar,
    traced,
    when,
    where,
)

# A block has 2^13 numbers, the last one of a row up to twice as many.
_BITS = 13
BLOCK = 1 << _BITS


def blocks_of(n: Any) -> Any:
    """In how many blocks a row of n numbers is summed."""
    return maximum(n >> _BITS, 1)


def block_length(block: Any, n: Any) -> Any:
    """How many numbers a block of a row has."""
    last = blocks_of(n) - 1
    return where(block < last, BLOCK, n - (last << _BITS))


def block_at(kind: Any, row: Any, n: Any, block: Any) -> Any:
    """Where a block of a row of n numbers lies, and how many it has."""
    return row + block * BLOCK * itemsize(kind), block_length(block, n)


def merge_blocks(n: Any, of_block: Callable[[Any], Any], merge: Callable[..., Any]) -> Any:
    """``merge(*a, *b)`` over what ``of_block(block)`` gives for the blocks of a row of n numbers, in their order."""
    total = Variable(*of_block(n.constant(0)))
    with loop(1, blocks_of(n)) as block:
        total.value = merge(*total.value, *of_block(block))
    return total.value


# How many float64 numbers are kept of every block.
_KEPT = 7


class Row(NamedTuple):
    """A long row of n numbers, some blocks of which are worked on, and where what is kept of its blocks lies."""

    index: Any
    n: Any
    begin: Any
    end: Any
    kept: Any

    @property
    def blocks(self) -> loop:
        """``with row.blocks as block``: those that are worked on."""
        return loop(self.begin, self.end)

    def keep(self, block: Any, fields: range, *values: Any) -> None:
        """Keep float64 numbers of a block."""
        for field, value in zip(fields, values, strict=True):
            store_scalar(self._real, self._place(block, field), value)

    def merged(self, fields: range, merge: Callable[..., Any]) -> Any:
        """``merge(*a, *b)`` over the numbers kept of all blocks, in their order."""

        def kept(block: Any) -> list[Any]:
            return [load_scalar(self._real, self._place(block, field)) for field in fields]

        return merge_blocks(self.n, kept, merge)

    @property
    def _real(self) -> Any:
        return self.n.constant(0.0, types.float64)

    def _place(self, block: Any, field: int) -> Any:
        return self.kept + (block * _KEPT + field) * 8


def extremes_merged(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    """The extremes of two blocks together."""
    return where(high2 > high, high2, high), where(low2 < low, low2, low)


Stage = Callable[..., None]


class OverBlocks:
    """Takes few long rows through stages, block by block: ``stage(kind, dst, src, row)``.

    There `dst` is the result's address and `src` that of the row. What a stage asks of all blocks of a row it asks
    before it begins with the first of ``row.blocks``. `halves`: whether these can be taken through the stages.
    """

    def __init__(self, *stages: Stage, halves: bool = True) -> None:
        self._stages, self._halves = len(stages), halves

        @traced
        def work(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
            scores, kept, wanted = src
            blocks = blocks_of(n)
            with loop(first // blocks, (last + (blocks - 1)) // blocks) as i:
                begin, end = maximum(first - i * blocks, 0), minimum(last - i * blocks, blocks)
                row = Row(i, n, begin, end, kept + i * blocks * (8 * _KEPT))
                for number, stage in enumerate(stages):
                    with when(wanted == number):
                        stage(kind, dst, scores + i * n * itemsize(kind), row)

        self._kernels: Kernels = over_rows(work)

    def suits(self, x: Array) -> bool:
        """Whether whole rows of an array would leave threads idle, and are worth being spread over them."""
        n = x.shape[-1]
        if n < LONG or not x.flags.c_contiguous or (x.itemsize == 2 and not self._halves):
            return False
        return bool(x.size // n < parts_for(x.size, x.size))

    def __call__(self, x: Array, out: Array) -> None:
        """Run over the rows of a contiguous array; the stages know where in `out` a row's result belongs."""
        n = x.shape[-1]
        items = x.size // n * max(1, n // BLOCK)
        kept = np.empty((items, _KEPT))
        for stage in range(self._stages):
            launch(self._kernels, x, items, address(out), (address(x), address(kept), stage), n)
