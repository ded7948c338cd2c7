"""logsumexp: log Σ exp(x) along an axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import helper, over_rows
from .layout import rows_to_numbers
from .memory import store_number
from .rows import log_sum, maximum, nan_at
from .simd import itemsize, narrow


@helper
def _logsumexp_row(kind: Any, src: Any, n: Any) -> Any:
    m = np.float64(maximum(kind, src, n))
    if abs(m) == np.inf:
        # infinite whatever the others are, unless one is NaN
        return m if nan_at(kind, src, n) == n else np.nan
    m, log_of_sum = log_sum(kind, src, n)
    return m + log_of_sum


@helper
def logsumexp_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """Rows `first` to `last` of a contiguous array, a number each."""
    size = itemsize(kind)
    for row in range(first, last):
        store_number(kind, dst + row * size, narrow(kind, _logsumexp_row(kind, src + row * n * size, n)))


_KERNELS = over_rows(logsumexp_rows)


def logsumexp(
    x: npt.ArrayLike, axis: int = -1, *, keepdims: bool = False, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Logarithm of the sum of exponentials along an axis: ``log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., n, ...)
        The numbers. Any rank from 1, any strides.
    axis : int
        The axis to sum along; NumPy's meaning and errors.
    keepdims : bool
        Keep the axis, with length one.
    out : array, optional
        Where to write the result: its shape, the dtype of `x`.

    Returns
    -------
    array of the dtype of `x`, without `axis` (or with length one there); a scalar for rank 1 without `keepdims`

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
    Special values: −inf for an empty row and for one of nothing but −inf; +inf for one with +inf; NaN for one with NaN.

    Error: at most 2 ULP, where the maximum and the logarithm do not cancel
    (``tests/numba_kernels/test_accuracy.py``). Source: ``ai.onnx@18::ReduceLogSumExp``.
    """
    return rows_to_numbers("logsumexp", _KERNELS, x, axis, keepdims, out, empty=-np.inf)
