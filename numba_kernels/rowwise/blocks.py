"""Long rows in blocks: one thread's share where there are fewer rows than threads.

A row is summed block by block, whoever does it, so that the bits of a result do not depend on the number of threads.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.layout import launch, result_of_rows
from ..arrays.small import LONG
from ..compile.kernels import in_stages
from ..compile.threads import parts_now
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

# A block has at most 2^13 numbers and less than a vector more.
_BITS = 13
BLOCK = 1 << _BITS
# All begin at a multiple of so many.
_STEP_BITS = 4


def blocks_of(n: Any) -> Any:
    """In how many blocks, as long as one another, a row of n numbers is summed."""
    return maximum((n + (BLOCK - 1)) >> _BITS, 1)


def block_begin(block: Any, n: Any) -> Any:
    """The first number of a block of a row of n numbers; n behind the last."""
    blocks = blocks_of(n)
    return where(block < blocks, ((n >> _STEP_BITS) * block // blocks) << _STEP_BITS, n)


def block_at(kind: Any, row: Any, n: Any, block: Any) -> Any:
    """Where a block of a row of n numbers lies, and how many it has."""
    begin = block_begin(block, n)
    return row + begin * itemsize(kind), block_begin(block + 1, n) - begin


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

    def holds(self, index: Any) -> Any:
        """Whether a number of the row is in one of them."""
        return (block_begin(self.begin, self.n) <= index) & (index < block_begin(self.end, self.n))

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
    """Takes few long rows through stages, block by block: ``stage(kind, dst, src, row, *more)``.

    There `dst` is the result's address, `src` that of the row, and `more` what the caller gives. What a stage asks of
    all blocks of a row it asks before it begins with the first of ``row.blocks``. `halves`: whether these can be taken
    through the stages; `cost`: see `Kernels`.
    """

    def __init__(self, *stages: Stage, halves: bool = True, cost: float = 1.0) -> None:
        self._stages, self._halves = len(stages), halves

        @traced
        def work(kind: Any, dst: Any, src: Any, wanted: Any, first: Any, last: Any, n: Any) -> None:
            (scores, kept, *more), blocks = src, blocks_of(n)
            with loop(first // blocks, (last + (blocks - 1)) // blocks) as i:
                begin, end = maximum(first - i * blocks, 0), minimum(last - i * blocks, blocks)
                row = Row(i, n, begin, end, kept + i * blocks * (8 * _KEPT))
                for number, stage in enumerate(stages):
                    with when(wanted == number):
                        stage(kind, dst, scores + i * n * itemsize(kind), row, *more)

        self._kernels = in_stages(work, len(stages), cost, lambda n, inner: 1)

    def suits(self, x: Array, axis: int = -1) -> bool:
        """Whether whole lines of an array would leave threads idle, and are worth being spread over them."""
        n = x.shape[axis]
        if n < LONG or (x.itemsize == 2 and not self._halves):
            return False
        return bool(x.size // n < parts_now(self._kernels.work(x), x.size))

    def rows(self, x: Array, axis: int) -> Array | None:
        """The lines of an array as rows in C order, copied if need be; None where they do not suit."""
        return np.ascontiguousarray(np.moveaxis(x, axis, -1)) if self.suits(x, axis) else None

    def __call__(self, rows: Array, dst: int, *more: int) -> None:
        """Run over rows in C order; the stages know where from `dst` on a row's result belongs."""
        n = rows.shape[-1]
        items = rows.size // n * ((n + (BLOCK - 1)) >> _BITS)
        kept = np.empty((items, _KEPT))
        launch(self._kernels, rows, items, dst, (address(rows), address(kept), *more), n)

    def result(self, rows: Array, axis: int, out: Array | None, *more: int) -> Array:
        """Run over the rows of an array along `axis`, and return a result of the array's shape, in `out` if any."""
        return result_of_rows(rows, axis, out, lambda dst: self(rows, dst, *more))

    @property
    def facts(self) -> tuple[int, int, int]:
        """What the short way needs to know, see `small.Codes`."""
        return self._stages, _KEPT, _BITS

    def code(self, dtype: np.dtype[Any]) -> int:
        """The address of the kernel for shares."""
        code: int = self._kernels[dtype][1].code(_FORM)
        return code


# One number for the result, two for the source, one for the length.
_FORM = 0, 2, 1
