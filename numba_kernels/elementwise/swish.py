"""swish (SiLU) and mish: x times a function that goes from 0 to 1, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float
from ..arrays.inputs import as_floats
from ..arrays.layout import run_elements
from ..arrays.operators import Elementwise
from ..numerics.exp import exp_split
from ..numerics.sums import fma_near
from ..rowwise.slices import over_elements, over_elements_and_numbers
from ..vector import bits, fma, splat, where

# A logistic function of less is 0, even times a large number, and one of more is 1; the power of two by which 1 + exp
# is lowered, so that nothing overflows.
_ZERO_BELOW = {types.float32: -112.0, types.float64: -770.0}
_ONE_FROM = {types.float32: 25.0, types.float64: 45.0}
_LOWERED = {types.float32: 50, types.float64: 100}
# The same for mish; the power of two by which it is raised, so that nothing underflows.
_MISH_IS_X_FROM = {types.float32: 12.0, types.float64: 22.0}
_RAISED = {types.float32: 64, types.float64: 256}


def times_sigmoid(x: Any, high: Any, low: Any) -> Any:
    """x / (1 + exp(−high − low)), with `low` of the size of the rounding of `high`, and |x| below 2⁷⁰."""
    below, above = high < _ZERO_BELOW[x.scalar], high > _ONE_FROM[x.scalar]
    within = where(below, _ZERO_BELOW[x.scalar], where(above, _ONE_FROM[x.scalar], high))
    unit = 2.0 ** -_LOWERED[x.scalar]
    p, s = exp_split(-within, bits(splat(x, unit)), -low)
    result = x / fma(p, s, s + unit) * unit
    return where(below, x * 0.0, where(above, x, result))


def _swish(x: Any) -> Any:
    return times_sigmoid(x, x, splat(x, 0.0))


def _swish_of_product(x: Any, alpha: Any) -> Any:
    product, scale = x * alpha, 2.0**70
    large = abs(x) > scale
    x = where(large, x * (1.0 / scale), x)
    result = times_sigmoid(x, product, fma_near(x, where(large, alpha * scale, alpha), -product))
    return result * where(large, splat(x, scale), 1.0)


def _mish(x: Any) -> Any:
    """x tanh(log(1 + exp(x))), which is x n / (n + 2) with n = exp(x) (exp(x) + 2)."""
    below, above = x < _ZERO_BELOW[x.scalar], x > _MISH_IS_X_FROM[x.scalar]
    raised = 2.0 ** _RAISED[x.scalar]
    p, s = exp_split(where(below, _ZERO_BELOW[x.scalar], where(above, 1.0, x)), bits(splat(x, raised)))
    high = fma(p, s, s)
    e = high * (1.0 / raised)
    result = x * (high * (e + 2.0) / fma(e, e + 2.0, 2.0)) * (1.0 / raised)
    return where(below, x * 0.0, where(above, x, result))


_SWISH = Elementwise("swish", over_elements(_swish, cost=1.5))
_SWISH_OF_PRODUCT = over_elements_and_numbers(_swish_of_product, cost=1.5)
_MISH = Elementwise("mish", over_elements(_mish, cost=1.5))


@overload
def swish(
    x: npt.NDArray[Float], alpha: float = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def swish(
    x: npt.ArrayLike, alpha: float = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def swish(x: npt.ArrayLike, alpha: float = 1.0, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """x times the logistic function of `alpha` x, element by element: ``x / (1 + exp(-alpha * x))``; of 1 it is SiLU.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    alpha : float
        A factor inside, rounded to float32 unless `x` is float64.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        An `out` of another shape or dtype.

    Notes
    -----
    Special values: NaN gives NaN, +inf gives +inf, −inf gives NaN (the product of −inf and 0), ±0 itself; underflow is
    gradual.

    Error: at most 2.5 ULP, 2.75 with an `alpha`, 0.51 of halves
    (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@24::Swish``.
    """
    if alpha == 1.0:
        return _SWISH.run(x, out)
    return run_elements("swish", _SWISH_OF_PRODUCT, (as_floats("swish", x),), out, alpha)


@overload
def mish(x: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...) -> npt.NDArray[Float]: ...
@overload
def mish(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def mish(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """x times the tanh of its softplus, element by element: ``x * tanh(log(1 + exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        An `out` of another shape or dtype.

    Notes
    -----
    Special values: NaN gives NaN, +inf gives +inf, −inf gives NaN (the product of −inf and 0), ±0 itself; underflow is
    gradual.

    Error: at most 4.5 ULP, 0.51 of halves (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@22::Mish``, https://arxiv.org/abs/1908.08681.
    """
    return _MISH.run(x, out)
