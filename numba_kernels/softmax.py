"""softmax: exp(x) / Σ exp(x) along an axis."""

from typing import Any

import numpy.typing as npt

from .exp import exp_scaled, exp_scaled_pair, exponent_shift, traits
from .jit import helper
from .layout import along_axis
from .lines import kernels_of
from .memory import load, store
from .rows import extremes, one_lane
from .simd import fma, itemsize, lane_index, lanes, splat, where
from .sums import across, add, reciprocal, settle


@helper
def frame(m: Any) -> Any:
    """What a row with maximum `m` needs: (base to subtract, lowest x that counts, exponent shift, top, its error).

    Of a maximum beyond BIG the subtraction is exact for every x that counts; of others none is made. The error of the
    largest exponential, `top`, is known and put right in the sum and in the result, or else it would add to that of
    every other probability.
    """
    big, cut, _, _, _ = traits(m)
    zero = splat(m, 0.0)
    base = where(m > splat(m, big), m, where(m < splat(m, -big), m, zero))
    low = m - base
    shift = exponent_shift(low)
    top, error = exp_scaled_pair(low, shift)
    return base, low - splat(m, cut), shift, top, error


@helper
def anchor(like: Any) -> Any:
    """Where an anchored sum of scaled exponentials starts: above the largest summand."""
    return splat(like, 2.0 ** (traits(like)[4] + 1))


@helper
def finish(e: Any, first: Any, second: Any, top: Any, winner: Any) -> Any:
    """Scaled exponentials times 1 / sum = first + second; those equal to the row's largest, `top`, are `winner`."""
    return where(e == top, winner, fma(e, first, e * second))


@helper
def winner_of(top: Any, error: Any, first: Any, second: Any) -> Any:
    """The largest probability, from the largest exponential and its rounding error."""
    return fma(top, first, fma(error, first, top * second))


@helper
def scaled(x: Any, base: Any, lowest: Any, shift: Any) -> Any:
    """exp(x) scaled by the row's exponent; exactly 0 below `lowest`, for −inf too."""
    x = x - base
    return where(x < lowest, splat(x, 0.0), exp_scaled(x, shift))


@helper
def softmax_row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
    """A row of at least one vector: maximum, exponentials and their sum, scaling; `dst` may be `src`."""
    size, step = itemsize(kind), lanes(kind)
    big, cut, _, _, _ = traits(kind)
    m, lowest_x = extremes(kind, src, n)
    # the last vector overlaps the one before it, so it is read before anything is written
    tail_at = (n - step) * size
    tail = load(kind, src + tail_at)
    base, lowest, shift, top, error = frame(splat(tail, m))
    start = anchor(tail)
    total, lost = start, one_lane(error)
    if abs(m) <= big and m - lowest_x <= cut:
        for i in range(n // step):
            e = exp_scaled(load(kind, src + i * step * size), shift)
            store(kind, dst + i * step * size, e)
            total, lost = add(total, lost, e)
        tail = exp_scaled(tail, shift)
    else:
        for i in range(n // step):
            e = scaled(load(kind, src + i * step * size), base, lowest, shift)
            store(kind, dst + i * step * size, e)
            total, lost = add(total, lost, e)
        tail = scaled(tail, base, lowest, shift)
    if n % step:
        index = lane_index(tail)
        total, lost = add(total, lost, where(index < splat(index, step - n % step), splat(tail, 0.0), tail))
    high, low = across(total, lost, start)
    first, second = reciprocal(kind, high, low)
    first_v, second_v = splat(tail, first), splat(tail, second)
    winner = winner_of(top, error, first_v, second_v)
    for i in range(n // step):
        e = load(kind, dst + i * step * size)
        store(kind, dst + i * step * size, finish(e, first_v, second_v, top, winner))
    if n % step:
        store(kind, dst + tail_at, finish(tail, first_v, second_v, top, winner))


@helper
def softmax_tile(kind: Any, at: Any, n: Any, width: Any) -> Any:
    """Columns of `n` numbers, in place."""
    step, along = lanes(kind), width * itemsize(kind)
    for column in range(0, width, step):
        top_of = at + column * itemsize(kind)
        m = load(kind, top_of)
        for k in range(1, n):
            x = load(kind, top_of + k * along)
            m = where(x > m, x, m)
        base, lowest, shift, top, error = frame(m)
        start = anchor(m)
        total, lost = start, error
        for k in range(n):
            e = scaled(load(kind, top_of + k * along), base, lowest, shift)
            store(kind, top_of + k * along, e)
            total, lost = add(total, lost, e)
        high, low = settle(total, lost, start)
        first, second = reciprocal(m, high, low)
        winner = winner_of(top, error, first, second)
        for k in range(n):
            e = load(kind, top_of + k * along)
            store(kind, top_of + k * along, finish(e, first, second, top, winner))


_KERNELS = kernels_of(softmax_row, softmax_tile)


def softmax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Softmax along an axis: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which the results sum to one; NumPy's meaning and errors.
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
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives
    exactly 0. Results are never negative, never above 1, monotone in `x`, and underflow gradually. The same bits for
    any number of threads.

    Error: at most 2 ULP (``tests/numba_kernels/test_accuracy.py``). The maximum is not subtracted, its exponent is
    (see `exp`); the sum is compensated. Source: ``ai.onnx@13::Softmax``.
    """
    return along_axis("softmax", _KERNELS, x, axis, out)
