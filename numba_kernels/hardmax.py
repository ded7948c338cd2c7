"""hardmax: one at the first maximum along an axis, zero elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from .arrays.addresses import Float
from .arrays.operators import AlongAxis
from .numerics.sums import reduce_max
from .rowwise.blocks import OverBlocks, Row, block_at, block_begin
from .rowwise.kernels import each_row, kernels_of
from .rowwise.rows import is_nan, nan_at, tail_of
from .rowwise.slices import fill_zeros
from .vector import (
    Variable,
    any_set,
    bits,
    first_lane,
    from_bits,
    itemsize,
    lanes,
    load,
    load_scalar,
    loop,
    outlined,
    splat,
    store,
    store_scalar,
    unordered,
    when,
    where,
    widen,
)


def _hardmax_row(kind: Any, dst: Any, src: Any, n: Any) -> None:
    best = argmax(kind, src, n)
    fill_zeros(kind, dst, n)
    store_scalar(kind, dst + best * itemsize(kind), 1.0)


@outlined
def argmax(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first maximum of a row; of the first NaN if there is one."""
    width, tail = lanes(kind), tail_of(kind, src, n, -np.inf)
    vectors, nan = n // width, splat(tail, np.nan)
    found = Variable(tail, tail, where(unordered(tail, tail), nan, 0.0))
    with loop(0, vectors // 2) as i:
        a, b = load(kind, src, 2 * i), load(kind, src, 2 * i + 1)
        m, m2, seen = found.value
        found.value = where(a > m, a, m), where(b > m2, b, m2), where(unordered(a, b), nan, seen)
    with when(vectors % 2 == 1):
        x, (m, m2, seen) = load(kind, src, vectors - 1), found.value
        found.value = where(x > m, x, m), m2, where(unordered(x, x), nan, seen)
    m, m2, seen = found.value
    m = where(m2 > m, m2, m)

    index = Variable(n)
    with when(first_lane(is_nan(seen)) < width) as otherwise:
        index.value = nan_at(kind, src, n)
    with otherwise:
        m = splat(tail, reduce_max(m))
        with loop(0, vectors) as i:
            i.leave_if(first_lane(load(kind, src, i) == m) < width)
        with when(i < vectors) as behind:
            index.value = i * width + first_lane(load(kind, src, i) == m)
        with behind:
            # what fills no vector lies in the last lanes of one that overlaps the vector before
            overlap = where(n < width, 0, width - n % width)
            index.value = i * width + first_lane(tail == m) - overlap
    return index.value


def _hardmax_columns(kind: Any, x: Any, n: Any, stride: Any) -> None:
    """A vector of columns of n numbers, in place."""
    first = load(kind, x)
    extremes = Variable(first, where(unordered(first, first), first, 0.0))
    with loop(1, n) as k:
        number, (m, seen) = load(kind, x + k * stride), extremes.value
        extremes.value = where(number > m, number, m), where(unordered(number, number), number, seen)
    m, seen = extremes.value
    with when(any_set(is_nan(seen))) as otherwise:
        _mark_first(kind, x, n, stride, lambda number: where(is_nan(seen), is_nan(number), number == m))
    with otherwise:
        _mark_first(kind, x, n, stride, lambda number: number == m)


def _mark_first(kind: Any, x: Any, n: Any, stride: Any, suits: Callable[[Any], Any]) -> None:
    """One where ``suits(number)`` holds for the first time in a column, zero elsewhere."""
    left = Variable(splat(load(kind, x), 1.0))
    with loop(0, n) as k:
        at = x + k * stride
        mark = where(suits(load(kind, at)), left.value, 0.0)
        store(kind, at, mark)
        left.value = left.value - mark


# A few long rows, each spread over threads.

_BEST = range(2)


def _find_best(kind: Any, dst: Any, src: Any, row: Row) -> None:
    """The first stage: the first maximum of each block, or its first NaN; where it was read, zeros."""
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        (at, length), (place, _) = block_at(kind, src, row.n, block), block_at(kind, to, row.n, block)
        best = argmax(kind, at, length)
        index = from_bits(best + block_begin(block, row.n))
        row.keep(block, _BEST, widen(load_scalar(kind, at + best * itemsize(kind))), index)
        fill_zeros(kind, place, length)


def _better(m: Any, index: Any, m2: Any, index2: Any) -> Any:
    """Of two blocks the number and index that count."""
    taken = (m2 > m) | (is_nan(m2) & (m == m))
    return where(taken, m2, m), where(taken, index2, index)


def _mark_best(kind: Any, dst: Any, src: Any, row: Row) -> None:
    """The last stage: whoever has the first block of a row."""
    with when((row.begin == 0) & (row.end > 0)):
        _, index = row.merged(_BEST, _better)
        store_scalar(kind, dst + (row.index * row.n + bits(index)) * itemsize(kind), 1.0)


_COST = 0.4
_FEW_LONG_ROWS = OverBlocks(_find_best, _mark_best, cost=_COST)
_KERNELS = kernels_of(each_row(_hardmax_row), _hardmax_columns, _COST)
_OPERATOR = AlongAxis("hardmax", _KERNELS, _FEW_LONG_ROWS)


@overload
def hardmax(
    x: npt.NDArray[Float], axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def hardmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def hardmax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """One at the first maximum along an axis, zero elsewhere.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which one element is chosen, the first in C order, None for all; NumPy's meaning and errors.
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
        An axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: like `numpy.argmax`, the first NaN is chosen where there is one. Exact.
    Source: ``ai.onnx@13::Hardmax``.

    Examples
    --------
    >>> hardmax(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, -1.0]]), axis=1)
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    return _OPERATOR.run(x, out, axis)
