"""From a vector for each of several rows to one vector with a number for each row.

What a row comes to (its maximum, its sum) is at first spread over the lanes of a vector. Bringing the lanes of one row
together takes a chain of dependent steps; for as many rows as a vector has lanes it takes hardly more instructions, no
waiting, and what follows for each row (a reciprocal, a logarithm) is then done for all of them in one go.

The vectors lie in the memory of `simd.stack_scratch`, one for each row in each of four tables.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from ..numerics.sums import settle, two_sum
from ..vector import (
    VECTOR_BYTES,
    compute_kind,
    computed_as,
    insert,
    itemsize,
    join,
    lanes,
    load,
    shuffle,
    splat,
    split,
    store,
    store_scalar,
    traced,
    where,
)
from ..vector.memory import pointer
from ..vector.types import INTEGER, typed

# Where the tables begin: vectors that lead to the maximum, the minimum, the sum in float64 and to what that lost.
# Once a table has been used, numbers for each row may take its place.
HIGHS, LOWS, SUMS, LOST = (i * 16 * VECTOR_BYTES for i in range(4))

Vectors = tuple[Any, ...]
Combine = Callable[[Vectors, Vectors], Vectors]


def _across(rows: list[Vectors], combine: Combine) -> Vectors:
    """Lane i of the result: the lanes of row i combined pairwise, the lower half of them with the upper half."""
    count = rows[0][0].lanes
    each = count // 2
    while each:
        lower = [i for i in range(2 * count) if i // each % 2 == 0]

        def picked(a: Any, b: Any, shift: int, order: list[int] = lower) -> Any:
            return shuffle(a, b, [i + shift for i in order])

        rows = [
            combine(
                tuple(picked(x, y, 0) for x, y in zip(a, b, strict=True)),
                tuple(picked(x, y, each) for x, y in zip(a, b, strict=True)),
            )
            for a, b in zip(rows[::2], rows[1::2], strict=True)
        ]
        each //= 2
    return rows[0]


def _table(kind: Any, start: Any, count: int) -> list[Any]:
    return [load(kind, start + i * VECTOR_BYTES) for i in range(count)]


def _extreme(kind: Any, start: Any, combine: Callable[[Any, Any], Any]) -> Any:
    rows: list[Vectors] = [(v,) for v in _table(compute_kind(kind), start, lanes(kind))]
    return _across(rows, lambda a, b: (combine(a[0], b[0]),))[0]


@traced
def maxima(kind: Any, scratch: Any) -> Any:
    """The maximum of each row, from the table at HIGHS; a NaN may be passed over."""
    return _extreme(kind, scratch + HIGHS, lambda a, b: where(a > b, a, b))


@traced
def minima(kind: Any, scratch: Any) -> Any:
    """The minimum of each row, from the table at LOWS; a NaN may be passed over."""
    return _extreme(kind, scratch + LOWS, lambda a, b: where(a < b, a, b))


@traced
def keep_sum(scratch: Any, row: Any, total: Any, lost: Any, anchor: Any) -> None:
    """Put an anchored sum (see `sums`) into the tables for a row, in float64."""
    high, low = settle(total, lost, anchor) if total.scalar == lost.scalar else (total - anchor, None)
    if low is None and high.lanes * 8 > VECTOR_BYTES:
        # float32: twice as many lanes as a vector of float64 has
        a, b = split(high)
        high = a + b
    real = scratch.constant(0.0, types.float64)
    store(real, scratch + SUMS + row * VECTOR_BYTES, high)
    if low is not None:
        store(real, scratch + LOST + row * VECTOR_BYTES, low)


@traced
def keep_number(scratch: Any, row: Any, high: Any, low: Any) -> None:
    """Put a sum that is a pair of float64 numbers into the tables for a row."""
    real = scratch.constant(0.0, types.float64)
    zero = splat(load(real, scratch), 0.0)
    for start, number in ((SUMS, high), (LOST, low)):
        store(real, scratch + start + row * VECTOR_BYTES, insert(zero, 0, number))


# Numbers for each row, once the vectors at HIGHS and LOWS have been used: a vector of them in each of 32 slots.


@traced
def put(scratch: Any, slot: Any, numbers: Any) -> None:
    """Keep a vector with a number, or an integer, for each row."""
    numbers.builder.store(numbers.ir, pointer(scratch + slot * VECTOR_BYTES, numbers.type), align=1)


@traced
def number(kind: Any, scratch: Any, slot: Any, row: Any) -> Any:
    """The number of a row in a slot, of the type `kind` is computed in."""
    return _single(computed_as(kind.type), scratch, slot, row)


@traced
def put_number(kind: Any, scratch: Any, slot: Any, row: Any, value: Any) -> None:
    """Replace the number of a row in a slot."""
    store_scalar(
        compute_kind(kind), scratch + slot * VECTOR_BYTES + row * itemsize(compute_kind(kind)), value
    )


@traced
def integer(kind: Any, scratch: Any, slot: Any, row: Any) -> Any:
    """The integer of a row in a slot, as wide as the type `kind` is computed in."""
    return _single(INTEGER[computed_as(kind.type)], scratch, slot, row)


@traced
def real_number(scratch: Any, slot: Any, row: Any) -> Any:
    """The float64 number of a row in a slot, and the next where a vector of them takes two."""
    return _single(types.float64, scratch, slot, row)


@traced
def put_real_number(scratch: Any, slot: Any, row: Any, value: Any) -> None:
    """Replace the float64 number of a row."""
    store_scalar(scratch.constant(0.0, types.float64), scratch + slot * VECTOR_BYTES + row * 8, value)


@traced
def real_numbers(kind: Any, scratch: Any, slot: Any) -> Any:
    """The float64 numbers of all rows."""
    numbers = typed(types.float64, lanes(kind))
    place = pointer(scratch + slot * VECTOR_BYTES, numbers)
    return scratch.new(numbers, scratch.builder.load(place, align=1))


def _single(numba_type: Any, scratch: Any, slot: Any, row: Any) -> Any:
    place = pointer(scratch + slot * VECTOR_BYTES + row * (numba_type.bitwidth // 8), numba_type)
    return scratch.new(numba_type, scratch.builder.load(place, align=1))


@traced
def sums(kind: Any, scratch: Any) -> Any:
    """The sum of each row as float64 vectors (high, low), from the tables at SUMS and LOST."""
    real = scratch.constant(0.0, types.float64)
    count, each = lanes(kind), lanes(real)
    highs = _table(real, scratch + SUMS, count)
    if count == each:
        pairs = list(zip(highs, _table(real, scratch + LOST, count), strict=True))
        high, low = _across(pairs, _add_pairs)
        return high, low
    parts = [
        _across([(v,) for v in part], lambda a, b: (a[0] + b[0],))[0] for part in (highs[:each], highs[each:])
    ]
    high = join(*parts)
    return high, splat(high, 0.0)


def _add_pairs(a: Vectors, b: Vectors) -> Vectors:
    high, error = two_sum(a[0], b[0])
    return high, a[1] + b[1] + error
