"""The gradients of softmax and log_softmax with respect to their scores."""

from typing import Any

import numpy.typing as npt
from numba import types

from .exp_below import exp_below
from .jit import helper, over_rows
from .layout import two_rows_to_rows
from .memory import load, load_first, store, store_first
from .simd import fma, fma_exact, itemsize, lanes, narrow, splat, where, widen
from .sums import fold, two_sum
from .trace import traced


@traced
def _add_product(high: Any, low: Any, a: Any, b: Any) -> Any:
    """(high, low) + a · b: in float64 for float32 factors, compensated for float64 ones."""
    if a.scalar == types.float32:
        return high + widen(a) * widen(b), low
    product = a * b
    high, error = two_sum(high, product)
    return high, low + error + fma_exact(a, b, 0.0 - product)


@helper
def _dot(kind: Any, a: Any, b: Any, n: Any) -> Any:
    """Σ a · b of two rows, as a float64 pair."""
    size, step = itemsize(kind), lanes(kind)
    high = widen(splat(load_first(kind, a, 0, 0.0), 0.0))
    low = high
    for i in range(n // step):
        high, low = _add_product(high, low, load(kind, a + i * step * size), load(kind, b + i * step * size))
    if n % step:
        at = (n - n % step) * size
        high, low = _add_product(
            high, low, load_first(kind, a + at, n % step, 0.0), load_first(kind, b + at, n % step, 0.0)
        )
    return fold(high, low)


@traced
def _softmax_grad_vector(g: Any, p: Any, high: Any, low: Any) -> Any:
    """p · (g − (high + low)): in float64 for float32 arguments, with the difference in two parts for float64 ones."""
    if g.scalar == types.float32:
        return narrow(g, widen(p) * ((widen(g) - high) - low))
    d, lost = two_sum(g, 0.0 - high)
    rest = lost - low
    return fma(p, d, where(rest == rest, p * rest, 0.0))


@helper
def _sum(kind: Any, src: Any, _: Any, n: Any) -> Any:
    """Σ of the first row as a float64 pair; (±inf, 0) or (NaN, 0) where it is not finite."""
    size, step = itemsize(kind), lanes(kind)
    high = widen(splat(load_first(kind, src, 0, 0.0), 0.0))
    low = high
    for i in range(0, n, step):
        at = src + i * size
        x = load(kind, at) if n - i >= step else load_first(kind, at, n - i, 0.0)
        high, error = two_sum(high, widen(x))
        low = low + error
    total, rest = fold(high, low)
    return total, rest if rest == rest else 0.0


@traced
def _log_softmax_grad_vector(g: Any, y: Any, high: Any, low: Any) -> Any:
    """g − exp(y) · (high + low)."""
    negative = 0.0 - exp_below(y, splat(y, 0.0))
    return narrow(g, fma(negative, high, widen(g)) + negative * low)


def _over_two_rows(total: Any, vector: Any) -> tuple[Any, Any]:
    """The kernels (serial, parallel) for rows of dy and y, whose addresses `src` holds.

    ``total(kind, dy, y, n)`` gives a pair for a row, ``vector(dy, y, high, low)`` a vector of the result.
    """

    @helper
    def rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        size, step = itemsize(kind), lanes(kind)
        for row in range(first, last):
            at = row * n * size
            to, dy, y = dst + at, src[0] + at, src[1] + at
            high, low = total(kind, dy, y, n)
            zero = widen(splat(load_first(kind, dy, 0, 0.0), 0.0))
            high_v, low_v = splat(zero, high), splat(zero, low)
            for i in range(n // step):
                a, b = load(kind, dy + i * step * size), load(kind, y + i * step * size)
                store(kind, to + i * step * size, vector(a, b, high_v, low_v))
            if n % step:
                tail = (n - n % step) * size
                a, b = load_first(kind, dy + tail, n % step, 0.0), load_first(kind, y + tail, n % step, 0.0)
                store_first(kind, to + tail, vector(a, b, high_v, low_v), n % step)

    return over_rows(rows)


_SOFTMAX = _over_two_rows(_dot, _softmax_grad_vector)
_LOG_SOFTMAX = _over_two_rows(_sum, _log_softmax_grad_vector)


def softmax_grad(
    dy: npt.ArrayLike, y: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a softmax: ``y * (dy - sum(dy * y))``.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the probabilities.
    y : array of the shape and dtype of `dy`
        The probabilities, `softmax`'s result.
    axis : int
        The axis of the softmax; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`

    Raises
    ------
    TypeError
        Another dtype, or two different ones.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Shapes that differ, rank 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula: a NaN in a row of `dy` or `y` makes the row NaN.

    Error: at most 4 ULP of the largest term (``tests/numba_kernels/test_accuracy.py``). The sum is in float64 for
    float32 arguments, compensated for float64 ones.
    """
    return two_rows_to_rows("softmax_grad", _SOFTMAX, dy, y, axis, out)


def log_softmax_grad(
    dy: npt.ArrayLike, y: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a log_softmax: ``dy - exp(y) * sum(dy)``.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the log-probabilities.
    y : array of the shape and dtype of `dy`
        The log-probabilities, `log_softmax`'s result: numbers up to 0.
    axis : int
        The axis of the log_softmax; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`

    Raises
    ------
    TypeError
        Another dtype, or two different ones.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Shapes that differ, rank 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula: a NaN in a row of `dy` makes the row NaN, one in `y` its own number.

    Error: at most 4 ULP of the larger of the two terms, 1 in float16 and bfloat16
    (``tests/numba_kernels/test_gradients.py``). The sum is compensated in float64.
    """
    return two_rows_to_rows("log_softmax_grad", _LOG_SOFTMAX, dy, y, axis, out)
