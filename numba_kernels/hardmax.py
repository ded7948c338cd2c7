"""hardmax: one at the first maximum along an axis, zero elsewhere."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import helper
from .layout import along_axis
from .lines import each_row, kernels_of
from .memory import load, load_first, store, store_first, store_number
from .rows import maximum, nan_at
from .simd import bits, first_lane, itemsize, lanes, splat, where


@helper
def _argmax_row(kind: Any, src: Any, n: Any) -> Any:
    """The index of the first maximum; of the first NaN if there is one."""
    size, step = itemsize(kind), lanes(kind)
    m = maximum(kind, src, n)
    zero = splat(load_first(kind, src, 0, 0.0), 0.0)
    m_v, seen = splat(zero, m), zero
    found = n
    for i in range(0, n, step):
        x = load_first(kind, src + i * size, n - i, -np.inf) if n - i < step else load(kind, src + i * size)
        if found == n:
            lane = first_lane(x == m_v)
            if lane < n - i and lane < step:
                found = i + lane
        seen = where(x == x, seen, x)
    return found if first_lane(seen != seen) == step else nan_at(kind, src, n)


@helper
def _hardmax_row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
    size, step = itemsize(kind), lanes(kind)
    best = _argmax_row(kind, src, n)
    zero = splat(load_first(kind, src, 0, 0.0), 0.0)
    for i in range(n // step):
        store(kind, dst + i * step * size, zero)
    if n % step:
        store_first(kind, dst + (n - n % step) * size, zero, n % step)
    store_number(kind, dst + best * size, 1.0)


@helper
def _hardmax_tile(kind: Any, at: Any, n: Any, width: Any) -> Any:
    """Columns of `n` numbers, in place."""
    step, along = lanes(kind), width * itemsize(kind)
    for column in range(0, width, step):
        top_of = at + column * itemsize(kind)
        m = load(kind, top_of)
        best = bits(m) - bits(m)
        for k in range(1, n):
            x = load(kind, top_of + k * along)
            # the first NaN stays: nothing is greater, and a number never replaces it
            better = where(x != x, splat(x, 1.0), splat(x, 0.0)) > where(m != m, splat(x, 1.0), splat(x, 0.0))
            m, best = where(x > m, x, m), where(x > m, splat(best, k), best)
            m, best = where(better, x, m), where(better, splat(best, k), best)
        for k in range(n):
            chosen = best == splat(best, k)
            store(kind, top_of + k * along, where(chosen, splat(m, 1.0), splat(m, 0.0)))


_KERNELS = kernels_of(each_row(_hardmax_row), _hardmax_tile)


def hardmax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """One at the first maximum along an axis, zero elsewhere.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which one element is chosen; NumPy's meaning and errors.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Rank 0, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: like `numpy.argmax`, the first NaN is chosen where there is one. Exact.
    Source: ``ai.onnx@13::Hardmax``.
    """
    return along_axis("hardmax", _KERNELS, x, axis, out)
