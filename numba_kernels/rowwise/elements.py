"""Kernels of operators that take their elements one by one, from what is done to a vector of them."""

from typing import Any

from ..compile.jit import Kernels, over_rows
from ..vector import (
    Variable,
    itemsize,
    lanes,
    load,
    load_partial,
    loop,
    store,
    store_partial,
    traced,
    vector_bytes,
    when,
)
from .slices import slices


def over_elements(vector: Any) -> Kernels:
    """The kernels that put every vector of an array through ``vector(x)``.

    Of several arrays of one shape, whose addresses `src` holds, through ``vector(a, b)``.
    """

    @traced
    def elements(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        begin = first * itemsize(kind)
        to, sources = dst + begin, [source + begin for source in (src if isinstance(src, tuple) else (src,))]
        for part in slices(kind, last - first):
            part.store(to, vector(*(part.load(source) for source in sources)))

    return over_rows(elements)


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
