"""logsumexp: log Σ exp(x) along one axis, several or all."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numpy.lib.array_utils import normalize_axis_tuple

from .arrays import KINDS, Array, address, as_floats, check_axis, check_out
from .doubled import logsumexp_doubled
from .gather import places_of, reading
from .jit import by_type, helper, over_rows
from .layout import launch
from .log import log1p_vector
from .log_sums import log_sum, sum_of_others
from .memory import store_number
from .rows import nan_at
from .simd import itemsize, narrow
from .vector import computed_as


@helper
def logsumexp_line(kind: Any, src: Any, n: Any) -> Any:
    """log Σ exp(x) of n neighbouring numbers, in float64."""
    m, log_of_sum = log_sum(kind, src, n)
    if abs(m) == np.inf:
        # infinite whatever the others are, unless one is NaN
        return m if nan_at(kind, src, n) == n else np.nan
    return _sum_of_terms(kind, src, n, m, log_of_sum)


def _sum_of_terms(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> Any:
    """m + log_of_sum; where the two cancel, their errors are what is left, and the row is done again."""
    raise NotImplementedError


@by_type(_sum_of_terms)
def _sum_of_terms_by_type(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> Any:
    if computed_as(kind) == types.float32:
        # exponentials in float32 leave 2⁻²⁶ of the logarithm, those of `sum_of_others` 2⁻³⁹
        def float32(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> Any:
            result = m + log_of_sum
            if m < 0.0 and abs(result) < log_of_sum:
                high, low = sum_of_others(kind, src, n, m)
                result = m + log1p_vector(high, low)
                if abs(result) < log_of_sum * 2.0**-12:
                    result = logsumexp_doubled(kind, src, n, m)
            return result

        return float32

    def float64(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> Any:
        result = m + log_of_sum
        if m < 0.0 and abs(result) < 2.0 * log_of_sum:
            result = logsumexp_doubled(kind, src, n, m)
        return result

    return float64


@helper
def logsumexp_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """Rows `first` to `last` of a contiguous array, a number each."""
    size = itemsize(kind)
    for row in range(first, last):
        store_number(kind, dst + row * size, narrow(kind, logsumexp_line(kind, src + row * n * size, n)))


@helper
def _logsumexp_anywhere(kind: Any, work: Any, dst: Any, src: Any, index: Any, at: Any, n: Any) -> Any:
    store_number(kind, dst + index * itemsize(kind), narrow(kind, logsumexp_line(work, at, n)))


_KERNELS = over_rows(logsumexp_rows)
_KERNELS_ANYWHERE = reading(_logsumexp_anywhere)


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
    kept = [(1 if d in axes else length) for d, length in enumerate(x.shape) if keepdims or d not in axes]
    shape = tuple(kept)
    if out is not None:
        check_out(name, out, shape, x.dtype)
    result = np.full(shape, -np.inf, x.dtype)
    if x.size:
        lines = x if len(axes) == 1 else merged(x, axes)
        along = axes[0] if len(axes) == 1 else lines.ndim - 1
        n, kind = lines.shape[along], KINDS[x.dtype]
        if along == lines.ndim - 1 and lines.flags.c_contiguous:
            launch(_KERNELS, x.size, result.size, kind, address(result), address(lines), n)
        else:
            places, offsets = places_of(lines, along)
            launch(_KERNELS_ANYWHERE, x.size, result.size, kind, address(result), places, n)
            del offsets  # the kernel read them until here
    if out is not None:
        np.copyto(out, result)
        return out
    return result if shape else result[()]
