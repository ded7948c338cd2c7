"""sigmoid: 1 / (1 + exp(−x)), element by element."""

from typing import Any

import numpy.typing as npt
from numba import types

from .elements import over_elements
from .exp import exp_scaled_pair
from .exp_below import exp_below
from .layout import elementwise
from .simd import bits, fma, from_bits, splat, where
from .sums import add, fma_near
from .trace import traced


@traced
def sigmoid_vector(x: Any) -> Any:
    """sigmoid of a vector: exp(−|x|) or 1, over 1 + exp(−|x|), the quotient put right by what it left."""
    if x.scalar == types.float32:
        # exp(−|x|), nothing from −104 on; with 1 and the sum 2^32 too large, so that no tail but the result's is
        # subnormal
        raised = bits(x)
        below = from_bits(raised | -(2**31))
        e, rest = exp_scaled_pair(where(below < -104.0, -104.0, below), splat(raised, (127 + 32) << 23))
        unit = splat(x, 2.0**32)
        total, lost = add(unit, rest, e)
        inverse = 1.0 / total
        negative = x < 0.0
        numerator = where(negative, e, unit)
        quotient = numerator * inverse
        over = -0.0 - quotient
        left = fma(over, lost, fma_near(over, total, numerator)) + where(negative, rest, 0.0)
        return fma(left, inverse, quotient)
    zero, one = splat(x, 0.0), splat(x, 1.0)
    negative = x < zero
    e = exp_below(where(negative, x, zero - x), zero)
    numerator = where(negative, e, one)
    total, lost = add(one, zero, e)
    quotient = numerator / total
    left = fma_near(zero - quotient, total, numerator) - quotient * lost
    return quotient + left / total


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
