"""Kernels of operators that take their elements one by one, from what is done to a vector of them."""

from typing import Any

from .jit import helper, over_rows
from .memory import load, load_first, store, store_first
from .simd import itemsize, lanes


def over_elements(vector: Any) -> tuple[Any, Any]:
    """The kernels (serial, parallel) that put every vector of an array through the helper ``vector(x)``."""

    @helper
    def span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> Any:
        size, step = itemsize(kind), lanes(kind)
        full = first + (last - first) // step * step
        for i in range(first, full, step):
            store(kind, dst + i * size, vector(load(kind, src + i * size)))
        if full < last:
            x = load_first(kind, src + full * size, last - full, 0.0)
            store_first(kind, dst + full * size, vector(x), last - full)

    return over_rows(span)


def over_pairs(vector: Any) -> tuple[Any, Any]:
    """The same of two arrays, whose addresses `src` holds, and ``vector(a, b)``."""

    @helper
    def span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> Any:
        size, step = itemsize(kind), lanes(kind)
        full = first + (last - first) // step * step
        for i in range(first, full, step):
            at = i * size
            store(kind, dst + at, vector(load(kind, src[0] + at), load(kind, src[1] + at)))
        if full < last:
            at, count = full * size, last - full
            a, b = load_first(kind, src[0] + at, count, 0.0), load_first(kind, src[1] + at, count, 0.0)
            store_first(kind, dst + at, vector(a, b), count)

    return over_rows(span)
