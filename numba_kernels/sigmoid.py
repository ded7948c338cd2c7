"""sigmoid: 1 / (1 + exp(−x)), element by element."""

from typing import Any

import numpy.typing as npt
from numba import types

from .elements import over_elements
from .exp import exp_scaled, traits_of
from .layout import elementwise
from .simd import bits, magnitude, splat, where
from .sums import fma_near
from .trace import traced


# Powers of two by which exp(−|x|), 1 and their sum are raised, so that the exponential is never subnormal.
_RAISED = {types.float32: 32, types.float64: 100}
# Below, 1 + exp(x) is 1: what is left of the quotient then would be subnormal, which is slow on some machines.
_ONE_BELOW = -38.0


@traced
def sigmoid_vector(x: Any) -> Any:
    """sigmoid of a vector: exp(−|x|) or 1, over 1 + exp(−|x|), the quotient put right by what it left."""
    _, cut, bias, mantissa, _ = traits_of(x.scalar)
    raised, ordered = _RAISED[x.scalar], bits(x)
    below = -magnitude(x)
    below = where(below < -cut, -cut, below)
    e = exp_scaled(below, splat(ordered, (bias + raised) << mantissa))
    unit = splat(x, 2.0**raised)
    inverse = 1.0 / (unit + e)
    # 1 − (unit + e) · inverse; the product with a power of two is exact, and so is the first difference
    left = fma_near(-e, inverse, 1.0 - unit * inverse)
    left = where(below < _ONE_BELOW, 0.0, left)
    numerator = where(ordered < 0, e, unit)
    return fma_near(numerator, inverse, numerator * (inverse * left))


_KERNELS = over_elements(sigmoid_vector)


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
    """
    return elementwise("sigmoid", _KERNELS, x, out)
