"""A row of contiguous numbers, slice by slice: whole vectors, and at the end what fills none.

    for part in slices(kind, n):
        part.store(dst, part.load(a) * part.load(b))

The body is written twice, once for all whole vectors, in a loop, and once for the rest; it must run to its end (no
``break``, no ``return``), and what it changes is a `Variable`. Operators that take numbers one by one need no more than
this; their kernels are made here.
"""

from collections.abc import Iterator
from typing import Any

from ..compile.kernels import Kernels, over_rows
from ..vector import (
    Variable,
    from_bits,
    full,
    itemsize,
    lane_index,
    lanes,
    load,
    load_partial,
    loop,
    narrow,
    prefetch,
    splat,
    store,
    store_partial,
    traced,
    vector_bytes,
    when,
    where,
)


class Slice:
    """The numbers of a row that one vector holds: of `count` numbers, where it is not full."""

    def __init__(self, kind: Any, offset: Any, count: Any = None) -> None:
        self._kind, self._offset, self._count = kind, offset, count

    @property
    def lanes(self) -> int:
        """How many numbers a vector holds."""
        count: int = lanes(self._kind)
        return count

    @property
    def first(self) -> Any:
        """The index in the row of the first of the numbers."""
        return self._offset // itemsize(self._kind)

    def load(self, src: Any, fill: Any = 0.0) -> Any:
        """The slice of the row that begins at an address, with `fill` in the lanes behind its end."""
        if self._count is None:
            return load(self._kind, src + self._offset)
        return load_partial(self._kind, src + self._offset, self._count, fill)

    def kept(self, vector: Any) -> Any:
        """A vector, 0 in the lanes behind the end of the row."""
        if self._count is None:
            return vector
        index = lane_index(vector)
        return where(index < splat(index, self._count), vector, 0.0)

    def store(self, dst: Any, vector: Any) -> None:
        """Write to the slice of the row that begins at an address."""
        if self._count is None:
            store(self._kind, dst + self._offset, vector)
        else:
            store_partial(self._kind, dst + self._offset, vector, self._count)

    def prefetch(self, at: Any, *, write: bool = False) -> None:
        """Say that the slice of the row that begins at an address is wanted soon, or will be written."""
        if self._count is None:
            prefetch(at + self._offset, write=write)


def slices(kind: Any, n: Any) -> Iterator[Slice]:
    """The slices of a row of n numbers of a kind."""
    vectors, rest = n // lanes(kind), n % lanes(kind)
    with loop(0, vectors) as i:
        yield Slice(kind, i * vector_bytes(kind))
    with when(rest != 0):
        yield Slice(kind, vectors * vector_bytes(kind), rest)


def fill_zeros(kind: Any, dst: Any, n: Any) -> None:
    """Write n zeros."""
    for part in slices(kind, n):
        part.store(dst, full(kind, 0.0))


def over_elements(vector: Any, cost: float = 1.0) -> Kernels:
    """The kernels that put every vector of an array through ``vector(x)``.

    Of several arrays of one shape, whose addresses `src` holds, through ``vector(a, b)``.
    """

    @traced
    def elements(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        begin = first * itemsize(kind)
        to, sources = dst + begin, [source + begin for source in (src if isinstance(src, tuple) else (src,))]
        for part in slices(kind, last - first):
            part.store(to, vector(*(part.load(source) for source in sources)))

    return over_rows(elements, cost)


def over_elements_and_numbers(vector: Any, cost: float = 1.0) -> Kernels:
    """The same of ``vector(x, *numbers)``; `src` holds the address of x and each number, the bits of a float64."""

    @traced
    def elements(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        begin, like = first * itemsize(kind), full(kind, 0.0)
        numbers = [splat(like, narrow(like, from_bits(word))) for word in src[1:]]
        for part in slices(kind, last - first):
            part.store(dst + begin, vector(part.load(src[0] + begin), *numbers))

    return over_rows(elements, cost)


def over_elements_in_two(begin: Any, end: Any) -> Kernels:
    """The same of ``end(begin(x))``, the end of one vector beside the beginning of the next.

    For what is so long a chain of dependent steps that a processor, which sees some hundred steps ahead, would wait.
    """

    @traced
    def elements(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        offset, n = first * itemsize(kind), last - first
        x, y, vectors, rest = src + offset, dst + offset, n // lanes(kind), n % lanes(kind)
        with when(vectors > 0):
            begun = Variable(begin(load(kind, x)))
            with loop(1, vectors) as i:
                following = begin(load(kind, x, i))
                store(kind, y, end(begun.value), i - 1)
                begun.value = following
            store(kind, y, end(begun.value), vectors - 1)
        with when(rest > 0):
            tail = vectors * vector_bytes(kind)
            store_partial(kind, y + tail, end(begin(load_partial(kind, x + tail, rest, 0.0))), rest)

    return over_rows(elements)
