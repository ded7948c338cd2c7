"""sigmoid, 1 / (1 + exp(−x)), and its gradient, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float
from ..arrays.operators import Elementwise
from ..arrays.pairs import two_elementwise
from ..numerics.exp import exp_split, traits_of
from ..rowwise.slices import over_elements, over_elements_in_two
from ..vector import Variable, any_set, bits, fma, narrow, splat, when, where, widen

# From where the result is 1, and the power of two by which exp(−x), 1 and their sum are lowered, so that nothing
# overflows.
_ONE_FROM = {types.float32: 20.0, types.float64: 40.0}
_LOWERED = {types.float32: 50, types.float64: 100}


def _denominator(x: Any) -> Any:
    """1 + exp(−x), lowered, rounded once.

    exp(−x) = s + p · s with s a power of two, so 1 + s is exact where both matter, and the exponential by itself is
    not rounded.
    """
    _, cut, bias, mantissa = traits_of(x.scalar)
    lowered, one_from = _LOWERED[x.scalar], _ONE_FROM[x.scalar]
    x = where(x < -cut, -cut, x)
    x = where(x > one_from, one_from, x)
    p, s = exp_split(-x, splat(bits(x), (bias - lowered) << mantissa))
    unit = splat(x, 2.0**-lowered)
    # here the sum of the two lies half way between two numbers, and the even one is the larger
    half_way = bits(s) == bits(splat(x, 2.0 ** (mantissa + 1 - lowered)))
    fraction = Variable(p)
    with when(any_set(half_way)):
        fraction.value += where(half_way, splat(x, 2.0 ** -(mantissa + 1)), 0.0)
    return fma(fraction.value, s, unit + s)


def _quotient(denominator: Any) -> Any:
    return splat(denominator, 2.0 ** -_LOWERED[denominator.scalar]) / denominator


_KERNELS = over_elements_in_two(_denominator, _quotient)
_OPERATOR = Elementwise("sigmoid", _KERNELS)


def _gradient(dy: Any, y: Any) -> Any:
    p = widen(y)
    # in this order nothing under- or overflows before the result does
    return narrow(dy, widen(dy) * (p * (1.0 - p)))


_GRAD = over_elements(_gradient)


@overload
def sigmoid(x: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...) -> npt.NDArray[Float]: ...
@overload
def sigmoid(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def sigmoid(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The logistic function, element by element: ``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The scores. Any rank, any strides.
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
    Special values: NaN gives NaN, +inf gives 1, −inf gives 0; underflow is gradual.

    Error: at most 2 ULP, 0.51 of halves (``tests/numba_kernels/test_accuracy.py``).
    Source: ``ai.onnx@13::Sigmoid``.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 2.0])).round(3)
    array([0.   , 0.5  , 0.881])
    """
    return _OPERATOR.run(x, out)


@overload
def sigmoid_grad(
    dy: npt.NDArray[Float], y: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def sigmoid_grad(
    dy: npt.ArrayLike, y: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def sigmoid_grad(
    dy: npt.ArrayLike, y: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a sigmoid: ``dy * y * (1 - y)``.

    Parameters
    ----------
    dy : array of float16, bfloat16, float32 or float64, any shape
        The gradient with respect to the sigmoid's result.
    y : array of the shape and dtype of `dy`
        The sigmoid's result: numbers from 0 to 1.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`

    Raises
    ------
    TypeError
        Another dtype, or two different ones.
    ValueError
        Shapes that differ, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula. Error: at most 0.51 ULP in float16, bfloat16 and float32, 2 in float64
    (``tests/numba_kernels/test_gradients.py``).
    """
    return two_elementwise("sigmoid_grad", _GRAD, dy, y, out)
