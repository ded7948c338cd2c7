"""Tiles: some lines side by side in a scratch, a vector of them at each place along the axis, and from there back."""

from typing import Any

from ..vector import (
    Variable,
    compute_kind,
    itemsize,
    lanes,
    load,
    load_partial,
    load_scalar,
    loop,
    maximum,
    minimum,
    prefetch,
    store,
    store_partial,
    store_scalar,
    traced,
    when,
)

# A tile of short rows is at most this many vectors wide; one of columns twice as wide, and as wide as fits in so many
# bytes. While it is worked on, the columns beside it are fetched.
TILE_VECTORS = 4
_COLUMN_VECTORS, _TILE_BYTES = 8, 128 * 1024


@traced
def tile_width(kind: Any, n: Any) -> Any:
    """How many lines a tile of depth `n` takes: whole vectors, at least one."""
    step, size = lanes(kind), itemsize(compute_kind(kind))
    return maximum(minimum(_TILE_BYTES // (n * (step * size)), _COLUMN_VECTORS), 1) * step


def load_transposed(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, stride: Any) -> None:
    """`count` short rows, `stride` bytes apart, to a tile of `width` columns; those beyond are zero."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, count) as j, loop(0, n) as k:
        number = load_scalar(kind, src + j * stride + k * itemsize(kind))
        store_scalar(work, to + (k * width + j) * size, number)
    with loop(count, width) as j, loop(0, n) as k:
        store_scalar(work, to + (k * width + j) * size, 0.0)


def store_transposed(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, stride: Any) -> None:
    """A tile of columns back to `count` short rows, `stride` bytes apart."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, count) as j, loop(0, n) as k:
        number = load_scalar(work, source + (k * width + j) * size)
        store_scalar(kind, dst + j * stride + k * itemsize(kind), number)


def load_columns(kind: Any, to: Any, src: Any, n: Any, count: Any, width: Any, stride: Any) -> None:
    """`count` neighbouring lines to a tile of `width` (rounded up to vectors; what is beyond `count` is zero)."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, n) as k, loop(0, count, lanes(kind)) as i:
        at, x = src + k * stride + i * itemsize(kind), Variable()
        with when(count - i >= lanes(kind)) as otherwise:
            x.value = load(kind, at)
        with otherwise:
            x.value = load_partial(kind, at, count - i, 0.0)
        prefetch(at + width * itemsize(kind))
        store(work, to + (k * width + i) * size, x.value)


def store_columns(kind: Any, dst: Any, source: Any, n: Any, count: Any, width: Any, stride: Any) -> None:
    """A tile back to `count` neighbouring lines."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, n) as k, loop(0, count, lanes(kind)) as i:
        at, x = dst + k * stride + i * itemsize(kind), load(work, source + (k * width + i) * size)
        prefetch(at + width * itemsize(kind), write=True)
        with when(count - i >= lanes(kind)) as otherwise:
            store(kind, at, x)
        with otherwise:
            store_partial(kind, at, x, count - i)
