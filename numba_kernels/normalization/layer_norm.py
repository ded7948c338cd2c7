"""layer_norm: rows of mean 0 and variance 1, times a weight and plus a bias."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from ..compile.kernels import over_rows
from ..rowwise.slices import slices
from ..vector import (
    compute_kind,
    fma,
    from_bits,
    full,
    itemsize,
    loop,
    narrow,
    splat,
    sqrt,
    store_scalar,
    traced,
    when,
)
from .arguments import as_factors, check_epsilon, rows_of, run
from .sums import centred, mean_of, mean_square

_NAME = "layer_norm"


@traced
def _rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    row_bytes, epsilon = n * itemsize(kind), from_bits(src[3])
    weight, bias = src[1], src[2]
    with loop(first, last) as i:
        x, y = src[0] + i * row_bytes, dst[0] + i * row_bytes
        mean = mean_of(kind, x, n)
        like = full(kind, 0.0)
        inverse = narrow(like, 1.0 / sqrt(mean_square(kind, x, n, mean) + epsilon))
        with when(dst[1] != 0):
            own, place = compute_kind(kind), i * itemsize(compute_kind(kind))
            store_scalar(own, dst[1] + place, mean[0])
            store_scalar(own, dst[2] + place, inverse)
        factor = splat(like, inverse)
        for part in slices(kind, n):
            d = centred(part.load(x), mean)
            part.store(y, fma(d, factor * part.load(weight), part.load(bias)))


_KERNELS = over_rows(_rows, cost=1.0)


@overload
def layer_norm(
    x: npt.ArrayLike,
    weight: npt.ArrayLike | None = ...,
    bias: npt.ArrayLike | None = ...,
    *,
    axis: int = ...,
    epsilon: float = ...,
    out: npt.NDArray[Any] | None = ...,
    return_statistics: Literal[False] = ...,
) -> npt.NDArray[Any]: ...


@overload
def layer_norm(
    x: npt.ArrayLike,
    weight: npt.ArrayLike | None = ...,
    bias: npt.ArrayLike | None = ...,
    *,
    axis: int = ...,
    epsilon: float = ...,
    out: npt.NDArray[Any] | None = ...,
    return_statistics: Literal[True],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]: ...


def layer_norm(
    x: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: npt.NDArray[Any] | None = None,
    return_statistics: bool = False,
) -> npt.NDArray[Any] | tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Layer normalization: ``(x - mean) / sqrt(variance + epsilon) * weight + bias``.

    Mean and variance (the mean of the squares of x - mean) are of each row: of all axes from `axis` on.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n)
        The numbers; n stands for all axes from `axis` on.
    weight, bias : array of the dtype of `x`, shape (n), optional
        A factor and a term for each place in a row, or what broadcasts to that; 1 and 0 if left out.
    axis : int
        The first of the axes.
    epsilon : float
        What the variance is raised by.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.
    return_statistics : bool
        Also return the mean and 1 / sqrt(variance + epsilon) of each row.

    Returns
    -------
    array of the shape and dtype of `x`
        Alone, or followed by two arrays of shape (..., 1), with a 1 for each normalized axis: float64 where x is,
        else float32.

    Raises
    ------
    TypeError
        Another dtype.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        A `weight` or `bias` that does not broadcast, a negative `epsilon`, or an `out` of another shape or dtype.

    Notes
    -----
    A row is read from memory once where the nearest caches hold it. Mean and variance are taken in float64 of float32
    numbers and halves, from the row's first number on, compensated of float64 ones; the mean is subtracted in two
    parts. A row of equal numbers gives the bias.

    Special values: a NaN or an infinity makes its row NaN. Squares of float64 numbers beyond 1e154 overflow.

    Error: x - mean has two roundings, the factor three, the sum with the bias one: at most 4.5 ULP of the larger of
    y - bias and y (``tests/numba_kernels/normalization/test_normalization.py``).
    Source: ``ai.onnx@17::LayerNormalization``, https://arxiv.org/abs/1607.06450.
    """
    check_epsilon(_NAME, epsilon)
    rows = rows_of(_NAME, x, axis)
    # fma(d, 1, -0.0) is d, whatever its sign
    factors = as_factors(_NAME, "weight", weight, rows, 1.0), as_factors(_NAME, "bias", bias, rows, -0.0)
    if not return_statistics:
        return run(_NAME, _KERNELS, rows, factors, epsilon, out, (None, None))
    shape = rows.x.shape[: rows.axis] + (1,) * (rows.x.ndim - rows.axis)
    mean, inverse = (np.empty(shape, np.promote_types(rows.x.dtype, np.float32)) for _ in range(2))
    return run(_NAME, _KERNELS, rows, factors, epsilon, out, (mean, inverse)), mean, inverse
