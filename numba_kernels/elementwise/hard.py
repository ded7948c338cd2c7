"""hard_sigmoid and hard_swish: straight lines in place of sigmoid and swish, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from ..arrays.addresses import Float
from ..arrays.inputs import as_floats
from ..arrays.layout import run_elements
from ..arrays.operators import Elementwise
from ..rowwise.slices import over_elements, over_elements_and_numbers
from ..vector import fma, where


def _hard_sigmoid(x: Any, alpha: Any, beta: Any) -> Any:
    y = fma(x, alpha, beta)
    y = where(y > 1.0, 1.0, y)
    return where(y < 0.0, 0.0, y)


def _hard_swish(x: Any) -> Any:
    """x · (x + 3) / 6 between −3 and 3; the sum is exact where it cancels."""
    factor = where(x < -3.0, 0.0, x + 3.0)
    return where(x >= 3.0, x, x * factor / 6.0)


# Little more than a copy.
_COST = 0.4
_HARD_SIGMOID = over_elements_and_numbers(_hard_sigmoid, _COST)
_HARD_SWISH = Elementwise("hard_swish", over_elements(_hard_swish, _COST))


@overload
def hard_sigmoid(
    x: npt.NDArray[Float], alpha: float = ..., beta: float = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def hard_sigmoid(
    x: npt.ArrayLike, alpha: float = ..., beta: float = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def hard_sigmoid(
    x: npt.ArrayLike, alpha: float = 0.2, beta: float = 0.5, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """A straight line cut off at 0 and 1, element by element: ``max(0, min(1, alpha * x + beta))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    alpha, beta : float
        The line's slope, and its height at 0; rounded to float32 unless `x` is float64.
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
    Special values follow the formula; NaN gives NaN. Error: at most 0.51 ULP, where the processor has a fused
    multiply-add (``tests/numba_kernels/elementwise/test_functions.py``). Source: ``ai.onnx@22::HardSigmoid``.
    """
    return run_elements("hard_sigmoid", _HARD_SIGMOID, (as_floats("hard_sigmoid", x),), out, alpha, beta)


@overload
def hard_swish(x: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...) -> npt.NDArray[Float]: ...
@overload
def hard_swish(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def hard_swish(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """x times a straight line cut off at 0 and 1, element by element: ``x * max(0, min(1, x / 6 + 1 / 2))``.

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
    Special values: NaN gives NaN, +inf gives +inf, −inf gives NaN (the product of −inf and 0), ±0 itself.

    Error: at most 2 ULP, 0.51 of halves, beside −3 too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@22::HardSwish``.
    """
    return _HARD_SWISH.run(x, out)
