"""elu, selu and celu: x above zero, an exponential less 1 below, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float
from ..arrays.inputs import as_floats
from ..arrays.layout import run_elements
from ..numerics.exp import exp_split
from ..rowwise.slices import over_elements_and_numbers
from ..vector import bits, fma, splat, where

# From here on down exp(x) − 1 is −1.
_LOWEST = {types.float32: -20.0, types.float64: -40.0}


def _expm1_below(x: Any) -> Any:
    """exp(x) − 1 of x ≤ 0 within 1 ULP, and NaN for NaN; what it is above zero does not matter.

    exp(x) = p · 2ⁿ + 2ⁿ, and 2ⁿ − 1 is exact; beside zero n is 0 and what is left is p, which is relatively right.
    """
    lowest = _LOWEST[x.scalar]
    p, s = exp_split(where(x < lowest, lowest, where(x > 0.0, 0.0, x)), bits(splat(x, 1.0)))
    return fma(p, s, s - 1.0)


def _elu(x: Any, alpha: Any) -> Any:
    return where(x >= 0.0, x, alpha * _expm1_below(x))


def _selu(x: Any, alpha: Any, gamma: Any) -> Any:
    return gamma * _elu(x, alpha)


def _celu(x: Any, alpha: Any) -> Any:
    return where(x >= 0.0, x, alpha * _expm1_below(x / alpha))


_ELU, _SELU, _CELU = (over_elements_and_numbers(f) for f in (_elu, _selu, _celu))


@overload
def elu(
    x: npt.NDArray[Float], alpha: float = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def elu(x: npt.ArrayLike, alpha: float = ..., *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def elu(x: npt.ArrayLike, alpha: float = 1.0, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The exponential linear unit, element by element: ``x`` from 0 on, below ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    alpha : float
        How far below 0 the result may be; rounded to float32 unless `x` is float64.
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
    Special values: NaN gives NaN, +inf gives +inf, −inf gives ``-alpha``, ±0 itself.

    Error: at most 2 ULP, 0.51 of halves, beside zero too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@22::Elu``, https://arxiv.org/abs/1511.07289.
    """
    return run_elements("elu", _ELU, (as_floats("elu", x),), out, alpha)


@overload
def selu(
    x: npt.NDArray[Float], alpha: float = ..., gamma: float = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def selu(
    x: npt.ArrayLike, alpha: float = ..., gamma: float = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def selu(
    x: npt.ArrayLike,
    alpha: float = 1.6732632423543772,
    gamma: float = 1.0507009873554805,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """The scaled exponential linear unit, element by element: ``gamma * elu(x, alpha)``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    alpha, gamma : float
        The two factors; rounded to float32 unless `x` is float64.
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
    Special values: NaN gives NaN, +inf gives +inf, −inf gives ``-alpha * gamma``, ±0 itself.

    Error: at most 3 ULP, 0.51 of halves, beside zero too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@22::Selu``, https://arxiv.org/abs/1706.02515.
    """
    return run_elements("selu", _SELU, (as_floats("selu", x),), out, alpha, gamma)


@overload
def celu(
    x: npt.NDArray[Float], alpha: float = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def celu(x: npt.ArrayLike, alpha: float = ..., *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def celu(x: npt.ArrayLike, alpha: float = 1.0, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The smooth exponential linear unit, element by element: ``x`` from 0 on, below ``alpha * (exp(x / alpha) - 1)``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    alpha : float
        How far below 0 the result may be, above 0; rounded to float32 unless `x` is float64.
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
        An `alpha` that is not above 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: NaN gives NaN, +inf gives +inf, −inf gives ``-alpha``, ±0 itself.

    Error: at most 3 ULP, 0.51 of halves, beside zero too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@28::Celu``, https://arxiv.org/abs/1704.07483.
    """
    if not alpha > 0:
        message = f"celu takes an alpha above 0 (got {alpha!r}); for a line of slope 1 pass x itself"
        raise ValueError(message)
    return run_elements("celu", _CELU, (as_floats("celu", x),), out, alpha)
