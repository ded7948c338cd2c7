"""Long rows in blocks: one thread's share where there are fewer rows than threads.

A row is summed block by block, whoever does it, so that the bits of a result do not depend on the number of threads.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from .arrays import Array, address
from .flow import choose, repeat
from .jit import Kernels, over_rows
from .layout import launch
from .memory import load_number, store_number
from .rows import extremes
from .simd import itemsize, most, where
from .sums import add_pair
from .trace import traced

# A block has 2^14 numbers, the last one of a row up to twice as many.
_BITS = 14
LENGTH = 1 << _BITS


@traced
def blocks_of(n: Any) -> Any:
    """In how many blocks a row of n numbers is summed."""
    return most(n >> _BITS, 1)


@traced
def block_length(block: Any, n: Any) -> Any:
    """How many numbers a block of a row has."""
    last = blocks_of(n) - 1
    return where(block < last, LENGTH, n - (last << _BITS))


def sum_of_blocks(n: Any, sum_of: Callable[..., Any]) -> Any:
    """The sum over a row, as a float64 pair, from ``sum_of(block)``, pairs too."""
    zero = n.constant(0.0, types.float64)
    return repeat(0, blocks_of(n), lambda block, *pair: add_pair(*pair, *sum_of(block)), zero, zero)


# What is kept of every block: float64 numbers, the first two of the scores, the others of the sum.
_HIGHEST, _LOWEST, _HIGH, _LOW = (8 * i for i in range(4))
_BYTES = 32


def over_blocks(sum_of: Any, finish: Any) -> Kernels:
    """The kernels that take a block of a few long rows through one of three stages.

    `src` holds the address of the scores, that of what is kept of the blocks, and the stage: extremes;
    ``sum_of(kind, dst, src, n, block, highest, lowest)``, a pair; ``finish(kind, dst, src, n, block, highest, lowest,
    high, low)``, with the extremes and the sum of the row. There `dst` and `src` are those of the row.
    """

    @traced
    def stages(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        scores, kept, stage = src
        size, blocks, real = itemsize(kind), blocks_of(n), n.constant(0.0, types.float64)

        def item(i: Any) -> None:
            row, block = i // blocks, i % blocks
            own, of_row = kept + i * _BYTES, kept + row * blocks * _BYTES
            x, y = scores + row * n * size, dst + row * n * size

            def look() -> None:
                highest, lowest = extremes(kind, x + block * LENGTH * size, block_length(block, n))
                store_number(real, own + _HIGHEST, highest)
                store_number(real, own + _LOWEST, lowest)

            def merged() -> Any:
                def merge(other: Any, highest: Any, lowest: Any, high: Any, low: Any) -> Any:
                    parts = [load_number(real, of_row + other * _BYTES + at) for at in (0, 8, 16, 24)]
                    high, low = add_pair(high, low, *parts[2:])
                    highest = where(parts[0] > highest, parts[0], highest)
                    return highest, where(parts[1] < lowest, parts[1], lowest), high, low

                first_of_row = [load_number(real, of_row + at) for at in (_HIGHEST, _LOWEST)]
                return repeat(0, blocks, merge, *first_of_row, real, real)

            def work() -> None:
                highest, lowest, high, low = merged()

                def add() -> None:
                    total, rest = sum_of(kind, y, x, n, block, highest, lowest)
                    store_number(real, own + _HIGH, total)
                    store_number(real, own + _LOW, rest)

                choose(stage == 1, add, lambda: finish(kind, y, x, n, block, highest, lowest, high, low))

            choose(stage == 0, look, work)

        repeat(first, last, item)

    return over_rows(stages)


def run_over_blocks(kernels: Kernels, x: Array, out: Array) -> None:
    """Take the rows of a contiguous array through the stages, each block of them by itself."""
    n = x.shape[-1]
    items = x.size // n * max(1, n // LENGTH)
    kept = np.zeros((items, _BYTES // 8))
    for stage in range(3):
        launch(kernels, x, items, address(out), (address(x), address(kept), stage), n)
