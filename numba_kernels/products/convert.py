"""A row of numbers of one kind as numbers of another."""

from typing import Any

from ..vector import (
    itemsize,
    lanes,
    load,
    load_partial,
    loop,
    prefetch,
    store,
    store_partial,
    vector_bytes,
    when,
)


def convert_row(to: Any, dst: Any, kind: Any, src: Any, n: Any, ahead: Any = None) -> None:
    """n numbers of a kind, to nearest; what lies `ahead` bytes further is wanted next."""
    vectors, rest = n // lanes(kind), n % lanes(kind)
    with loop(0, vectors) as i:
        store(to, dst, load(kind, src, i), i)
        if ahead is not None:
            prefetch(src + i * vector_bytes(kind) + ahead)
    with when(rest > 0):
        done = vectors * lanes(kind)
        number = load_partial(kind, src + done * itemsize(kind), rest, 0.0)
        store_partial(to, dst + done * itemsize(to), number, rest)
