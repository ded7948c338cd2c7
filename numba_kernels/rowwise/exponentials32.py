"""The scaled exponentials of a float32 row, or of one of halves, and their sum, in one loop.

Three vectors are in flight at a time, so that no step waits for the one before it: each round of the loop

    reduces the vector that comes next,
    makes the exponential of this one and writes it,
    adds the exponential of the vector before.
"""

from typing import Any, NamedTuple

from ..numerics.exp_table import exponentials_of_lanes, joined, reduced, split_exponential, table_for
from ..numerics.sums import ExactSum, LaneSums
from ..vector import (
    Variable,
    compute_kind,
    full,
    itemsize,
    join,
    lane_index,
    lanes,
    load_partial,
    loop,
    minimum,
    prefetch,
    register_lanes,
    splat,
    split,
    vector_bytes,
    when,
    where,
)
from ..vector.memory import read, write
from .rows import last_vector


def _not_below(cut: Any, x: Any) -> Any:
    """Numbers, and the cut for those below it; NaN stays NaN."""
    cut = splat(x, cut)
    return where(cut > x, cut, x)


class _Pipeline:
    """What is carried from one piece of a vector to the next, and a sum for each piece."""

    def __init__(self, like: Any, pieces: int, shift: Any, base: Any, cut: Any) -> None:
        zero = splat(like, 0.0)
        self._table, self._base, self._cut = table_for(like, shift), base, cut
        self._sums = [ExactSum(like) for _ in range(pieces)]
        self._taken = Variable(*self._reduced(zero))
        self._made = Variable(zero, zero, zero)
        self._piece = -1

    def _reduced(self, x: Any) -> tuple[Any, ...]:
        if self._cut is None:
            return reduced(x)
        if self._base is not None:
            x = x - splat(x, self._base)
        return reduced(_not_below(self._cut, x))

    def begin(self, x: Any) -> None:
        """Reduce the first piece."""
        self._taken.value = self._reduced(x)

    def round(self, piece: int, following: Any = None, counts: Any = None) -> Any:
        """The exponentials of a piece; those of the piece before are added, and the `following` one is reduced.

        `counts`: of which lanes they are to be added.
        """
        (raised, r), before, added_to = self._taken.value, self._made.value, self._sums[self._piece]
        if following is not None:
            self._taken.value = self._reduced(following)
        p, s = split_exponential(raised, r, self._table)
        made = [joined(p, s), p, s]
        e = made[0]
        if counts is not None:
            made = [where(counts, each, 0.0) for each in made]
        self._made.value, self._piece = made, piece
        added_to.add(*before)
        return e

    def end(self) -> None:
        """Add what was made last."""
        self._sums[self._piece].add(*self._made.value)

    def settle(self) -> None:
        """See `ExactSum`."""
        for each in self._sums:
            each.settle()

    def sum(self) -> Any:
        """All that was added, lane by lane of whole vectors."""
        parts = [each.value for each in self._sums]
        return parts[0] if len(parts) == 1 else join(*parts)


class _Places(NamedTuple):
    """Where a vector of the row lies, where its exponentials are written, and where its result; None for nowhere."""

    x: Any
    e: Any
    result: Any

    def moved(self, i: Any, steps: "_Places") -> "_Places":
        return _Places(*(None if at is None else at + i * step for at, step in zip(self, steps, strict=True)))


def exponentials32(
    kind: Any,
    to: Any,
    src: Any,
    n: Any,
    ahead: Any,
    shift: Any,
    base: Any = None,
    cut: Any = None,
    result: Any = None,
    settle_after: int | None = None,
) -> LaneSums:
    """Write the scaled exponentials of a part of a row, of at least one vector, unless `to` is None; their sum.

    `shift` is that of `table_shift`. With `base` and `cut` (see `base_and_cut`) anything may be in the row; without,
    what needs neither. What is below the cut counts as if it were there: for nothing, beside the maximum. `to` is of
    the computing type and may be `src`. What lies `ahead` bytes further is read and written next; `result`: what is
    written from there on is of the same kind, and soon; `settle_after` so many vectors, see `ExactSum`; without, there
    are no more than `ExactSum.MOST`.
    """
    work, width = compute_kind(kind), register_lanes(full(kind, 0.0))
    pieces, vectors = lanes(kind) // width, n // lanes(kind)
    # it overlaps the vector before it, so it is read before anything is written
    last = last_vector(kind, src, n)
    of_last = [last] if pieces == 1 else list(split(last))
    pipeline = _Pipeline(of_last[0], pieces, shift, base, cut)
    steps = _Places(vector_bytes(kind), lanes(kind) * itemsize(work), vector_bytes(kind))

    def piece_of(x: Any, piece: int) -> Any:
        return read(kind, x + piece * width * itemsize(kind), width)

    def put(e: Any, piece: int, made: Any) -> None:
        if e is not None:
            write(work, e + piece * width * itemsize(work), made)

    def take_round(at: _Places, following: Any) -> None:
        """A vector; `following` is the first piece of what comes behind it."""
        for piece in range(pieces):
            behind = piece_of(at.x, piece + 1) if piece + 1 < pieces else following
            put(at.e, piece, pipeline.round(piece, behind))
        prefetch(at.x + ahead)
        if at.result is not None:
            prefetch(at.result, write=True)
        elif at.e is not None:
            prefetch(at.e + ahead, write=True)

    def take_rounds(first: _Places, count: Any) -> None:
        with loop(0, count) as i:
            at = first.moved(i, steps)
            take_round(at, piece_of(at.x + steps.x, 0))

    begin = _Places(src, to, result)
    pipeline.begin(piece_of(src, 0))
    if settle_after is None:
        take_rounds(begin, vectors - 1)
    else:
        with loop(0, vectors - 1, settle_after) as first:
            with when(first > 0):
                pipeline.settle()
            take_rounds(begin.moved(first, steps), minimum(vectors - 1 - first, settle_after))
    take_round(begin.moved(vectors - 1, steps), of_last[0])

    with when(n % lanes(kind) != 0):
        place = None if to is None else to + (n - lanes(kind)) * itemsize(work)
        for piece in range(pieces):
            index = lane_index(of_last[0]) + piece * width
            counts = index >= splat(index, lanes(kind) - n % lanes(kind))
            behind = of_last[piece + 1] if piece + 1 < pieces else None
            put(place, piece, pipeline.round(piece, behind, counts))
    pipeline.end()
    return LaneSums(pipeline.sum())


def short_sum32(kind: Any, src: Any, n: Any, shift: Any, cut: Any) -> LaneSums:
    """The sum of the scaled exponentials of a row of less than one vector."""
    x = _not_below(cut, load_partial(kind, src, n, 0.0))
    e, p, s = exponentials_of_lanes(x, table_for(x, shift), 0)
    there, total = lane_index(x) < splat(lane_index(x), n), ExactSum(x)
    total.add(*(where(there, each, 0.0) for each in (e, p, s)))
    return LaneSums(total.value)
