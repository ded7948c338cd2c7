"""tanh, the hyperbolic tangent, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from ..arrays.addresses import Float
from ..arrays.operators import Elementwise
from ..numerics.tanh import tanh_of
from ..rowwise.slices import over_elements

_OPERATOR = Elementwise("tanh", over_elements(tanh_of))


@overload
def tanh(x: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...) -> npt.NDArray[Float]: ...
@overload
def tanh(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def tanh(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The hyperbolic tangent, element by element: ``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``.

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
    Special values: NaN gives NaN, ±inf gives ±1, ±0 itself, as do subnormal numbers. ``tanh(-x)`` is ``-tanh(x)``
    to the last bit.

    Error: at most 2 ULP, 0.51 of halves, beside zero too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@13::Tanh``.
    """
    return _OPERATOR.run(x, out)
