"""log_softmax: x − log Σ exp(x) along an axis.

Rows are contiguous and of at least one vector; a few at a time, as many as stay in the nearest cache:

    of all rows: m and log Σ exp(x − m)                     (`log_sums.rows`)
    of all rows at once, float32: m + log Σ exp(x − m) as a product of two float32 numbers
    for each row: x − (m + log Σ exp(x − m)), rounded once
"""

from __future__ import annotations

from functools import partial
from typing import Any, overload

import numpy.typing as npt
from numba import types

from .arrays.addresses import Float
from .arrays.operators import AlongAxis
from .arrays.temperatures import Temperature, is_one
from .log_sums.blocks import add_block, add_block_again, log_sum_of_blocks
from .log_sums.columns import log_sum_of_columns
from .log_sums.rows import log_sums_of_rows
from .log_sums.tempered import tempered
from .numerics.product_split import product_of
from .rowwise.blocks import OverBlocks, Row, block_at
from .rowwise.kernels import Span, kernels_of
from .rowwise.lanes import PerRow
from .rowwise.rows import map_long_row, rows_at_once
from .vector import (
    all_set,
    fma,
    fuses,
    itemsize,
    load,
    loop,
    minimum,
    narrow,
    outlined,
    splat,
    store,
    when,
    where,
    widen,
)


def _log_softmax_rows(kind: Any, span: Span) -> None:
    n, batch = span.n, rows_at_once(kind, span.n)
    with loop(span.first, span.last, batch) as start:
        count = minimum(batch, span.last - start)
        x, y = span.src + start * span.src_outer, span.dst + start * span.dst_outer
        m, log_of_sum = log_sums_of_rows(kind, x, span.src_outer, count, n, y, span.dst_outer)
        parts = [PerRow(numbers) for numbers in (*_factors(m, log_of_sum), m, log_of_sum)]
        with loop(0, count) as row:
            src, dst = x + row * span.src_outer, y + row * span.dst_outer
            _subtract(kind, dst, src, n, *(numbers[row] for numbers in parts))


def _subtract(kind: Any, dst: Any, src: Any, n: Any, a: Any, b: Any, m: Any, log_of_sum: Any) -> None:
    """x − (m + log Σ exp(x − m)) of a row of at least one vector, by what `_factors` gave; `dst` may be `src`."""
    like = load(kind, src)
    if not _takes_factors(like):
        _subtract_in_float64(kind, dst, src, n, m, log_of_sum)
        return
    with when(b > 0.0) as otherwise:
        factors = splat(like, a), splat(like, b)
        map_long_row(kind, dst, kind, src, n, lambda x: fma(*factors, x))
    with otherwise:
        _subtract_in_float64(kind, dst, src, n, m, log_of_sum)


@outlined
def _subtract_in_float64(kind: Any, dst: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> None:
    m = splat(load(kind, src), m)
    map_long_row(kind, dst, kind, src, n, partial(_in_float64, m=m, log_of_sum=splat(widen(m), log_of_sum)))


def _in_float64(x: Any, m: Any, log_of_sum: Any) -> Any:
    """(x − m) − log_of_sum for anything, in float64, rounded to the type of x."""
    return narrow(x, (widen(x) - widen(m)) - log_of_sum)


def _takes_factors(like: Any) -> bool:
    """Whether one operation takes off a product of two numbers of the type: float32, fused."""
    return bool(like.scalar == types.float32 and fuses())


def _factors(m: Any, log_of_sum: Any) -> tuple[Any, Any]:
    """(a, b) with a · b = −(m + log Σ exp(x − m)) for float32, so that one operation subtracts it; b is 0 where the
    maximum's logarithm would suffer, or nothing is finite."""
    whole = widen(m) + log_of_sum
    a, b = product_of(m, -whole)
    size = abs(whole)
    is_near = (log_of_sum > 2.0**-5) & (size < 64.0 * log_of_sum) & (size > 2.0**-30)
    return a, where(narrow(m, where(is_near, splat(whole, 1.0), 0.0)) > 0.0, b, 0.0)


# A few long rows, each spread over threads; the bits are those of `_log_softmax_rows`.


def _subtract_blocks(kind: Any, dst: Any, src: Any, row: Row) -> None:
    """The last stage, behind those of the log-sums."""
    m, log_of_sum = log_sum_of_blocks(kind, row)
    parts = (*_factors(m, log_of_sum), m, log_of_sum)
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        (at, n), (place, _) = block_at(kind, src, row.n, block), block_at(kind, to, row.n, block)
        _subtract(kind, place, at, n, *parts)


_FEW_LONG_ROWS = OverBlocks(add_block, add_block_again, _subtract_blocks)


def _log_softmax_columns(kind: Any, x: Any, n: Any, stride: Any) -> None:
    """A vector of columns of n numbers, in place."""
    m, log_of_sum = log_sum_of_columns(kind, x, stride, n)
    if not _takes_factors(m):
        with loop(0, n) as k:
            store(kind, x + k * stride, _in_float64(load(kind, x + k * stride), m, log_of_sum))
    else:
        a, b = _factors(m, log_of_sum)
        with when(all_set(b > 0.0)) as otherwise, loop(0, n) as k:
            store(kind, x + k * stride, fma(a, b, load(kind, x + k * stride)))
        with otherwise, loop(0, n) as k:
            number = load(kind, x + k * stride)
            exact = _in_float64(number, m, log_of_sum)
            store(kind, x + k * stride, where(b > 0.0, fma(a, b, number), exact))


_KERNELS = kernels_of(_log_softmax_rows, _log_softmax_columns)
_OPERATOR = AlongAxis("log_softmax", _KERNELS, _FEW_LONG_ROWS)


@overload
def log_softmax(
    x: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    temperature: Temperature = ...,
    where: npt.ArrayLike | None = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def log_softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    temperature: Temperature = ...,
    where: npt.ArrayLike | None = ...,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def log_softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    temperature: Temperature = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Logarithm of the softmax along an axis: ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which the exponentials of the results sum to one, None for all; NumPy's meaning and errors.
    temperature : float or array
        Above 0 and finite; `x` is divided by it, unrounded. One for each row: an array with length 1 along `axis`.
    where : array of bool, optional
        What counts, broadcast against `x`; what does not is −inf in the result, and so is a row with nothing left.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype, or a `where` not of bool.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        A temperature out of range, a `where` that does not broadcast, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values stays −inf.
    The same bits for any number of threads and on every processor with a fused multiply-add.

    Error: at most 1 ULP in float32, 2 in float64 and 0.51 in halves, also right beside zero
    (``tests/numba_kernels/test_accuracy.py``). ``(x - max) - log1p(sum of the others)`` in float64.
    Source: ``ai.onnx@13::LogSoftmax``.

    Examples
    --------
    >>> log_softmax(np.array([1.0, 2.0, 3.0])).round(3)
    array([-2.408, -1.408, -0.408])
    >>> print(f"{log_softmax(np.array([0.0, 50.0]))[1]:.3g}")  # not 0: the probability is a little below 1
    -1.93e-22
    """
    if where is not None or (temperature != 1.0 if type(temperature) is float else not is_one(temperature)):
        return tempered("log_softmax", x, axis, temperature, where, out)
    return _OPERATOR.run(x, out, axis)
