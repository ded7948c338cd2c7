"""logsumexp: log Σ exp(x) along one axis, several or all."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numpy.lib.array_utils import normalize_axis_tuple

from .arrays.addresses import Array, address
from .arrays.inputs import as_floats, check_axis, check_out
from .numerics.log import log1p_vector
from .rowwise.blocks import OverBlocks, Row
from .rowwise.gather import Batch, reading, run_reading
from .rowwise.lanes import PerRow
from .rowwise.log_sums import log_sums_of_rows
from .rowwise.log_sums_blocks import add_block, add_block_again, log_sum_of_blocks
from .rowwise.log_sums_robust import log_sum_double_double, sum_of_others
from .rowwise.rows import nan_at
from .vector import (
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


def merged(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` with `axes` as one last axis, in any order: a view where they can be merged, else a copy."""
    kept = [d for d in range(x.ndim) if d not in axes]
    ordered = sorted(axes, key=lambda d: -abs(x.strides[d]))
    count = 1
    for d in axes:
        count *= x.shape[d]
    return x.transpose(kept + ordered).reshape([x.shape[d] for d in kept] + [count])


def logsumexp(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    keepdims: bool = False,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Logarithm of the sum of exponentials along one axis, several or all: ``log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The numbers. Any rank from 1, any strides.
    axis : int, tuple of int, or None
        The axes to sum along, None for all; NumPy's meaning and errors.
    keepdims : bool
        Keep the axes, with length one.
    out : array, optional
        Where to write the result: its shape, the dtype of `x`.

    Returns
    -------
    array of the dtype of `x`, without `axis` (or with length one there); a scalar where no axis is left

    Raises
    ------
    TypeError
        Another dtype.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Rank 0 with an axis, an axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: −inf for no numbers and for nothing but −inf; +inf with a +inf; NaN with a NaN.

    Error: at most 2 ULP (0.51 in float16 and bfloat16), or 2⁻¹⁰² of the two terms where that is more: where the
    maximum and the logarithm cancel, a row is done again in twice the precision, at some five times the cost
    (``tests/numba_kernels/test_logsumexp.py``). `x` is copied only where several
    axes cannot be merged in memory. Source: ``ai.onnx@18::ReduceLogSumExp``.
    """
    name = "logsumexp"
    x = as_floats(name, x)
    if axis is None:
        axes = tuple(range(x.ndim))
    elif isinstance(axis, tuple):
        axes = normalize_axis_tuple(axis, x.ndim, "axis")
    else:
        axes = (check_axis(name, x, axis),)
    shape = tuple(
        [(1 if d in axes else length) for d, length in enumerate(x.shape) if keepdims or d not in axes]
    )
    if out is not None:
        check_out(name, out, shape, x.dtype)
    if out is not None and out.flags.c_contiguous and not np.may_share_memory(out, x):
        result = out
    else:
        result = np.empty(shape, x.dtype)
    if x.size == 0:
        result.fill(-np.inf)
    else:
        lines = x if len(axes) == 1 else merged(x, axes)
        along = axes[0] if len(axes) == 1 else lines.ndim - 1
        if along == lines.ndim - 1 and _FEW_LONG_ROWS.suits(lines):
            _FEW_LONG_ROWS(lines, result)
        else:
            run_reading(_KERNELS, lines, along, address(result))
    if out is None:
        return result if shape else result[()]
    if result is not out:
        np.copyto(out, result)
    return out
