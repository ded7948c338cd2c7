"""The gradients of softmax and log_softmax with respect to their scores."""

from typing import Any

import numpy.typing as npt
from numba import types

from .arrays.layout import two_rows_to_rows
from .compile.jit import Kernels, over_rows
from .numerics.exp_below import exp_below
from .numerics.sums import fold, two_sum
from .rowwise.rows import fold_row, map_row
from .vector import fma, fma_exact, itemsize, load_partial, narrow, splat, traced, where, widen
from .vector.flow import repeat


@traced
def _add_product(high: Any, low: Any, a: Any, b: Any) -> Any:
    """(high, low) + a · b: in float64 for float32 factors, compensated for float64 ones."""
    if a.scalar == types.float32:
        # the product is exact, so nothing is fused away
        return fma(widen(a), widen(b), high), low
    product = a * b
    high, error = two_sum(high, product)
    return high, low + error + fma_exact(a, b, 0.0 - product)


def _dot(kind: Any, a: Any, b: Any, n: Any) -> Any:
    """Σ a · b of two rows, as a float64 pair."""
    zero = widen(splat(load_partial(kind, a, 0, 0.0), 0.0))
    return fold(*fold_row(kind, (a, b), n, lambda x, y, high, low: _add_product(high, low, x, y), zero, zero))


@traced
def _softmax_grad_vector(g: Any, p: Any, high: Any, low: Any) -> Any:
    """p · (g − (high + low)), with the difference in two parts for float64; no product exceeds its own term."""
    if g.scalar == types.float32:
        return fma(p, g, -(p * narrow(g, high + low)))
    d, lost = two_sum(g, 0.0 - high)
    rest = lost - low
    return fma(p, d, where(rest == rest, p * rest, 0.0))


def _sum(kind: Any, src: Any, _: Any, n: Any) -> Any:
    """Σ of the first row as a float64 pair; (±inf, 0) or (NaN, 0) where it is not finite."""

    def add(x: Any, high: Any, low: Any) -> Any:
        high, error = two_sum(high, widen(x))
        return high, low + error

    zero = widen(splat(load_partial(kind, src, 0, 0.0), 0.0))
    total, rest = fold(*fold_row(kind, (src,), n, add, zero, zero))
    return total, where(rest == rest, rest, 0.0)


@traced
def _log_softmax_grad_vector(g: Any, y: Any, high: Any, low: Any) -> Any:
    """g − exp(y) · (high + low)."""
    negative = 0.0 - exp_below(y, splat(y, 0.0))
    return narrow(g, fma(negative, high, widen(g)) + negative * low)


def _over_two_rows(total: Any, vector: Any) -> Kernels:
    """The kernels for rows of dy and y, whose addresses `src` holds.

    ``total(kind, dy, y, n)`` gives a pair for a row, ``vector(dy, y, high, low)`` a vector of the result.
    """

    @traced
    def rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
        def row(i: Any) -> None:
            at = i * n * itemsize(kind)
            dy, y = src[0] + at, src[1] + at
            pair = total(kind, dy, y, n)

            def one(a: Any, b: Any) -> Any:
                return vector(a, b, *pair)

            map_row(kind, dst + at, (dy, y), n, one, n * itemsize(kind))

        repeat(first, last, row)

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
