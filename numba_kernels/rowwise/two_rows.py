"""Gradients along an axis: from a row of dy and the same row of y, sums first, then a row of the result."""

from typing import Any

import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.axes import Axis
from ..arrays.pairs import two_rows_to_rows
from ..compile.kernels import over_rows
from ..numerics.sums import add_pair
from ..vector import itemsize, loop, outlined, traced, where
from .blocks import BLOCK, OverBlocks, Row, block_at, merge_blocks
from .slices import slices


def _add(*sums: Any) -> Any:
    """Sums of two parts of a row, pairs one after another, as those of both.

    (±inf, 0) or (NaN, 0) where one is not finite.
    """
    half, result = len(sums) // 2, []
    for i in range(0, half, 2):
        high, low = add_pair(*sums[i : i + 2], *sums[half + i : half + i + 2])
        result += [high, where(low == low, low, 0.0)]
    return tuple(result)


class OfTwoRows:
    """The kernels for rows of dy and y, whose addresses `src` holds, and those for a few long rows.

    ``total(kind, dy, y, n, *more)`` gives pairs for a row, so many, one after another; ``gradient(dy, y, *pairs,
    *more)`` a vector of the result. `more`: whole numbers, such as addresses, that the caller of the operator gives.
    """

    def __init__(self, total: Any, gradient: Any, cost: float = 1.0, pairs: int = 1) -> None:
        kept = range(2 * pairs)

        @outlined
        def total_of_block(kind: Any, dy: Any, y: Any, n: Any, block: Any, *more: Any) -> Any:
            (a, length), (b, _) = block_at(kind, dy, n, block), block_at(kind, y, n, block)
            return total(kind, a, b, length, *more)

        def write(kind: Any, dx: Any, dy: Any, y: Any, n: Any, ahead: Any, *facts: Any) -> None:
            for part in slices(kind, n):
                for row in (dy, y):
                    part.prefetch(row + ahead)
                part.prefetch(dx + ahead, write=True)
                part.store(dx, gradient(part.load(dy), part.load(y), *facts))

        @traced
        def rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
            row_bytes, (all_dy, all_y, *more) = n * itemsize(kind), src
            with loop(first, last) as i:
                dy, y, dx = (start + i * row_bytes for start in (all_dy, all_y, dst))
                sums = merge_blocks(n, lambda block: total_of_block(kind, dy, y, n, block, *more), _add)
                write(kind, dx, dy, y, n, row_bytes, *sums, *more)

        def add_block(kind: Any, dst: Any, src: Any, row: Row, all_y: Any, *more: Any) -> None:
            y = all_y + row.index * row.n * itemsize(kind)
            with row.blocks as block:
                row.keep(block, kept, *total_of_block(kind, src, y, row.n, block, *more))

        def write_block(kind: Any, dst: Any, src: Any, row: Row, all_y: Any, *more: Any) -> None:
            sums, offset = row.merged(kept, _add), row.index * row.n * itemsize(kind)
            with row.blocks as block:
                (dx, n), (dy, _), (y, _) = (
                    block_at(kind, at, row.n, block) for at in (dst + offset, src, all_y + offset)
                )
                write(kind, dx, dy, y, n, BLOCK * itemsize(kind), *sums, *more)

        self.kernels = over_rows(rows, cost)
        self.few_long_rows = OverBlocks(add_block, write_block, cost=cost)

    def __call__(
        self, name: str, dy: npt.ArrayLike, y: npt.ArrayLike, axis: Axis, out: Array | None, *more: int
    ) -> Array:
        return two_rows_to_rows(name, self.kernels, self.few_long_rows, dy, y, axis, out, *more)
