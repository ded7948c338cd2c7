"""The gradients of softmax and log_softmax with respect to their scores.

softmax      dx = y * (dy - sum(dy * y))
log_softmax  dx = dy - exp(y) * sum(dy)
"""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt
from numba import types

from .arrays.addresses import Float
from .numerics.exp_below import exp_below
from .numerics.exp_table import COMMON, exponentials_of_lanes, table_for
from .numerics.sums import reduce_add_pairs, two_sum
from .rowwise.slices import slices
from .rowwise.two_rows import OfTwoRows
from .vector import (
    Variable,
    all_set,
    fma,
    fma_exact,
    full,
    narrow,
    splat,
    when,
    where,
    widen,
)


def _dot(kind: Any, a: Any, b: Any, n: Any) -> Any:
    """Σ a · b of two rows as a float64 pair: in float64 for float32 factors, compensated for float64 ones."""
    zero = widen(full(kind, 0.0))
    total = Variable(zero, zero)
    for part in slices(kind, n):
        x, y = part.load(a), part.load(b)
        high, low = total.value
        if x.scalar == types.float32:
            # the product is exact, so nothing is fused away
            total.value = fma(widen(x), widen(y), high), low
        else:
            product = x * y
            high, error = two_sum(high, product)
            total.value = high, low + error + fma_exact(x, y, 0.0 - product)
    return reduce_add_pairs(*total.value)


def _softmax_grad_vector(dy: Any, y: Any, high: Any, low: Any) -> Any:
    """y · (dy − (high + low)), with the difference in two parts for float64; no product exceeds its own term."""
    if dy.scalar == types.float32:
        return fma(y, dy, -(y * narrow(dy, high + low)))
    d, lost = two_sum(dy, 0.0 - high)
    rest = lost - low
    return fma(y, d, where(rest == rest, y * rest, 0.0))


def _sum(kind: Any, src: Any, _: Any, n: Any) -> Any:
    """Σ of the first row as a float64 pair; (±inf, 0) or (NaN, 0) where it is not finite."""
    zero = widen(full(kind, 0.0))
    sums = Variable(zero, zero)
    for part in slices(kind, n):
        x, (high, low) = part.load(src), sums.value
        if x.scalar == types.float32:
            sums.value = high + widen(x), low
        else:
            high, error = two_sum(high, x)
            sums.value = high, low + error
    total, rest = reduce_add_pairs(*sums.value)
    return total, where(rest == rest, rest, 0.0)


def _log_softmax_grad_vector(dy: Any, y: Any, high: Any, low: Any) -> Any:
    """dy − exp(y) · (high + low)."""
    if y.scalar != types.float32:
        return _log_softmax_grad_in_float64(dy, y, high, low)
    result = Variable(y)
    with when(all_set((y > _NORMAL_FROM) & (y < 1.0))) as otherwise:
        total = (high + low) * (-1.0 / COMMON)
        first = narrow(y, total)
        left = total - widen(first)
        second = narrow(y, where(left == left, left, 0.0))
        # exp(y) · total = s · (1 + p) · (first + second), of which s · first is exact; the rest is at most a tenth
        _, p, s = exponentials_of_lanes(y, table_for(y, 0), 0)
        rest = fma(p, splat(y, first), splat(y, second))
        result.value = fma(s, splat(y, first), fma(s, rest, dy))
    with otherwise:
        result.value = _log_softmax_grad_in_float64(dy, y, high, low)
    return result.value


# Above this, exponentials are normal numbers in float32.
_NORMAL_FROM = -80.0


def _log_softmax_grad_in_float64(dy: Any, y: Any, high: Any, low: Any) -> Any:
    negative = 0.0 - exp_below(y, splat(y, 0.0))
    return narrow(dy, fma(negative, high, widen(dy)) + negative * low)


_softmax_grad = OfTwoRows(_dot, _softmax_grad_vector)
_log_softmax_grad = OfTwoRows(_sum, _log_softmax_grad_vector, cost=3.0)


@overload
def softmax_grad(
    dy: npt.NDArray[Float],
    y: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def softmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def softmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a softmax: ``y * (dy - sum(dy * y))``.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the probabilities.
    y : array of the shape and dtype of `dy`
        The probabilities, `softmax`'s result.
    axis : int, tuple of int, or None
        The axes of the softmax, None for all; NumPy's meaning and errors.
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
        Shapes that differ, an axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula: a NaN in a row of `dy` or `y` makes the row NaN.

    Error: at most 4 ULP of the largest term (``tests/numba_kernels/test_accuracy.py``). The sum is in float64 for
    float32 arguments, compensated for float64 ones.
    """
    return _softmax_grad("softmax_grad", dy, y, axis, out)


@overload
def log_softmax_grad(
    dy: npt.NDArray[Float],
    y: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def log_softmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def log_softmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a log_softmax: ``dy - exp(y) * sum(dy)``.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the log-probabilities.
    y : array of the shape and dtype of `dy`
        The log-probabilities, `log_softmax`'s result: numbers up to 0.
    axis : int, tuple of int, or None
        The axes of the log_softmax, None for all; NumPy's meaning and errors.
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
        Shapes that differ, an axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula: a NaN in a row of `dy` makes the row NaN, one in `y` its own number.

    Error, in ULP of the largest of the two terms and their difference: at most 1.6 in float32, 4 in float64, 1 in
    float16 and bfloat16 (``tests/numba_kernels/test_gradients.py``). The sum is in float64, compensated for float64.
    """
    return _log_softmax_grad("log_softmax_grad", dy, y, axis, out)
