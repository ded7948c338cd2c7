"""log_softmax: x − log Σ exp(x) along an axis."""

from typing import Any

import numpy.typing as npt

from .jit import helper
from .layout import along_axis
from .lines import kernels_of
from .memory import load, load_first, store, store_first
from .rows import log_sum, log_sum_columns
from .simd import itemsize, lanes, narrow, splat, where, widen


@helper
def _log_softmax_row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
    size, step = itemsize(kind), lanes(kind)
    m, log_of_sum = log_sum(kind, src, n)
    zero = widen(splat(load_first(kind, src, 0, 0.0), 0.0))
    m_v, l_v = splat(zero, m), splat(zero, log_of_sum)
    for i in range(n // step):
        x = load(kind, src + i * step * size)
        store(kind, dst + i * step * size, narrow(x, (widen(x) - m_v) - l_v))
    if n % step:
        at = (n - n % step) * size
        x = load_first(kind, src + at, n % step, 0.0)
        store_first(kind, dst + at, narrow(x, (widen(x) - m_v) - l_v), n % step)


@helper
def _log_softmax_tile(kind: Any, at: Any, n: Any, width: Any) -> Any:
    """Columns of `n` numbers, in place."""
    step, along = lanes(kind), width * itemsize(kind)
    for column in range(0, width, step):
        top_of = at + column * itemsize(kind)
        m = load(kind, top_of)
        for k in range(1, n):
            x = load(kind, top_of + k * along)
            m = where(x > m, x, m)
        log_of_sum = log_sum_columns(kind, top_of, along, n, m)
        m_wide = widen(m)
        for k in range(n):
            x = load(kind, top_of + k * along)
            store(kind, top_of + k * along, narrow(x, (widen(x) - m_wide) - log_of_sum))


_KERNELS = kernels_of(_log_softmax_row, _log_softmax_tile)


def log_softmax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Logarithm of the softmax along an axis: ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which the exponentials of the results sum to one; NumPy's meaning and errors.
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
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values stays −inf.
    The same bits for any number of threads.

    Error: at most 1 ULP in float32 and 2 in float64, also right beside zero (``tests/numba_kernels/test_accuracy.py``).
    Computed in float64 as ``(x - max) - log1p(sum of the others)``. Source: ``ai.onnx@13::LogSoftmax``.
    """
    return along_axis("log_softmax", _KERNELS, x, axis, out)
