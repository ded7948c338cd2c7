"""The gradient of softmax with respect to its scores."""

from typing import Any

import numpy.typing as npt
from numba import types

from .jit import by_type, helper, over_rows
from .layout import two_rows_to_rows
from .memory import load, load_first, store, store_first
from .simd import fma_exact, itemsize, lanes, narrow, splat, widen
from .sums import fold, two_sum


def _add_product(high: Any, low: Any, a: Any, b: Any) -> Any:
    """(high, low) + a · b: in float64 for float32 factors, compensated for float64 ones."""
    raise NotImplementedError


@by_type(_add_product)
def _add_product_by_type(high: Any, low: Any, a: Any, b: Any) -> Any:
    if a.scalar == types.float32:
        return lambda high, low, a, b: (high + widen(a) * widen(b), low)

    def float64(high: Any, low: Any, a: Any, b: Any) -> Any:
        product = a * b
        high, error = two_sum(high, product)
        return high, low + error + fma_exact(a, b, splat(a, 0.0) - product)

    return float64


@helper
def _dot(kind: Any, a: Any, b: Any, n: Any) -> Any:
    """Σ a · b of two rows, as a float64 pair."""
    size, step = itemsize(kind), lanes(kind)
    high = widen(splat(load_first(kind, a, 0, 0.0), 0.0))
    low = high
    for i in range(n // step):
        high, low = _add_product(high, low, load(kind, a + i * step * size), load(kind, b + i * step * size))
    if n % step:
        at = (n - n % step) * size
        high, low = _add_product(
            high, low, load_first(kind, a + at, n % step, 0.0), load_first(kind, b + at, n % step, 0.0)
        )
    return fold(high, low)


@helper
def softmax_grad_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """Rows `first` to `last` of contiguous arrays; `src` holds the addresses of dy and y."""
    size, step = itemsize(kind), lanes(kind)
    for row in range(first, last):
        at = row * n * size
        to, dy, y = dst + at, src[0] + at, src[1] + at
        high, low = _dot(kind, dy, y, n)
        zero = widen(splat(load_first(kind, dy, 0, 0.0), 0.0))
        high_v, low_v = splat(zero, high), splat(zero, low)
        for i in range(n // step):
            g, p = load(kind, dy + i * step * size), load(kind, y + i * step * size)
            store(kind, to + i * step * size, narrow(g, widen(p) * ((widen(g) - high_v) - low_v)))
        if n % step:
            tail = (n - n % step) * size
            g, p = load_first(kind, dy + tail, n % step, 0.0), load_first(kind, y + tail, n % step, 0.0)
            store_first(kind, to + tail, narrow(g, widen(p) * ((widen(g) - high_v) - low_v)), n % step)


_SOFTMAX = over_rows(softmax_grad_rows)


def softmax_grad(
    dy: npt.ArrayLike, y: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Gradient of a loss with respect to the scores of a softmax: ``y * (dy - sum(dy * y))``.

    Parameters
    ----------
    dy : array of float32 or float64, shape (..., n, ...)
        The gradient with respect to the probabilities.
    y : array of the shape and dtype of `dy`
        The probabilities, `softmax`'s result.
    axis : int
        The axis of the softmax; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `dy`; may be `dy` or `y`.

    Returns
    -------
    array of the shape and dtype of `dy`

    Raises
    ------
    TypeError
        Another dtype, or two different ones.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Shapes that differ, rank 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values follow the formula: a NaN in a row of `dy` or `y` makes the row NaN.

    Error: at most 4 ULP of the largest term (``tests/numba_kernels/test_accuracy.py``). The sum is in float64 for
    float32 arguments, compensated for float64 ones.
    """
    return two_rows_to_rows("softmax_grad", _SOFTMAX, dy, y, axis, out)
