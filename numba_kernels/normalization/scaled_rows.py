"""Rows times a factor and plus a term of their own: batch normalization once it is trained."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.inputs import as_floats
from ..arrays.layout import launch
from ..compile.kernels import over_rows
from ..rowwise.slices import slices
from ..vector import fma, itemsize, load_scalar, loop, narrow, splat, traced, widen


@traced
def _rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    x, factors, terms, channels = src
    row_bytes, float64 = n * itemsize(kind), first.constant(0.0, types.float64)
    with loop(first, last) as i:
        channel = i % channels
        factor, term = (load_scalar(float64, each + 8 * channel) for each in (factors, terms))
        for part in slices(kind, n):
            own = part.load(x + i * row_bytes)
            wide = widen(own)
            result = fma(wide, splat(wide, factor), splat(wide, term))
            part.store(dst + i * row_bytes, narrow(own, result))


_KERNELS = over_rows(_rows, cost=0.5)


def scaled_rows(x: npt.ArrayLike, factors: Array, terms: Array) -> Array:
    """``x * factors + terms`` for x of shape (batch, channels, ...) and a factor and a term for each channel.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (batch, channels, ...)
        The numbers.
    factors, terms : float64 array, shape (channels,)
        What each channel is multiplied by, and what is added then.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another number of factors or terms.

    Notes
    -----
    Computed in float64: at most 0.51 ULP, where the processor has a fused multiply-add
    (``tests/numba_kernels/normalization/test_scaled_rows.py``).
    """
    x = in_c_order(as_floats("scaled_rows", x))
    factors, terms = (in_c_order(each, np.float64) for each in (factors, terms))
    if x.ndim < 2 or factors.shape != x.shape[1:2] or terms.shape != x.shape[1:2]:
        message = (
            f"scaled_rows takes a factor and a term for each channel of x, whose second axis they are "
            f"(got {x.shape}, {factors.shape} and {terms.shape}); reshape x to (batch, channels, ...)"
        )
        raise ValueError(message)
    result = np.empty(x.shape, x.dtype)
    if x.size:
        lines = x.shape[0] * x.shape[1]
        src = address(x), address(factors), address(terms), x.shape[1]
        launch(_KERNELS, x, lines, address(result), src, x.size // lines)
    return result
