"""What several kernels ask of a row of contiguous numbers."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled, exp_scaled_exactly, exponent_shift, traits_of
from ..numerics.sums import largest
from ..vector import (
    compute_kind,
    first_lane,
    itemsize,
    lane_index,
    lanes,
    load,
    load_partial,
    maximum,
    minimum,
    outlined,
    prefetch,
    splat,
    store,
    store_partial,
    traced,
    vector_bytes,
    where,
    widen,
)
from ..vector.flow import choose, repeat
from ..vector.functions import as_tuple
from .lanes import HIGHS, LOWS

# So many bytes of a few rows stay in the nearest cache from one stage to the next.
_NEAR = 16384


@traced
def rows_at_once(kind: Any, n: Any) -> Any:
    """How many rows of n numbers are taken through the stages of a kernel together."""
    return maximum(minimum(_NEAR // (n * itemsize(kind)), lanes(kind)), 1)


@traced
def frame(m: Any) -> Any:
    """What a row with maximum `m` needs: (base to subtract, lowest x − base that counts, m − base).

    Of a maximum beyond BIG the subtraction is exact for every x that counts; of others none is made.
    """
    big, cut, _, _, _ = traits_of(m.scalar)
    base = where(m > big, m, where(m < -big, m, 0.0))
    low = m - base
    return base, low - cut, low


@traced
def largest_term(m: Any) -> Any:
    """The scaled exponential of a row's maximum, and what it is off by.

    Put right in the sum and in the result, or else its error would add to that of every other probability.
    """
    _, _, low = frame(m)
    return exp_scaled_exactly(low, exponent_shift(low))


@traced
def anchor(like: Any) -> Any:
    """Where a sum of scaled exponentials starts: at 0 in float64 for float32, else above the largest summand."""
    if like.scalar == types.float32:
        return widen(splat(like, 0.0))
    return splat(like, 2.0 ** (traits_of(types.float64)[4] + 2))


@traced
def scaled(x: Any, base: Any, lowest: Any, shift: Any) -> Any:
    """exp(x) scaled by the row's exponent; exactly 0 below `lowest`, for −inf too."""
    x = x - base
    return where(x < lowest, 0.0, exp_scaled(x, shift))


@traced
def last_of(kind: Any, src: Any, n: Any) -> Any:
    """The last vector of a row of at least one; it overlaps the one before where n is not a multiple of its length."""
    return load(kind, src + (n - lanes(kind)) * itemsize(kind))


@traced
def behind(x: Any, count: Any, fill: float = 0.0) -> Any:
    """The last `count` lanes of a vector, `fill` in the others."""
    index = lane_index(x)
    return where(index < splat(index, x.lanes - count), fill, x)


def rest_of(kind: Any, src: Any, n: Any, fill: float) -> Any:
    """The numbers at the end of a row that fill no vector, in a vector with `fill` in the other lanes."""
    step = lanes(kind)
    return choose(
        n < step,
        lambda: load_partial(kind, src, n, fill),
        lambda: behind(last_of(kind, src, n), n % step, fill),
    )


@traced
def extremes_of(kind: Any, scratch: Any, row: Any, src: Any, n: Any) -> None:
    """Put what leads to the maximum and the minimum of a row into the tables of `across`."""
    high, low = _extremes(kind, src, n)
    store(compute_kind(kind), scratch + HIGHS, high, row)
    store(compute_kind(kind), scratch + LOWS, low, row)


@outlined
def extremes(kind: Any, src: Any, n: Any) -> Any:
    """The largest and the smallest number of a row; a NaN may be passed over."""
    high, low = _extremes(kind, src, n)
    return largest(high), -largest(-low)


def _extremes(kind: Any, src: Any, n: Any) -> Any:
    """Vectors that lead to the maximum and the minimum of a row."""

    def pair(i: Any, high: Any, low: Any, high2: Any, low2: Any) -> Any:
        a, b = load(kind, src, 2 * i), load(kind, src, 2 * i + 1)
        return (
            where(a > high, a, high),
            where(a < low, a, low),
            where(b > high2, b, high2),
            where(b < low2, b, low2),
        )

    def lone() -> Any:
        return load(kind, src, vectors - 1)

    vectors = n // lanes(kind)
    high, low = rest_of(kind, src, n, -np.inf), rest_of(kind, src, n, np.inf)
    # NaN is neither higher nor lower than anything
    odd = choose(vectors % 2 == 1, lone, lambda: splat(high, np.nan))
    high, low, high2, low2 = repeat(0, vectors // 2, pair, high, low, high, low)
    high, low = where(odd > high, odd, high), where(odd < low, odd, low)
    return where(high > high2, high, high2), where(low < low2, low, low2)


def map_row(kind: Any, dst: Any, sources: tuple[Any, ...], n: Any, vector: Any, ahead: Any = None) -> None:
    """``vector(*vectors)`` of rows of n numbers, from one or several of `kind`, to one; `dst` may be among them.

    What lies `ahead` bytes behind the sources is wanted next.
    """
    step = lanes(kind)
    vectors, end = n // step, (n - n % step) * itemsize(kind)

    def rest() -> None:
        last = [load_partial(kind, source + end, n % step, 0.0) for source in sources]
        store_partial(kind, dst + end, vector(*last), n % step)

    def one(i: Any) -> None:
        for source in sources if ahead is not None else ():
            prefetch(source + i * vector_bytes(kind) + ahead)
        store(kind, dst, vector(*(load(kind, source, i) for source in sources)), i)

    repeat(0, vectors, one)
    choose(n % step != 0, rest)


def fold_row(kind: Any, sources: tuple[Any, ...], n: Any, add: Any, *carried: Any, fill: float = 0.0) -> Any:
    """``carried = add(*vectors, *carried)`` over the vectors of rows of n numbers, the last one filled up."""
    step = lanes(kind)
    end = (n - n % step) * itemsize(kind)

    def rest() -> Any:
        return add(*(load_partial(kind, source + end, n % step, fill) for source in sources), *carried)

    carried = as_tuple(
        repeat(0, n // step, lambda i, *c: add(*(load(kind, source, i) for source in sources), *c), *carried)
    )
    return choose(n % step != 0, rest, lambda: carried)


@traced
def row_maximum(kind: Any, src: Any, n: Any) -> Any:
    """The largest number of a row; a NaN may be passed over."""
    return extremes(kind, src, n)[0]


@outlined
def nan_at(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first NaN of a row; n where there is none."""
    step = lanes(kind)

    def vector(i: Any, found: Any) -> Any:
        def look() -> Any:
            first = first_lane(
                is_nan(load_partial(kind, src + i * itemsize(kind), minimum(n - i, step), 0.0))
            )
            return where(first < step, i + first, found)

        return choose(found == n, look, lambda: found)

    return repeat(0, n, vector, n, step=step)


def is_nan(x: Any) -> Any:
    """Where a vector or number is NaN."""
    return x != x
