"""The gradients of sparsemax and entmax with respect to their scores, from their results y.

s = y ** (2 - alpha) where y > 0, else 0        1 for sparsemax, √y for entmax15
dx = s * (dy - sum(s * dy) / sum(s))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float, address
from ..gradients import softmax_grad
from ..numerics.exp_below import exp_of_pair
from ..numerics.log import log_vector
from ..numerics.sums import PairSum, reduce_add, two_sum
from ..rowwise.slices import slices
from ..rowwise.two_rows import OfTwoRows
from ..vector import (
    Variable,
    computed_as,
    fma,
    fma_exact,
    full,
    load_scalar,
    narrow,
    splat,
    sqrt,
    where,
    widen,
)
from .alpha import checked_alpha

_Weights = Callable[..., Any]
_LN2 = 0.6931471805599453


def _one(y: Any) -> Any:
    """For sparsemax; NaN for NaN."""
    return where(y > 0.0, splat(y, 1.0), y * 0.0)


def _root(y: Any) -> Any:
    """For entmax15."""
    return where(y > 0.0, sqrt(y), y * 0.0)


def _power(y: Any, facts: Any) -> Any:
    """For entmax of any alpha; at `facts` lies 2 − alpha."""
    exponent = splat(y, load_scalar(facts.constant(0.0, types.float64), facts))
    subnormal = y < 2.0**-1000
    log = log_vector(where(subnormal, y * 2.0**100, y)) - where(subnormal, splat(y, 100 * _LN2), 0.0)
    log = where(y < 1.0, log, 0.0)
    power = exp_of_pair(log * exponent, fma_exact(log, exponent, -(log * exponent)))
    return where(y > 0.0, power, y * 0.0)


def _gradient(weights: _Weights, cost: float) -> OfTwoRows:
    """The kernels of a gradient with ``weights(y, *more)`` as s."""

    def total(kind: Any, dy: Any, y: Any, n: Any, *more: Any) -> Any:
        zero = widen(full(kind, 0.0))
        if computed_as(kind.type) == types.float32:
            # float64 has enough to spare
            plain = Variable(zero, zero)
            for part in slices(kind, n):
                slope, s = widen(part.load(dy)), weights(widen(part.load(y)), *more)
                product, whole = plain.value
                plain.value = fma(s, where(s == 0.0, s, slope), product), whole + s
            product, whole = (reduce_add(each) for each in plain.value)
            return product, splat(product, 0.0), whole, splat(product, 0.0)
        products, sums = PairSum(zero), PairSum(zero)
        for part in slices(kind, n):
            slope, s = widen(part.load(dy)), weights(widen(part.load(y)), *more)
            product = where(s == 0.0, s, s * slope)
            products.add(product)
            lost = fma_exact(s, slope, -product)
            products.add(where(lost == lost, lost, 0.0))
            sums.add(s)
        return *products.over_lanes(), *sums.over_lanes()

    def vector(dy: Any, y: Any, high: Any, low: Any, whole: Any, rest: Any, *more: Any) -> Any:
        s = weights(widen(y), *more)
        mean = high / whole
        left = (fma_exact(-mean, whole, high) + (low - mean * rest)) / whole
        d, lost = two_sum(widen(dy), splat(s, -mean))
        lost = lost - splat(s, where(left == left, left, 0.0))
        return narrow(dy, where(s == 0.0, s, fma(s, d, where(lost == lost, s * lost, 0.0))))

    return OfTwoRows(total, vector, cost, pairs=2)


_SPARSEMAX = _gradient(_one, 1.5)
_ENTMAX15 = _gradient(_root, 3.0)
_ENTMAX = _gradient(_power, 6.0)


@overload
def sparsemax_grad(
    dy: npt.NDArray[Float],
    y: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def sparsemax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def sparsemax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a sparsemax: ``dy`` less its mean over the classes with y > 0.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the results.
    y : array of the shape and dtype of `dy`
        The results, `sparsemax`'s.
    axis : int, tuple of int, or None
        The axes of the sparsemax, None for all; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`, 0 wherever y is 0

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
    Special values: a NaN in `y`, or in `dy` where y > 0, makes what is not 0 of the row NaN; elsewhere `dy` is not
    looked at.

    Error: at most 1 ULP of the largest term, 2 in float64 (``tests/numba_kernels/sparse/test_gradients.py``). Computed
    in float64, sums compensated. Source: Martins and Astudillo, arXiv:1602.02068, section 2.5.
    """
    return _SPARSEMAX("sparsemax_grad", dy, y, axis, out)


@overload
def entmax15_grad(
    dy: npt.NDArray[Float],
    y: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def entmax15_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def entmax15_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of an entmax15: ``s * (dy - sum(s * dy) / sum(s))``, s = √y.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the results.
    y : array of the shape and dtype of `dy`
        The results, `entmax15`'s.
    axis : int, tuple of int, or None
        The axes of the entmax15, None for all; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`, 0 wherever y is 0

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
    Special values as of `sparsemax_grad`.

    Error: at most 1 ULP of the largest term, 2 in float64 (``tests/numba_kernels/sparse/test_gradients.py``). Computed
    in float64, sums compensated. Source: Peters, Niculae and Martins, arXiv:1905.05702, section 3.
    """
    return _ENTMAX15("entmax15_grad", dy, y, axis, out)


@overload
def entmax_grad(
    dy: npt.NDArray[Float],
    y: npt.NDArray[Float],
    alpha: float,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def entmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    alpha: float,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def entmax_grad(
    dy: npt.ArrayLike,
    y: npt.ArrayLike,
    alpha: float,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of an entmax: ``s * (dy - sum(s * dy) / sum(s))``, s = y^(2 − α).

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The gradient with respect to the results.
    y : array of the shape and dtype of `dy`
        The results, `entmax`'s.
    alpha : float
        That of the entmax, from 1 (softmax) to 2 (sparsemax). There is no gradient with respect to it.
    axis : int, tuple of int, or None
        The axes of the entmax, None for all; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`, 0 wherever y is 0

    Raises
    ------
    TypeError
        Another dtype, or two different ones; an alpha that is no number.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        An alpha below 1 or above 2, shapes that differ, an axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values as of `sparsemax_grad`; for 1, 1.5 and 2 the results are those of `softmax_grad`, `entmax15_grad` and
    `sparsemax_grad`, bit for bit.

    Error: at most 1 ULP of the largest term in float16, bfloat16 and float32, in float64 2 plus |log y|
    (``tests/numba_kernels/sparse/test_gradients.py``). Computed in float64, sums compensated.
    """
    name = "entmax_grad"
    given = checked_alpha(name, alpha)
    if given == 1.0:
        return softmax_grad(dy, y, axis, out=out)
    if given in (1.5, 2.0):
        return (_ENTMAX15 if given == 1.5 else _SPARSEMAX)(name, dy, y, axis, out)
    facts = np.array([2.0 - given])
    result = _ENTMAX(name, dy, y, axis, out, address(facts))
    del facts  # the kernel read it until here
    return result
