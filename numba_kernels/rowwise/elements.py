"""Kernels of operators that take their elements one by one, from what is done to a vector of them."""

from typing import Any

from ..compile.jit import Kernels, over_rows
from ..vector.flow import choose, repeat
from ..vector.memory import load, load_first, load_nth, store_first, store_nth, vector_bytes
from ..vector.operations import itemsize, lanes
from ..vector.trace import traced
from .rows import map_row


def over_elements(vector: Any) -> Kernels:
    """The kernels that put every vector of an array through ``vector(x)``.

    Of several arrays of one shape, whose addresses `src` holds, through ``vector(a, b)``.
    """

    @traced
    def span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        at = first * itemsize(kind)
        sources = tuple(source + at for source in (src if isinstance(src, tuple) else (src,)))
        map_row(kind, dst + at, sources, last - first, vector)

    return over_rows(span)


def over_elements_in_two(begin: Any, end: Any) -> Kernels:
    """The same of ``end(begin(x))``, the end of one vector beside the beginning of the next.

    For what is so long a chain of dependent steps that a processor, which sees some hundred steps ahead, would wait.
    """

    @traced
    def span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        at, n = first * itemsize(kind), last - first
        x, y, vectors, rest = src + at, dst + at, n // lanes(kind), n % lanes(kind)

        def next_one(i: Any, begun: Any) -> Any:
            following = begin(load_nth(kind, x, i))
            store_nth(kind, y, i - 1, end(begun))
            return following

        def whole() -> None:
            begun = repeat(1, vectors, next_one, begin(load(kind, x)))
            store_nth(kind, y, vectors - 1, end(begun))

        def remainder() -> None:
            tail = vectors * vector_bytes(kind)
            store_first(kind, y + tail, end(begin(load_first(kind, x + tail, rest, 0.0))), rest)

        choose(vectors > 0, whole)
        choose(rest > 0, remainder)

    return over_rows(span)
