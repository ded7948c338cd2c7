"""What several kernels ask of a row of contiguous numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..numerics.sums import reduce_max
from ..vector import (
    Variable,
    first_lane,
    itemsize,
    lane_index,
    lanes,
    load,
    load_partial,
    loop,
    maximum,
    minimum,
    outlined,
    splat,
    store,
    traced,
    when,
    where,
)

# So many bytes of a few rows stay in the nearest cache from one stage to the next.
_NEAR = 16384


@traced
def rows_at_once(kind: Any, n: Any) -> Any:
    """How many rows of n numbers are taken through the stages of a kernel together."""
    return maximum(minimum(_NEAR // (n * itemsize(kind)), lanes(kind)), 1)


def last_vector(kind: Any, src: Any, n: Any) -> Any:
    """The last vector of a row of at least one; it overlaps the one before where n is not a multiple of its length."""
    return load(kind, src + (n - lanes(kind)) * itemsize(kind))


def last_lanes(x: Any, count: Any, fill: float = 0.0) -> Any:
    """The last `count` lanes of a vector, `fill` in the others."""
    index = lane_index(x)
    return where(index < splat(index, x.lanes - count), fill, x)


def tail_of(kind: Any, src: Any, n: Any, fill: float) -> Any:
    """The numbers at the end of a row that fill no vector, in a vector with `fill` in the other lanes."""
    width, tail = lanes(kind), Variable()
    with when(n < width) as otherwise:
        tail.value = load_partial(kind, src, n, fill)
    with otherwise:
        tail.value = last_lanes(last_vector(kind, src, n), n % width, fill)
    return tail.value


def extreme_vectors(kind: Any, src: Any, n: Any) -> Any:
    """Vectors that lead to the maximum and the minimum of a row; a NaN may be passed over."""
    vectors = n // lanes(kind)
    high, low = tail_of(kind, src, n, -np.inf), tail_of(kind, src, n, np.inf)
    # NaN is neither higher nor lower than anything
    odd = Variable(splat(high, np.nan))
    with when(vectors % 2 == 1):
        odd.value = load(kind, src, vectors - 1)
    even = Variable(high, low, high, low)
    with loop(0, vectors // 2) as i:
        a, b = load(kind, src, 2 * i), load(kind, src, 2 * i + 1)
        high, low, high2, low2 = even.value
        even.value = (
            where(a > high, a, high),
            where(a < low, a, low),
            where(b > high2, b, high2),
            where(b < low2, b, low2),
        )
    high, low, high2, low2 = even.value
    high, low = where(odd.value > high, odd.value, high), where(odd.value < low, odd.value, low)
    return where(high > high2, high, high2), where(low < low2, low, low2)


@outlined
def extremes(kind: Any, src: Any, n: Any) -> Any:
    """The largest and the smallest number of a row; a NaN may be passed over."""
    high, low = extreme_vectors(kind, src, n)
    return reduce_max(high), -reduce_max(-low)


def map_long_row(
    to_kind: Any, dst: Any, from_kind: Any, src: Any, n: Any, function: Callable[..., Any]
) -> None:
    """``function(x)`` of the vectors of a row of at least one; `dst` may be `src`, where the kinds are one.

    The last vector overlaps the one before it, so it is read before anything is written.
    """
    width = lanes(from_kind)
    last = last_vector(from_kind, src, n)
    with loop(0, n // width) as i:
        store(to_kind, dst, function(load(from_kind, src, i)), i)
    with when(n % width != 0):
        store(to_kind, dst + (n - width) * itemsize(to_kind), function(last))


def row_maximum(kind: Any, src: Any, n: Any) -> Any:
    """The largest number of a row; a NaN may be passed over."""
    return extremes(kind, src, n)[0]


@outlined
def nan_at(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first NaN of a row; n where there is none."""
    width, found = lanes(kind), Variable(n)
    with loop(0, n, width) as i:
        first = first_lane(is_nan(load_partial(kind, src + i * itemsize(kind), minimum(n - i, width), 0.0)))
        with when(first < width):
            found.value = i + first
        i.leave_if(first < width)
    return found.value


def is_nan(x: Any) -> Any:
    """Where a vector or number is NaN."""
    return x != x
