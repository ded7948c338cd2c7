"""sigmoid: 1 / (1 + exp(−x)), element by element."""

from typing import Any

import numpy.typing as npt
from numba import types

from .exp import exp_below
from .jit import by_type, helper, over_rows
from .layout import elementwise
from .memory import load, load_first, store, store_first
from .simd import fma, itemsize, lanes, narrow, splat, where


def _quotient(numerator: Any, e: Any, like: Any) -> Any:
    """numerator / (1 + e) for float64 vectors, e in [0, 1], as exactly as the float type of `like` can show."""
    raise NotImplementedError


@by_type(_quotient)
def _quotient_by_type(numerator: Any, e: Any, like: Any) -> Any:
    if like.scalar == types.float32:
        return lambda numerator, e, like: numerator / (splat(e, 1.0) + e)

    def float64(numerator: Any, e: Any, like: Any) -> Any:
        one = splat(e, 1.0)
        s = one + e
        q = numerator / s
        # one Newton step with what the sum rounded off
        missing = fma(splat(e, 0.0) - q, s, numerator) - q * (e - (s - one))
        return q + missing / s

    return float64


@helper
def _sigmoid_vector(x: Any) -> Any:
    zero = splat(x, 0.0)
    negative = x < zero
    e = exp_below(where(negative, x, zero - x), zero)
    return narrow(x, _quotient(where(negative, e, splat(e, 1.0)), e, x))


@helper
def sigmoid_span(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> Any:
    """Elements `first` to `last`."""
    size, step = itemsize(kind), lanes(kind)
    full = first + (last - first) // step * step
    for i in range(first, full, step):
        store(kind, dst + i * size, _sigmoid_vector(load(kind, src + i * size)))
    if full < last:
        x = load_first(kind, src + full * size, last - full, 0.0)
        store_first(kind, dst + full * size, _sigmoid_vector(x), last - full)


_KERNELS = over_rows(sigmoid_span)


def sigmoid(x: npt.ArrayLike, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The logistic function, element by element: ``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
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

    Error: at most 0.51 ULP in float32 and 2 in float64 (``tests/numba_kernels/test_accuracy.py``).
    Source: ``ai.onnx@13::Sigmoid``.
    """
    return elementwise("sigmoid", _KERNELS, x, out)
