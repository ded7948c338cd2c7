"""Kernels of operators that take their elements one by one, from what is done to a vector of them."""

from typing import Any

from .jit import over_rows
from .rows import map_row
from .simd import itemsize
from .trace import traced


def over_elements(vector: Any) -> tuple[Any, Any]:
    """The kernels (serial, parallel) that put every vector of an array through ``vector(x)``.

    Of several arrays of one shape, whose addresses `src` holds, through ``vector(a, b)``.
    """

    @traced
    def span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
        at = first * itemsize(kind)
        sources = tuple(source + at for source in (src if isinstance(src, tuple) else (src,)))
        map_row(kind, dst + at, sources, last - first, vector)

    return over_rows(span)
