"""sigmoid: 1 / (1 + exp(−x)), element by element."""

from typing import Any

import numpy.typing as npt
from numba import types

from .elements import over_elements
from .exp import exp_scaled_pair
from .exp_below import exp_below
from .jit import by_type, helper
from .layout import elementwise
from .simd import bits, fma, from_bits, splat, where
from .sums import add, fma_near


def _sigmoid_vector(x: Any) -> Any:
    """sigmoid of a vector: exp(−|x|) or 1, over 1 + exp(−|x|), the quotient put right by what it left."""
    raise NotImplementedError


@by_type(_sigmoid_vector)
def _sigmoid_by_type(x: Any) -> Any:
    if x.scalar == types.float32:

        def float32(x: Any) -> Any:
            # exp(−|x|), nothing from −104 on; with 1 and the sum 2^32 too large, so that no tail but the result's is
            # subnormal
            raised = bits(x)
            below = from_bits(raised | splat(raised, -(2**31)))
            lowest = splat(x, -104.0)
            e, rest = exp_scaled_pair(where(below < lowest, lowest, below), splat(raised, (127 + 32) << 23))
            unit, minus_zero, zero = splat(x, 2.0**32), splat(x, -0.0), splat(x, 0.0)
            total, lost = add(unit, rest, e)
            inverse = splat(x, 1.0) / total
            negative = x < zero
            numerator = where(negative, e, unit)
            quotient = numerator * inverse
            over = minus_zero - quotient
            left = fma(over, lost, fma_near(over, total, numerator)) + where(negative, rest, zero)
            return fma(left, inverse, quotient)

        return float32

    def float64(x: Any) -> Any:
        zero, one = splat(x, 0.0), splat(x, 1.0)
        negative = x < zero
        e = exp_below(where(negative, x, zero - x), zero)
        numerator = where(negative, e, one)
        total, lost = add(one, zero, e)
        quotient = numerator / total
        left = fma_near(zero - quotient, total, numerator) - quotient * lost
        return quotient + left / total

    return float64


@helper
def sigmoid_vector(x: Any) -> Any:
    """`_sigmoid_vector`, to be handed on."""
    return _sigmoid_vector(x)


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
