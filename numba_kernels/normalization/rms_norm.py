"""rms_norm: rows divided by the root of their mean square, times a weight."""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from ..arrays.addresses import Float
from ..compile.kernels import over_rows
from ..rowwise.slices import slices
from ..vector import from_bits, full, itemsize, loop, narrow, splat, sqrt, traced
from .arguments import as_factors, check_epsilon, rows_of, run
from .sums import mean_square

_NAME = "rms_norm"


@traced
def _rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    row_bytes, weight, epsilon = n * itemsize(kind), src[1], from_bits(src[2])
    with loop(first, last) as i:
        x, y = src[0] + i * row_bytes, dst[0] + i * row_bytes
        like = full(kind, 0.0)
        factor = splat(like, narrow(like, 1.0 / sqrt(mean_square(kind, x, n) + epsilon)))
        for part in slices(kind, n):
            part.store(y, part.load(x) * factor * part.load(weight))


_KERNELS = over_rows(_rows, cost=0.7)


@overload
def rms_norm(
    x: npt.NDArray[Float],
    weight: npt.ArrayLike | None = ...,
    *,
    axis: int = ...,
    epsilon: float = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def rms_norm(
    x: npt.ArrayLike,
    weight: npt.ArrayLike | None = ...,
    *,
    axis: int = ...,
    epsilon: float = ...,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def rms_norm(
    x: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Normalization by the root of the mean square: ``x / sqrt(mean(x**2) + epsilon) * weight``.

    The mean is of each row: of all axes from `axis` on.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n)
        The numbers; n stands for all axes from `axis` on.
    weight : array of the dtype of `x`, shape (n), optional
        A factor for each place in a row, or what broadcasts to that; 1 if left out.
    axis : int
        The first of the axes.
    epsilon : float
        What the mean square is raised by.
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
        A `weight` that does not broadcast, a negative `epsilon`, or an `out` of another shape or dtype.

    Notes
    -----
    A row is read from memory once where the nearest caches hold it. The mean is taken in float64 of float32 numbers
    and halves, compensated of float64 ones.

    Special values: a NaN makes its row NaN; beside an infinity, which becomes NaN, finite numbers become 0. Squares of
    float64 numbers beyond 1e154 overflow.

    Error: three roundings, of the factor and two products: at most 3 ULP in float32, 4.5 in float64, 0.51 of
    halves
    (``tests/numba_kernels/normalization/test_normalization.py``).
    Source: ``ai.onnx@23::RMSNormalization``, https://arxiv.org/abs/1910.07467.
    """
    check_epsilon(_NAME, epsilon)
    rows = rows_of(_NAME, x, axis)
    return run(_NAME, _KERNELS, rows, [as_factors(_NAME, "weight", weight, rows, 1.0)], epsilon, out)
