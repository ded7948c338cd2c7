"""hardmax: one at the first maximum along an axis, zero elsewhere."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import helper, over_rows
from .layout import rows_to_rows
from .rows import maximum, nan_at
from .simd import (
    first_lane,
    itemsize,
    lanes,
    load,
    load_first,
    splat,
    store,
    store_first,
    store_number,
    where,
)


@helper
def _argmax_row(kind, src, n):
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
def _hardmax_row(kind, dst, src, n):
    size, step = itemsize(kind), lanes(kind)
    best = _argmax_row(kind, src, n)
    zero = splat(load_first(kind, src, 0, 0.0), 0.0)
    for i in range(n // step):
        store(kind, dst + i * step * size, zero)
    if n % step:
        store_first(kind, dst + (n - n % step) * size, zero, n % step)
    store_number(kind, dst + best * size, 1.0)


@helper
def hardmax_rows(kind, dst, src, first, last, n):
    """Rows `first` to `last` of a contiguous array."""
    for row in range(first, last):
        at = row * n * itemsize(kind)
        _hardmax_row(kind, dst + at, src + at, n)


_KERNELS = over_rows(hardmax_rows)


def hardmax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """One at the first maximum along an axis, zero elsewhere.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., n, ...)
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
    return rows_to_rows("hardmax", _KERNELS, x, axis, out)
