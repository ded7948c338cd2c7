"""hardmax: one at the first maximum along an axis, zero elsewhere."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays.layout import along_axis
from .numerics.sums import largest
from .rowwise.kernels import each_row, kernels_of
from .rowwise.rows import is_nan, map_row, nan_at, rest_of
from .vector import (
    bits,
    first_lane,
    itemsize,
    lanes,
    load,
    outlined,
    splat,
    store,
    store_scalar,
    traced,
    unordered,
    where,
)
from .vector.flow import choose, repeat, seek


@traced
def _hardmax_row(kind: Any, dst: Any, src: Any, n: Any) -> None:
    best = argmax(kind, src, n)
    map_row(kind, dst, (src,), n, lambda x: splat(x, 0.0))
    store_scalar(kind, dst + best * itemsize(kind), 1.0)


@outlined
def argmax(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first maximum of a row; of the first NaN if there is one."""
    step, tail = lanes(kind), rest_of(kind, src, n, -np.inf)
    vectors, nan = n // step, splat(tail, np.nan)

    def pair(i: Any, m: Any, m2: Any, seen: Any) -> Any:
        a, b = load(kind, src, 2 * i), load(kind, src, 2 * i + 1)
        return where(a > m, a, m), where(b > m2, b, m2), where(unordered(a, b), nan, seen)

    def odd() -> Any:
        x = load(kind, src, vectors - 1)
        return where(x > m, x, m), where(unordered(x, x), nan, seen)

    def place() -> Any:
        m_v = splat(tail, largest(m))
        found = seek(0, vectors, lambda i: first_lane(load(kind, src, i) == m_v) < step)
        # behind the whole vectors, the rest lies in the last lanes of one that overlaps them
        lane = choose(
            found < vectors,
            lambda: first_lane(load(kind, src, found) == m_v),
            lambda: first_lane(tail == m_v),
        )
        overlap = where((found < vectors) | (n < step), 0, step - n % step)
        return found * step + lane - overlap

    m, m2, seen = repeat(0, vectors // 2, pair, tail, tail, where(unordered(tail, tail), nan, 0.0))
    m = where(m2 > m, m2, m)
    m, seen = choose(vectors % 2 == 1, odd, lambda: (m, seen))
    return choose(first_lane(is_nan(seen)) < step, lambda: nan_at(kind, src, n), place)


@traced
def _hardmax_tile(kind: Any, at: Any, n: Any, width: Any) -> None:
    """Columns of `n` numbers, in place."""
    along = width * itemsize(kind)

    def columns(column: Any) -> None:
        top_of = at + column * itemsize(kind)

        def better(k: Any, m: Any, best: Any) -> Any:
            x = load(kind, top_of + k * along)
            # the first NaN stays: nothing is greater, and a number never replaces it
            taken = (x > m) | (is_nan(x) & (m == m))
            return where(taken, x, m), where(taken, splat(best, k), best)

        first = load(kind, top_of)
        _, best = repeat(1, n, better, first, bits(splat(first, 0.0)))

        def mark(k: Any) -> None:
            store(kind, top_of + k * along, where(best == splat(best, k), splat(first, 1.0), 0.0))

        repeat(0, n, mark)

    repeat(0, width, columns, step=lanes(kind))


_KERNELS = kernels_of(each_row(_hardmax_row), _hardmax_tile)
_SMALL = _KERNELS.small


def hardmax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """One at the first maximum along an axis, zero elsewhere.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which one element is chosen; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Rank 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: like `numpy.argmax`, the first NaN is chosen where there is one. Exact.
    Source: ``ai.onnx@13::Hardmax``.
    """
    result = _SMALL.call(x, axis, out)
    return along_axis("hardmax", _KERNELS, x, axis, out) if result is None else result
