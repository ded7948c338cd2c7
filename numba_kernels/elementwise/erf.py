"""erf, the error function, element by element."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from ..arrays.addresses import Float
from ..arrays.operators import Elementwise
from ..numerics.erf import erf_of
from ..rowwise.slices import over_elements

_OPERATOR = Elementwise("erf", over_elements(erf_of))


@overload
def erf(x: npt.NDArray[Float], *, out: npt.NDArray[Float] | None = ...) -> npt.NDArray[Float]: ...
@overload
def erf(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = ...) -> npt.NDArray[Any]: ...
def erf(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The error function, element by element: ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to x.

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
    Special values: NaN gives NaN, ±inf gives ±1, ±0 itself; subnormal numbers stay subnormal. ``erf(-x)`` is
    ``-erf(x)`` to the last bit.

    Error: at most 1.5 ULP, 0.51 of halves, beside zero too (``tests/numba_kernels/elementwise/test_functions.py``).
    Source: ``ai.onnx@13::Erf``.
    """
    return _OPERATOR.run(x, out)
