"""Long rows in blocks: one thread's share where there are fewer rows than threads.

A row is summed block by block, whoever does it, so that the bits of a result do not depend on the number of threads.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..arrays.inputs import Array, address
from ..arrays.layout import LONG, launch
from ..compile.jit import Kernels, over_rows
from ..compile.threads import parts_for
from ..numerics.sums import add_pair
from ..vector import itemsize, load_scalar, maximum, minimum, store_scalar, traced, where
from ..vector.flow import choose, repeat

# A block has 2^13 numbers, the last one of a row up to twice as many.
_BITS = 13
LENGTH = 1 << _BITS


@traced
def blocks_of(n: Any) -> Any:
    """In how many blocks a row of n numbers is summed."""
    return maximum(n >> _BITS, 1)


@traced
def block_length(block: Any, n: Any) -> Any:
    """How many numbers a block of a row has."""
    last = blocks_of(n) - 1
    return where(block < last, LENGTH, n - (last << _BITS))


def part_of(kind: Any, row: Any, n: Any, block: Any) -> Any:
    """Where a block of a row of n numbers lies, and how many it has."""
    return row + block * LENGTH * itemsize(kind), block_length(block, n)


def sum_of_blocks(n: Any, sum_of: Callable[..., Any]) -> Any:
    """The sum over a row, as a float64 pair, from ``sum_of(block)``, pairs too."""
    return repeat(
        1, blocks_of(n), lambda block, *pair: add_pair(*pair, *sum_of(block)), *sum_of(n.constant(0))
    )


# How many float64 numbers are kept of every block.
_KEPT = 7


class Row(NamedTuple):
    """A long row of n numbers, which one it is, and where what is kept of its blocks lies."""

    index: Any
    n: Any
    kept: Any

    def keep(self, block: Any, slot: int, *values: Any) -> None:
        """Keep float64 numbers of a block."""
        for i, value in enumerate(values):
            store_scalar(self._real, self._place(block, slot + i), value)

    def merged(self, slot: int, count: int, merge: Callable[..., Any]) -> Any:
        """``merge(*carried, *others)`` over the numbers kept of all blocks, in their order."""

        def numbers(block: Any) -> list[Any]:
            return [load_scalar(self._real, self._place(block, slot + i)) for i in range(count)]

        return repeat(
            1,
            blocks_of(self.n),
            lambda block, *carried: merge(*carried, *numbers(block)),
            *numbers(self.n.constant(0)),
        )

    @property
    def _real(self) -> Any:
        return self.n.constant(0.0, types.float64)

    def _place(self, block: Any, slot: int) -> Any:
        return self.kept + (block * _KEPT + slot) * 8


def extremes_merged(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    """The extremes of two blocks together."""
    return where(high2 > high, high2, high), where(low2 < low, low2, low)


Stage = Callable[..., Callable[[Any], None]]


class OverBlocks:
    """Takes few long rows through stages, each block by itself: ``stage(kind, dst, src, row)(block)``.

    There `dst` is the result's address and `src` that of the row. What a stage asks of all blocks it asks before its
    first block, once for a row. `halves`: whether these can be taken through them.
    """

    def __init__(self, *stages: Stage, halves: bool = True) -> None:
        self._stages, self._halves = len(stages), halves

        @traced
        def work(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
            scores, kept, number = src
            blocks = blocks_of(n)

            def blocks_of_row(i: Any) -> None:
                row = Row(i, n, kept + i * blocks * (8 * _KEPT))
                # the blocks of this row that are asked for
                begin, end = maximum(first - i * blocks, 0), minimum(last - i * blocks, blocks)

                def from_stage(k: int) -> None:
                    def this() -> None:
                        repeat(begin, end, stages[k](kind, dst, scores + i * n * itemsize(kind), row))

                    if k == len(stages) - 1:
                        this()
                    else:
                        choose(number == k, this, lambda: from_stage(k + 1))

                from_stage(0)

            repeat(first // blocks, (last + (blocks - 1)) // blocks, blocks_of_row)

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
        items = x.size // n * max(1, n // LENGTH)
        kept = np.empty((items, _KEPT))
        for stage in range(self._stages):
            launch(self._kernels, x, items, address(out), (address(x), address(kept), stage), n)
