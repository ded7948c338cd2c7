"""softmax: exp(x) / Σ exp(x) along an axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .across import integer, keep_number, keep_sum, maxima, minima, number, put, sums
from .arrays import KINDS, Array, address
from .exp import exact_shift, exp_scaled, exponent_shift
from .jit import helper, inline, over_rows
from .layout import along_axis, launch
from .lines import keep, kernels_of, new_scratch_for_halves
from .memory import load, load_number, prefetch, store, store_number
from .rows import anchor, extremes, extremes_of, frame, largest_term, rows_at_once, scaled
from .simd import (
    bits,
    computing,
    fma,
    is_half,
    itemsize,
    lane,
    lane_index,
    lanes,
    splat,
    stack_scratch,
    where,
)
from .sums import across, add, add_pair, fma_near, reciprocal, settle
from .tempered import tempered
from .trace import traced

# So many vectors at a time are exponentiated and then summed.
_PIECE = 64
# A row is summed in blocks of so many numbers, the last one up to twice as long: one thread's share of a long row.
_BLOCK = 16384
# Slots of `across` for what a row needs.
_BASE, _LOWEST, _SHIFT, _LOW, _FIRST, _SECOND = range(6)


@inline
def _piece(kind: Any, to: Any, src: Any, first: Any, last: Any, shift: Any, ahead: Any) -> Any:
    """Scaled exponentials of the vectors `first` to `last` of a row that needs no look at its numbers."""
    size, wide, step = itemsize(kind), itemsize(computing(kind)), lanes(kind)
    for i in range(first, last):
        prefetch(src + i * step * size + ahead)
        store(computing(kind), to + i * step * wide, exp_scaled(load(kind, src + i * step * size), shift))


@inline
def _add_piece(work: Any, total: Any, lost: Any, src: Any, first: Any, last: Any) -> Any:
    """An anchored sum with the vectors `first` to `last` at `src`."""
    for i in range(first, last):
        total, lost = add(total, lost, load(work, src + i * lanes(work) * itemsize(work)))
    return total, lost


@traced
def _behind(x: Any, count: Any) -> Any:
    """The last `count` lanes of a vector, 0 in the others."""
    index = lane_index(x)
    return where(index < splat(index, x.lanes - count), 0.0, x)


# In two loops over a piece of the row that stays in the nearest cache: one loop holds too many values at once for the
# registers, and its chain of sums waits for the exponentials. The last vector of a row overlaps the one before it, so
# it is read before anything is written.


@inline
def _plain_exponentials(kind: Any, to: Any, src: Any, n: Any, shift: Any, ahead: Any) -> Any:
    """Scaled exponentials of a row of at least one vector, and their anchored sum.

    `to` is of the computing type and may be `src`. Nothing in the row needs a look: no base, nothing too low. The
    processor is told that what lies `ahead` bytes further is wanted next.
    """
    work, step = computing(kind), lanes(kind)
    tail = load(kind, src + (n - step) * itemsize(kind))
    shift_v = splat(bits(tail), shift)
    total, lost = anchor(tail), splat(tail, 0.0)
    first, vectors = 0, n // step
    while first < vectors:
        last = min(first + _PIECE, vectors)
        _piece(kind, to, src, first, last, shift_v, ahead)
        total, lost = _add_piece(work, total, lost, to, first, last)
        first = last
    if n % step:
        prefetch(src + n * itemsize(kind) + ahead)
        e = exp_scaled(tail, shift_v)
        store(work, to + (n - step) * itemsize(work), e)
        total, lost = add(total, lost, _behind(e, n % step))
    return total, lost


@helper
def _any_exponentials(
    kind: Any, to: Any, src: Any, n: Any, base: Any, lowest: Any, shift: Any, plain: Any
) -> Any:
    """`_plain_exponentials` of a part of any row, and their sum as a float64 pair; `plain` says that it is no other."""
    work, step = computing(kind), lanes(kind)
    size, wide = itemsize(kind), itemsize(work)
    tail = load(kind, src + (n - step) * size)
    base_v, lowest_v, shift_v = splat(tail, base), splat(tail, lowest), splat(bits(tail), shift)
    total, lost = anchor(tail), splat(tail, 0.0)
    for first in range(0, n // step, _PIECE):
        last = min(first + _PIECE, n // step)
        if plain:
            _piece(kind, to, src, first, last, shift_v, 0)
        else:
            for i in range(first, last):
                x = load(kind, src + i * step * size)
                store(work, to + i * step * wide, scaled(x, base_v, lowest_v, shift_v))
        total, lost = _add_piece(work, total, lost, to, first, last)
    if n % step:
        e = scaled(tail, base_v, lowest_v, shift_v)
        store(work, to + (n - step) * wide, e)
        total, lost = add(total, lost, _behind(e, n % step))
    return across(total, lost, anchor(tail))


@inline
def _probabilities(kind: Any, dst: Any, src: Any, n: Any, first: Any, second: Any) -> Any:
    """Scaled exponentials, of the computing type, times 1 / sum = first + second; `dst` may be `src`."""
    work = computing(kind)
    size, wide, step = itemsize(kind), itemsize(work), lanes(kind)
    tail = load(work, src + (n - step) * wide)
    first_v, second_v = splat(tail, first), splat(tail, second)
    for i in range(n // step):
        store(kind, dst + i * step * size, finish(load(work, src + i * step * wide), first_v, second_v))
    if n % step:
        store(kind, dst + (n - step) * size, finish(tail, first_v, second_v))


@traced
def finish(e: Any, first: Any, second: Any) -> Any:
    """A scaled exponential times 1 / sum = first + second."""
    return fma_near(e, first, e * second)


@helper
def _blocks_of(n: Any) -> Any:
    """In how many blocks a row is summed."""
    return max(1, n // _BLOCK)


@helper
def _block_length(block: Any, n: Any) -> Any:
    """How many numbers a block of a row has."""
    return _BLOCK if block < _blocks_of(n) - 1 else n - _BLOCK * (_blocks_of(n) - 1)


@helper
def _plan(kind: Any, scratch: Any, highest: Any, lowest_x: Any) -> Any:
    """What rows with these maxima and minima need, into the slots."""
    base, lowest, top = frame(highest)
    put(scratch, _BASE, base)
    put(scratch, _LOWEST, lowest)
    put(scratch, _SHIFT, exact_shift(top))
    put(scratch, _LOW, lowest_x)


@helper
def _block_exponentials(kind: Any, scratch: Any, row: Any, to: Any, src: Any, n: Any, block: Any) -> Any:
    """Scaled exponentials of a block of a row of n numbers, by the slots of the row, and their sum as a pair."""
    base, lowest = number(kind, scratch, _BASE, row), number(kind, scratch, _LOWEST, row)
    plain = base == 0.0 and number(kind, scratch, _LOW, row) >= lowest
    at, shift = block * _BLOCK, integer(kind, scratch, _SHIFT, row)
    to, src = to + at * itemsize(computing(kind)), src + at * itemsize(kind)
    return _any_exponentials(kind, to, src, _block_length(block, n), base, lowest, shift, plain)


@helper
def _careful_exponentials(kind: Any, scratch: Any, row: Any, to: Any, src: Any, n: Any) -> Any:
    """Scaled exponentials of a row of any length with anything in it; their sum goes into the tables of `across`."""
    high, low = _block_exponentials(kind, scratch, row, to, src, n, 0)
    for block in range(1, _blocks_of(n)):
        high, low = add_pair(high, low, *_block_exponentials(kind, scratch, row, to, src, n, block))
    keep_number(scratch, row, high, low)


@helper
def _softmax_rows(
    kind: Any,
    dst: Any,
    src: Any,
    first: Any,
    last: Any,
    n: Any,
    inner: Any,
    src_outer: Any,
    src_along: Any,
    dst_outer: Any,
    dst_along: Any,
) -> Any:
    """Contiguous rows of at least one vector, a few at a time: extremes, exponentials and their sums, scaling."""
    work, scratch = computing(kind), stack_scratch(kind)
    few, wide = rows_at_once(kind, n), itemsize(work)
    owner, spare = new_scratch_for_halves(few * n, kind)
    for start in range(first, last, few):
        count = min(few, last - start)
        x, p = src + start * src_outer, dst + start * dst_outer
        e, step = (spare, n * wide) if is_half(kind) else (p, dst_outer)
        for row in range(count):
            extremes_of(kind, scratch, row, x + row * src_outer, n)
        highest = maxima(kind, scratch)
        _plan(kind, scratch, highest, minima(kind, scratch))
        for row in range(count):
            at, to = x + row * src_outer, e + row * step
            calm = number(kind, scratch, _LOW, row) >= number(kind, scratch, _LOWEST, row)
            if calm and number(kind, scratch, _BASE, row) == 0.0 and n < 2 * _BLOCK:
                shift = integer(kind, scratch, _SHIFT, row)
                total, lost = _plain_exponentials(kind, to, at, n, shift, few * src_outer)
                keep_sum(scratch, row, total, lost, anchor(lost))
            else:
                _careful_exponentials(kind, scratch, row, to, at, n)
        inverse, second = reciprocal(highest, *sums(kind, scratch))
        put(scratch, _FIRST, inverse)
        put(scratch, _SECOND, second)
        for row in range(count):
            first_of, second_of = number(kind, scratch, _FIRST, row), number(kind, scratch, _SECOND, row)
            _probabilities(kind, p + row * dst_outer, e + row * step, n, first_of, second_of)
    keep(owner)


@helper
def _split_blocks(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    """One stage of a few long rows, on blocks `first` to `last`: `src` is (scores, statistics of blocks, stage)."""
    x, statistics, stage = src
    real, scratch, size, blocks = np.float64(0), stack_scratch(kind), itemsize(kind), _blocks_of(n)
    for item in range(first, last):
        row, block = item // blocks, item % blocks
        of_row, own = statistics + row * blocks * 32, statistics + item * 32
        at = (row * n + block * _BLOCK) * size
        length = _block_length(block, n)
        if stage == 0:
            m, lowest_x = extremes(kind, x + at, length)
            store_number(real, own, np.float64(m))
            store_number(real, own + 8, np.float64(lowest_x))
            continue
        m, lowest_x = load_number(real, of_row), load_number(real, of_row + 8)
        high, rest = 0.0, 0.0
        for other in range(blocks):
            place = of_row + other * 32
            m, lowest_x = max(m, load_number(real, place)), min(lowest_x, load_number(real, place + 8))
            high, rest = add_pair(high, rest, load_number(real, place + 16), load_number(real, place + 24))
        like = load(kind, x + at)
        if stage == 1:
            _plan(kind, scratch, splat(like, m), splat(like, lowest_x))
            whole = row * n * size
            high, rest = _block_exponentials(kind, scratch, 0, dst + whole, x + whole, n, block)
            store_number(real, own + 16, high)
            store_number(real, own + 24, rest)
        else:
            inverse, second = reciprocal(lane(like, 0), high, rest)
            _probabilities(kind, dst + at, dst + at, length, inverse, second)


_SPLIT = over_rows(_split_blocks)


def _few_long_rows(x: Array, out: Array) -> None:
    """Rows that are fewer than the threads, each spread over them; the bits are those of `_softmax_rows`."""
    n = x.shape[-1]
    items = x.size // n * max(1, n // _BLOCK)
    statistics = np.zeros((items, 4))
    for stage in range(3):
        places = (address(out), (address(x), address(statistics), stage), n)
        launch(_SPLIT, x.size, items, KINDS[x.dtype], *places)


@traced
def winners_more(top: Any, error: Any, first: Any, second: Any) -> Any:
    """What the largest probability lacks for the rounding error of the largest exponential; added without error."""
    return fma_near(top, first, fma(error, first, top * second)) - fma_near(top, first, top * second)


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
        base, lowest, low = frame(m)
        shift = exponent_shift(low)
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
            store(kind, top_of + k * along, finish(e, first, second) + where(e == top, more, splat(e, 0.0)))


_KERNELS = kernels_of(_softmax_rows, softmax_tile)


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
