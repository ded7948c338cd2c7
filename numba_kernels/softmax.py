"""softmax: exp(x) / Σ exp(x) along an axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import KINDS, Array, address
from .exp import exp_scaled, traits
from .jit import helper, over_rows
from .layout import along_axis, launch
from .lines import kernels_of
from .memory import load, load_number, store, store_number
from .rows import anchor, extremes, frame, largest_term, scaled
from .simd import all_set, fma, itemsize, lane, lane_index, lanes, splat, where
from .sums import across, add, fma_near, reciprocal, settle, two_sum
from .tempered import tempered
from .trace import traced


@traced
def finish(e: Any, first: Any, second: Any, top: Any, more: Any) -> Any:
    """Scaled exponentials times 1 / sum = first + second; those equal to the row's largest, `top`, get `more`."""
    return fma_near(e, first, e * second) + where(e == top, more, 0.0)


@traced
def winners_more(top: Any, error: Any, first: Any, second: Any) -> Any:
    """What the largest probability lacks for the rounding error of the largest exponential; added without error."""
    return fma_near(top, first, fma(error, first, top * second)) - fma_near(top, first, top * second)


# So many vectors at a time are exponentiated and then summed.
PIECE = 64


@helper
def exponentials(kind: Any, dst: Any, src: Any, n: Any, m: Any, plain: Any) -> Any:
    """Scaled exponentials of a part of a row with maximum `m`, and their sum as a float64 pair; `dst` may be `src`.

    The part is at least one vector; `plain` says that nothing in the row needs a look: no shift, nothing too low.
    """
    size, step = itemsize(kind), lanes(kind)
    # the last vector overlaps the one before it, so it is read before anything is written
    tail = load(kind, src + (n - step) * size)
    base, lowest, shift = frame(splat(tail, m))
    start = anchor(tail)
    total, lost = start, splat(tail, 0.0)
    if plain:
        # in two loops over a piece of the row that stays in the nearest cache: one loop holds too many values at once
        # for the registers, and its chain of sums waits for the exponentials
        for piece in range(0, n // step, PIECE):
            end = min(piece + PIECE, n // step)
            for i in range(piece, end):
                store(kind, dst + i * step * size, exp_scaled(load(kind, src + i * step * size), shift))
            for i in range(piece, end):
                total, lost = add(total, lost, load(kind, dst + i * step * size))
    else:
        for i in range(n // step):
            x = load(kind, src + i * step * size) - base
            beyond = x < lowest
            if all_set(beyond):
                store(kind, dst + i * step * size, splat(x, 0.0))
            else:
                e = where(beyond, splat(x, 0.0), exp_scaled(x, shift))
                store(kind, dst + i * step * size, e)
                total, lost = add(total, lost, e)
    if n % step:
        tail = scaled(tail, base, lowest, shift)
        store(kind, dst + (n - step) * size, tail)
        index = lane_index(tail)
        total, lost = add(total, lost, where(index < splat(index, step - n % step), splat(tail, 0.0), tail))
    return across(total, lost, start)


@helper
def probabilities(kind: Any, dst: Any, n: Any, m: Any, high: Any, low: Any) -> Any:
    """Scaled exponentials of a part of a row to probabilities, in place; the row has maximum m and sum high + low."""
    size, step = itemsize(kind), lanes(kind)
    tail = load(kind, dst + (n - step) * size)
    top, error = largest_term(splat(tail, m))
    first, second = reciprocal(kind, high, low + np.float64(lane(error, 0)))
    first_v, second_v = splat(tail, first), splat(tail, second)
    more = winners_more(top, error, first_v, second_v)
    for i in range(n // step):
        e = load(kind, dst + i * step * size)
        store(kind, dst + i * step * size, finish(e, first_v, second_v, top, more))
    if n % step:
        store(kind, dst + (n - step) * size, finish(tail, first_v, second_v, top, more))


# A row is summed in blocks of so many numbers, the last one up to twice as long: one thread's share of a long row.
BLOCK = 16384


@helper
def blocks_of(n: Any) -> Any:
    """In how many blocks a row is summed."""
    return max(1, n // BLOCK)


@helper
def block_length(block: Any, n: Any) -> Any:
    """How many numbers a block of a row has."""
    return BLOCK if block < blocks_of(n) - 1 else n - BLOCK * (blocks_of(n) - 1)


@helper
def is_plain(kind: Any, m: Any, lowest_x: Any) -> Any:
    """Whether a row with these extremes needs no shift and has nothing that is too low to count."""
    big, cut, _, _, _ = traits(kind)
    return abs(m) <= big and m - lowest_x <= cut


@helper
def softmax_row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
    """A row of at least one vector: maximum, exponentials and their sum, scaling; `dst` may be `src`."""
    size = itemsize(kind)
    m, lowest_x = extremes(kind, src, n)
    plain = is_plain(kind, m, lowest_x)
    high, low = 0.0, 0.0
    for block in range(blocks_of(n)):
        at = block * BLOCK * size
        a, b = exponentials(kind, dst + at, src + at, block_length(block, n), m, plain)
        high, error = two_sum(high, a)
        low += b + error
    probabilities(kind, dst, n, m, high, low)


@helper
def _split_blocks(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """One stage of a few long rows, on blocks `first` to `last`: `src` is (scores, statistics of blocks, stage)."""
    x, statistics, stage = src
    size, blocks = itemsize(kind), blocks_of(n)
    for item in range(first, last):
        row, block = item // blocks, item % blocks
        of_row, own = statistics + row * blocks * 32, statistics + item * 32
        at = (row * n + block * BLOCK) * size
        length = block_length(block, n)
        if stage == 0:
            m, lowest_x = extremes(kind, x + at, length)
            store_number(np.float64(0), own, np.float64(m))
            store_number(np.float64(0), own + 8, np.float64(lowest_x))
            continue
        m = load_number(np.float64(0), of_row)
        lowest_x = load_number(np.float64(0), of_row + 8)
        high, low = 0.0, 0.0
        for other in range(blocks):
            place = of_row + other * 32
            value = load_number(np.float64(0), place)
            m = value if value > m else m
            value = load_number(np.float64(0), place + 8)
            lowest_x = value if value < lowest_x else lowest_x
            high, error = two_sum(high, load_number(np.float64(0), place + 16))
            low += load_number(np.float64(0), place + 24) + error
        if stage == 1:
            plain = is_plain(kind, m, lowest_x)
            high, low = exponentials(kind, dst + at, x + at, length, m, plain)
            store_number(np.float64(0), own + 16, high)
            store_number(np.float64(0), own + 24, low)
        else:
            probabilities(kind, dst + at, length, m, high, low)


_SPLIT = over_rows(_split_blocks)


def _few_long_rows(x: Array, out: Array) -> None:
    """Rows that are fewer than the threads, each spread over them; the bits are those of `softmax_row`."""
    n = x.shape[-1]
    items = x.size // n * max(1, n // BLOCK)
    statistics = np.zeros((items, 4))
    for stage in range(3):
        places = (address(out), (address(x), address(statistics), stage), n)
        launch(_SPLIT, x.size, items, KINDS[x.dtype], *places)


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
        base, lowest, shift = frame(m)
        top, error = largest_term(m)
        start = anchor(m)
        total, lost = start, error
        for k in range(n):
            e = scaled(load(kind, top_of + k * along), base, lowest, shift)
            store(kind, top_of + k * along, e)
            total, lost = add(total, lost, e)
        high, low = settle(total, lost, start)
        first, second = reciprocal(m, high, low)
        more = winners_more(top, error, first, second)
        for k in range(n):
            e = load(kind, top_of + k * along)
            store(kind, top_of + k * along, finish(e, first, second, top, more))


_KERNELS = kernels_of(softmax_row, softmax_tile)


def softmax(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Softmax along an axis: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which the results sum to one; NumPy's meaning and errors.
    temperature : float
        Above 0 and finite; `x` is divided by it, without rounding the quotient to the dtype of `x`.
    where : array of bool, optional
        What counts, broadcast against `x`; what does not is 0 in the result, and so is a row with nothing left.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype, or a `where` not of bool.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Rank 0, a temperature out of range, a `where` that does not broadcast, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives
    exactly 0. Results are never negative, never above 1, monotone in `x`, and underflow gradually. The same bits for
    any number of threads.

    Error: at most 2 ULP, 0.51 of halves, which are computed in float32 and rounded once
    (``tests/numba_kernels/test_accuracy.py``). The maximum is not subtracted, its exponent is (see `exp`); the sum is
    taken in float64, of float64 with compensation. Source: ``ai.onnx@13::Softmax``.
    """
    if where is not None or temperature != 1.0:
        return tempered("softmax", x, axis, temperature, where, out)
    return along_axis("softmax", _KERNELS, x, axis, out, _few_long_rows)
