"""The scaled exponentials of a row, or of a part of one, and their sum."""

from typing import Any

from ..numerics.exp import exp_scaled
from ..numerics.sums import add, add_piece
from ..vector import (
    CHUNK,
    all_set,
    bits,
    compute_kind,
    itemsize,
    lanes,
    load,
    minimum,
    prefetch,
    splat,
    store,
    vector_bytes,
)
from ..vector.flow import choose, repeat
from .rows import anchor, behind, last_of, scaled


def exponentials(kind: Any, to: Any, src: Any, n: Any, each: Any) -> Any:
    """Scaled exponentials of a part of a row, of at least one vector, and their anchored sum.

    ``each(x, at)`` is the exponential of a vector from the address `at`. `to` is of the computing type and may be
    `src`. In two loops over a piece of the row that stays in the nearest cache: one loop holds too many values at once
    for the registers, and its chain of sums waits for the exponentials.
    """
    work, step = compute_kind(kind), lanes(kind)
    # it overlaps the vector before it, so it is read before anything is written
    tail = last_of(kind, src, n)
    vectors = n // step

    def exponentiate(i: Any) -> None:
        at = src + i * vector_bytes(kind)
        store(work, to, each(load(kind, at), at), i)

    def piece(first: Any, *total: Any) -> Any:
        last = minimum(first + CHUNK, vectors)
        repeat(first, last, exponentiate)
        return add_piece(first, last, lambda i: load(work, to, i), *total)

    def rest() -> Any:
        e = each(tail, src + n * itemsize(kind))
        store(work, to + (n - step) * itemsize(work), e)
        return add(*total, behind(e, n % step))

    total = repeat(0, vectors, piece, anchor(tail), splat(tail, 0.0), step=CHUNK)
    return choose(n % step != 0, rest, lambda: total)


def plain(shift: Any, ahead: Any) -> Any:
    """The exponentials of a row in which nothing needs a look; what lies `ahead` bytes further is wanted next."""

    def each(x: Any, at: Any) -> Any:
        prefetch(at + ahead)
        return exp_scaled(x, splat(bits(x), shift))

    return each


def careful(base: Any, lowest: Any, shift: Any, ahead: Any) -> Any:
    """The exponentials of a row with anything in it; where they are spread wide, most vectors hold nothing."""

    def each(x: Any, at: Any) -> Any:
        prefetch(at + ahead)
        base_v, lowest_v = splat(x, base), splat(x, lowest)
        return choose(
            all_set(x - base_v < lowest_v),
            lambda: splat(x, 0.0),
            lambda: scaled(x, base_v, lowest_v, splat(bits(x), shift)),
        )

    return each
