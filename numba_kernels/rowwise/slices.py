"""A row of contiguous numbers, slice by slice: whole vectors, and at the end what fills none.

    for part in slices(kind, n):
        part.store(dst, part.load(a) * part.load(b))

The body is written twice, once for all whole vectors, in a loop, and once for the rest; it must run to its end (no
``break``, no ``return``), and what it changes is a `Variable`.
"""

from collections.abc import Iterator
from typing import Any

from ..vector import lanes, load, load_partial, loop, prefetch, store, store_partial, vector_bytes, when


class Slice:
    """The numbers of a row that one vector holds: of `count` numbers, where it is not full."""

    def __init__(self, kind: Any, offset: Any, count: Any = None) -> None:
        self._kind, self._offset, self._count = kind, offset, count

    def load(self, src: Any, fill: float = 0.0) -> Any:
        """The slice of the row that begins at an address, with `fill` in the lanes behind its end."""
        if self._count is None:
            return load(self._kind, src + self._offset)
        return load_partial(self._kind, src + self._offset, self._count, fill)

    def store(self, dst: Any, vector: Any) -> None:
        """Write to the slice of the row that begins at an address."""
        if self._count is None:
            store(self._kind, dst + self._offset, vector)
        else:
            store_partial(self._kind, dst + self._offset, vector, self._count)

    def prefetch(self, src: Any) -> None:
        """Say that the slice of the row that begins at an address is wanted soon."""
        if self._count is None:
            prefetch(src + self._offset)


def slices(kind: Any, n: Any) -> Iterator[Slice]:
    """The slices of a row of n numbers of a kind."""
    vectors, rest = n // lanes(kind), n % lanes(kind)
    with loop(0, vectors) as i:
        yield Slice(kind, i * vector_bytes(kind))
    with when(rest != 0):
        yield Slice(kind, vectors * vector_bytes(kind), rest)
