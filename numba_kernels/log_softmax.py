"""log_softmax: x − log Σ exp(x) along an axis."""

from typing import Any

import numpy.typing as npt

from .jit import helper
from .layout import along_axis
from .lines import each_row, kernels_of
from .log_sums import log_sum, log_sum_columns
from .memory import load, store
from .simd import itemsize, lanes, narrow, splat, where, widen
from .tempered import tempered


@helper
def _log_softmax_row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
    """A row of at least one vector; `dst` may be `src`."""
    size, step = itemsize(kind), lanes(kind)
    m, log_of_sum = log_sum(kind, src, n)
    # the last vector overlaps the one before it, so it is read before anything is written
    tail = load(kind, src + (n - step) * size)
    zero = widen(splat(tail, 0.0))
    if size < 8 and abs(m) < 65536.0 and log_of_sum > 0.01:
        # one subtraction is as good as two here, for float32
        m, log_of_sum = m + log_of_sum, 0.0
    m_v, l_v = splat(zero, m), splat(zero, log_of_sum)
    tail = narrow(tail, (widen(tail) - m_v) - l_v)
    if log_of_sum == 0.0:
        for i in range(n // step):
            x = load(kind, src + i * step * size)
            store(kind, dst + i * step * size, narrow(x, widen(x) - m_v))
    else:
        for i in range(n // step):
            x = load(kind, src + i * step * size)
            store(kind, dst + i * step * size, narrow(x, (widen(x) - m_v) - l_v))
    store(kind, dst + (n - step) * size, tail)


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


_KERNELS = kernels_of(each_row(_log_softmax_row), _log_softmax_tile)


def log_softmax(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Logarithm of the softmax along an axis: ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which the exponentials of the results sum to one; NumPy's meaning and errors.
    temperature : float
        Above 0 and finite; `x` is divided by it, without rounding the quotient to the dtype of `x`.
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
        Rank 0, a temperature out of range, a `where` that does not broadcast, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values stays −inf.
    The same bits for any number of threads.

    Error: at most 1 ULP in float32, 2 in float64 and 0.51 in halves, also right beside zero
    (``tests/numba_kernels/test_accuracy.py``). ``(x - max) - log1p(sum of the others)`` in float64.
    Source: ``ai.onnx@13::LogSoftmax``.
    """
    if where is not None or temperature != 1.0:
        return tempered("log_softmax", x, axis, temperature, where, out)
    return along_axis("log_softmax", _KERNELS, x, axis, out)
