"""A row of numbers times the rows of a matrix: vectors lie along the depth, and the matrix is read once.

sums = Σ number · number, some rows at a time, each lane by itself; then over the lanes, of as many rows as it has
"""

from collections.abc import Callable
from typing import Any

from ..rowwise.lanes import reduced
from ..vector import (
    Variable,
    compute_kind,
    fma,
    full,
    lanes,
    load,
    load_partial,
    loop,
    minimum,
    stack_address,
    store,
    vector_bytes,
    when,
)
from .panels import has_wide_registers


def _at_once(kind: Any) -> int:
    """How many rows are multiplied at a time: as many sums as registers hold."""
    return 8 if has_wide_registers(kind) else 4


def _parts_of(kind: Any, n: Any, function: Any) -> None:
    """``function(vector, i)`` for the vectors of a row, 0 behind its end."""
    whole, rest = n // lanes(kind), n % lanes(kind)
    with loop(0, whole) as i:
        function(lambda row: load(kind, row + i * vector_bytes(kind)), i)
    with when(rest > 0):
        tail = whole * vector_bytes(kind)
        function(lambda row: load_partial(kind, row + tail, rest, 0.0), whole)


def products_of_rows(
    kind: Any, x: Any, rows: Any, row: Any, count: Any, depth: Any, put: Callable[[Any, Any], None]
) -> None:
    """``put(first, products)`` for the products of x and so many rows, a vector of them at a time.

    `x` is of the computing type and padded with zeros to whole vectors; rows, of a kind, lie `row` bytes apart. In the
    last vector the last row stands for those beyond.
    """
    work, width, together = compute_kind(kind), int(lanes(kind)), _at_once(kind)
    zero = full(kind, 0.0)
    sums_of_rows = stack_address(count, zero.type, width)
    with loop(0, count, width) as first:
        with loop(first, first + width, together) as line:
            places = [rows + minimum(line + j, count - 1) * row for j in range(together)]
            sums = Variable(*[zero] * together)

            def add(vector: Any, i: Any, places: Any = places, sums: Any = sums) -> None:
                numbers = load(work, x, i)
                sums.value = [fma(vector(p), numbers, s) for p, s in zip(places, sums.value, strict=True)]

            _parts_of(kind, depth, add)
            for j, total in enumerate(sums.value):
                store(work, sums_of_rows + (line - first + j) * vector_bytes(work), total)
        vectors = [(load(work, sums_of_rows, i),) for i in range(width)]
        (products,) = reduced(vectors, lambda a, b: (a + b,))
        put(first, products)
