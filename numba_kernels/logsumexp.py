"""logsumexp: log Σ exp(x) along one axis, several or all; with weights log |Σ b · exp(x)| and its sign."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba import types

from .arrays.addresses import Array, address
from .arrays.axes import axes_of, merged, without
from .arrays.foreign import as_array
from .arrays.inputs import as_floats, as_mask, broadcast, check_out
from .compile.arithmetic import own_arithmetic
from .log_sums.blocks import add_block, add_block_again, log_sum_of_blocks
from .log_sums.robust import log_sum_double_double, sum_of_others
from .log_sums.rows import log_sums_of_rows
from .numerics.log import log1p_vector
from .rowwise.blocks import OverBlocks, Row
from .rowwise.gather import Batch, reading, run_reading
from .rowwise.lanes import PerRow
from .rowwise.rows import nan_at
from .signed_sums import signed_logsumexp
from .vector import (
    KINDS,
    Variable,
    computed_as,
    itemsize,
    loop,
    narrow,
    outlined,
    store_scalar,
    when,
    where,
    widen,
)


def _logsumexp_lines(dst: Any, batch: Batch) -> None:
    stored, kind, index, address, stride, count, n = batch
    m, log_of_sum = (PerRow(numbers) for numbers in log_sums_of_rows(kind, address, stride, count, n))
    with loop(0, count) as row:
        result = _sum_of_terms(kind, address + row * stride, n, widen(m[row]), log_of_sum[row])
        to = dst + (index + row) * itemsize(stored)
        store_scalar(stored, to, narrow(kind, result))


@outlined
def _sum_of_terms(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> Any:
    """m + log_of_sum in float64; where the two cancel, their errors are what is left, and the row is done again."""
    result, single = Variable(m + log_of_sum), computed_as(kind.type) == types.float32
    with when(abs(m) == np.inf) as otherwise:
        # whatever the others are, unless one is NaN
        result.value = where(nan_at(kind, src, n) == n, m, np.nan)
    with otherwise, when((m < 0.0) & (abs(result.value) < (1.0 if single else 2.0) * log_of_sum)):
        if single:
            # exponentials in float32 leave 2⁻²⁶ of the logarithm, those of `sum_of_others` 2⁻³⁹
            result.value = m + log1p_vector(*sum_of_others(kind, src, n, narrow(kind, m)))
            with when(abs(result.value) < log_of_sum * 2.0**-12):
                result.value = log_sum_double_double(kind, src, n, m)
        else:
            result.value = log_sum_double_double(kind, src, n, m)
    return result.value


_KERNELS = reading(_logsumexp_lines)


# A few long rows, each spread over threads; the bits are those of `_KERNELS`.


def _store(kind: Any, dst: Any, src: Any, row: Row) -> None:
    """The last stage, behind those of the log-sums: whoever has the first block of a row."""
    with when((row.begin == 0) & (row.end > 0)):
        m, log_of_sum = log_sum_of_blocks(kind, row)
        result = _sum_of_terms(kind, src, row.n, widen(m), log_of_sum)
        store_scalar(kind, dst + row.index * itemsize(kind), narrow(kind, result))


_FEW_LONG_ROWS = OverBlocks(add_block, add_block_again, _store)


def _along(x: Array, axes: tuple[int, ...], shape: tuple[int, ...], out: Array | None) -> Array:
    """log Σ exp(x) along axes."""
    if out is not None and out.flags.c_contiguous and not np.may_share_memory(out, x):
        result = out
    else:
        result = np.empty(shape, x.dtype)
    if x.size == 0:
        result.fill(-np.inf)
        return _handed_out(result, out)
    lines, along = x, axes[0] if axes else 0
    if len(axes) != 1:
        # in the order of the memory, so that no copy is made where the axes follow one another there
        lines = merged(x, tuple(sorted(axes, key=lambda d: -abs(x.strides[d]))))
        along = lines.ndim - 1
    rows = _FEW_LONG_ROWS.rows(lines, along)
    if rows is not None:
        _FEW_LONG_ROWS(rows, address(result))
    else:
        run_reading(_KERNELS, lines, along, address(result))
    return _handed_out(result, out)


def _handed_out(result: Array, out: Array | None) -> Array:
    """A result in `out` if there is one, else as an array, or as a scalar where no axis is left."""
    if out is None:
        return result if result.ndim else result[()]
    if result is not out:
        np.copyto(out, result)
    return out


def _weighted(
    name: str, x: Array, b: npt.ArrayLike | None, where: npt.ArrayLike | None
) -> tuple[Array, Array | None]:
    """`x` and the weights, of one shape and with nothing where the mask is not set; no weights where none are given."""
    mask = None if where is None else as_mask(name, where, x.shape)
    if b is None:
        return (x if mask is None else np.where(mask, x, x.dtype.type(-np.inf))), None
    given = as_array(name, b, "b", "b.filled(0)")
    if given.dtype.kind not in "fiub" and given.dtype not in KINDS:
        message = f"{name} takes real weights as b (got {given.dtype}); convert with b.astype(np.float64)"
        raise TypeError(message)
    weights = broadcast(name, "b", given, x.shape)
    return x, np.where(True if mask is None else mask, weights.astype(np.float64), 0.0)


@overload
def logsumexp(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    b: npt.ArrayLike | None = None,
    where: npt.ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]: ...
@overload
def logsumexp(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    b: npt.ArrayLike | None = None,
    where: npt.ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[True],
    out: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]: ...
def logsumexp(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    b: npt.ArrayLike | None = None,
    where: npt.ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any] | tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Logarithm of the sum of exponentials along one axis, several or all: ``log(sum(b * exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The numbers. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes to sum along, None for all; NumPy's meaning and errors.
    b : array of real numbers, optional
        Weights, broadcast against `x`; may be negative. What has weight 0 counts for nothing, whatever it is.
    where : array of bool, optional
        What counts, broadcast against `x`.
    keepdims : bool
        Keep the axes, with length one.
    return_sign : bool
        Return the sign of the sum too, and the logarithm of its absolute value; without it the logarithm of a
        negative sum is NaN.
    out : array, optional
        Where to write the result: its shape, the dtype of `x`.

    Returns
    -------
    array of the dtype of `x`, without `axis` (or with length one there); a scalar where no axis is left; with
    `return_sign` a tuple of that and the sign (1, 0, −1 or NaN), of the same dtype

    Raises
    ------
    TypeError
        Another dtype, or a `where` not of bool.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        An axis twice, `b` or `where` that do not broadcast, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: −inf for no numbers, for nothing but −inf and for a sum that is 0, whose sign is 0; +inf with a
    +inf; NaN with a NaN, and where two infinite terms of `b` times exp(x) have opposite signs.

    Error: at most 2 ULP (0.51 in float16 and bfloat16), or 2⁻¹⁰² of the two terms where that is more: where the
    maximum and the logarithm cancel, a row is done again in twice the precision, at some five times the cost
    (``tests/numba_kernels/test_logsumexp.py``). With `b` always in twice the precision: at most 1 ULP, or what 2⁻⁹⁵ of
    the largest term makes of a sum that cancels (``tests/numba_kernels/test_signed_sums.py``). `x` is copied with `b`
    or `where`, else only where several axes cannot be merged in memory. Source: ``ai.onnx@18::ReduceLogSumExp``; `b`
    and `return_sign` as in ``scipy.special.logsumexp``, but for the sign of no numbers.

    Examples
    --------
    >>> logsumexp(np.array([[1.0, 2.0, 3.0], [1000.0, 1000.0, -np.inf]]), axis=1).round(3)
    array([   3.408, 1000.693])
    """
    name = "logsumexp"
    x = as_floats(name, x)
    axes = axes_of(x, axis)
    shape = without(x, axes, keepdims)
    if out is not None:
        check_out(name, out, shape, x.dtype)
    if b is None and where is None and not return_sign:
        return _along(x, axes, shape, out)
    with own_arithmetic():
        x, weights = _weighted(name, x, b, where)
        if weights is None:
            value = _along(x, axes, shape, out)
            sign = np.where(value == -np.inf, 0, np.where(np.isnan(value), value, 1)).astype(x.dtype)
        else:
            values, sign = signed_logsumexp(merged(x, axes).astype(np.float64), merged(weights, axes))
            values = values if return_sign else np.where(sign < 0, np.nan, values)
            value = _handed_out(values.astype(x.dtype).reshape(shape), out)
            sign = sign.astype(x.dtype).reshape(shape)
    return (value, sign[()]) if return_sign else value
