"""Tiles: some lines side by side in a scratch, a vector of them at each place along the axis, and from there back."""

from typing import Any

from ..vector import (
    compute_kind,
    itemsize,
    lanes,
    load,
    load_partial,
    load_scalar,
    maximum,
    minimum,
    store,
    store_partial,
    store_scalar,
    traced,
)
from ..vector.flow import choose, repeat

# A tile is at most this many vectors wide, and as wide as fits in this many bytes.
TILE_VECTORS = 4
_TILE_BYTES = 128 * 1024


@traced
def tile_width(kind: Any, n: Any) -> Any:
    """How many lines a tile of depth `n` takes: whole vectors, at least one."""
    step, size = lanes(kind), itemsize(compute_kind(kind))
    return maximum(minimum(_TILE_BYTES // (n * (step * size)), TILE_VECTORS), 1) * step


def load_transposed(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, outer: Any) -> None:
    """`count` short rows to a tile of `width` columns; those beyond are zero."""
    work, size, wide = compute_kind(kind), itemsize(kind), itemsize(compute_kind(kind))

    def row(j: Any) -> None:
        def number(k: Any) -> None:
            store_scalar(work, to + (k * width + j) * wide, load_scalar(kind, src + j * outer + k * size))

        repeat(0, n, number)

    repeat(0, count, row)
    repeat(
        count, width, lambda j: repeat(0, n, lambda k: store_scalar(work, to + (k * width + j) * wide, 0.0))
    )


def store_transposed(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, outer: Any) -> None:
    """A tile of columns back to `count` short rows."""
    work, size, wide = compute_kind(kind), itemsize(kind), itemsize(compute_kind(kind))

    def row(j: Any) -> None:
        def number(k: Any) -> None:
            store_scalar(kind, dst + j * outer + k * size, load_scalar(work, source + (k * width + j) * wide))

        repeat(0, n, number)

    repeat(0, count, row)


def load_columns(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, along: Any) -> None:
    """`count` neighbouring lines to a tile of `width` (rounded up to vectors; what is beyond `count` is zero)."""
    work, size, wide, step = compute_kind(kind), itemsize(kind), itemsize(compute_kind(kind)), lanes(kind)

    def numbers(k: Any) -> None:
        def vector(i: Any) -> None:
            at = src + k * along + i * size
            x = choose(
                count - i >= step, lambda: load(kind, at), lambda: load_partial(kind, at, count - i, 0.0)
            )
            store(work, to + (k * width + i) * wide, x)

        repeat(0, count, vector, step=step)

    repeat(0, n, numbers)


def store_columns(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, along: Any) -> None:
    """A tile back to `count` neighbouring lines."""
    work, size, wide, step = compute_kind(kind), itemsize(kind), itemsize(compute_kind(kind)), lanes(kind)

    def numbers(k: Any) -> None:
        def vector(i: Any) -> None:
            at, x = dst + k * along + i * size, load(work, source + (k * width + i) * wide)
            choose(
                count - i >= step, lambda: store(kind, at, x), lambda: store_partial(kind, at, x, count - i)
            )

        repeat(0, count, vector, step=step)

    repeat(0, n, numbers)
