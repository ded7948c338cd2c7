"""softmax: exp(x) / Σ exp(x) along an axis."""

from typing import Any

import numpy.typing as npt
from numba import types

from .arrays.layout import along_axis
from .numerics.exp import exact_shift, exponent_shift
from .numerics.sums import across, add, add_pair, fma_near, reciprocal, settle
from .rowwise.blocks import LENGTH, OverBlocks, Row, extremes_merged, part_of, sum_of_blocks
from .rowwise.exponentials import careful, exponentials, plain
from .rowwise.kernels import Span, kernels_of
from .rowwise.lanes import integer, keep_number, keep_sum, maxima, minima, number, put, sums
from .rowwise.rows import anchor, extremes, extremes_of, frame, largest_term, last_of, rows_at_once, scaled
from .rowwise.tempered import tempered
from .vector import (
    compute_kind,
    fma,
    fuses,
    is_half,
    itemsize,
    lanes,
    load,
    minimum,
    outlined,
    splat,
    stack_scratch,
    store,
    traced,
    where,
)
from .vector.flow import choose, repeat

# Slots of `across` for what a row needs.
_BASE, _LOWEST, _SHIFT, _LOW, _FIRST, _SECOND = range(6)


@outlined
def _block_exponentials(kind: Any, scratch: Any, row: Any, to: Any, src: Any, n: Any, block: Any) -> Any:
    """Scaled exponentials of a block of a row, by the row's slots, and their sum as a float64 pair."""
    base, lowest, shift = _frame_of(kind, scratch, row)
    (to, length), (src, _) = part_of(compute_kind(kind), to, n, block), part_of(kind, src, n, block)

    def by(each: Any) -> Any:
        total, lost = exponentials(kind, to, src, length, each)
        return across(total, lost, anchor(lost))

    ahead = where(n < 2 * LENGTH, n, LENGTH) * itemsize(kind)
    return choose(
        _is_plain(kind, scratch, row),
        lambda: by(plain(shift, ahead)),
        lambda: by(careful(base, lowest, shift, ahead)),
    )


def _plan(scratch: Any, highest: Any, lowest: Any) -> None:
    """What rows with these maxima and minima need, into their slots."""
    base, cut, top = frame(highest)
    for slot, value in ((_BASE, base), (_LOWEST, cut), (_SHIFT, exact_shift(top)), (_LOW, lowest)):
        put(scratch, slot, value)


def _frame_of(kind: Any, scratch: Any, row: Any) -> Any:
    base, lowest = (number(kind, scratch, slot, row) for slot in (_BASE, _LOWEST))
    return base, lowest, integer(kind, scratch, _SHIFT, row)


def _is_plain(kind: Any, scratch: Any, row: Any) -> Any:
    """Whether nothing in a row needs a look: no base to subtract, nothing too low to count."""
    base, lowest, low = (number(kind, scratch, slot, row) for slot in (_BASE, _LOWEST, _LOW))
    return (base == 0.0) & (low >= lowest)


def _probabilities(kind: Any, dst: Any, src: Any, n: Any, first: Any, second: Any) -> None:
    """Scaled exponentials, of the computing type, times 1 / sum = first + second; `dst` may be `src`."""
    work, step = compute_kind(kind), lanes(kind)
    tail = last_of(work, src, n)
    first, second = splat(tail, first), splat(tail, second)
    repeat(0, n // step, lambda i: store(kind, dst, finish(load(work, src, i), first, second), i))
    choose(n % step != 0, lambda: store(kind, dst + (n - step) * itemsize(kind), finish(tail, first, second)))


@traced
def finish(e: Any, first: Any, second: Any) -> Any:
    """A scaled exponential times 1 / sum = first + second."""
    if fuses():
        return fma(e, first, e * second)
    # far enough up that no part of the product is subnormal; taken down again with one rounding, which is monotone
    raised = 2.0 ** (48 if e.scalar == types.float32 else 200)
    e = e * raised
    return fma_near(e, first, e * second) * (1.0 / raised)


def _softmax_rows(kind: Any, span: Span) -> None:
    """Contiguous rows of at least one vector, a few at a time: extremes, exponentials and their sums, scaling."""
    n, src_outer, dst_outer = span.n, span.src_outer, span.dst_outer
    work, scratch, few = compute_kind(kind), stack_scratch(kind), rows_at_once(kind, n)

    def rows(start: Any) -> None:
        count = minimum(few, span.last - start)
        x, p = span.src + start * src_outer, span.dst + start * dst_outer
        e, step = (span.spare, n * itemsize(work)) if is_half(kind) else (p, dst_outer)

        def exponentiate(row: Any) -> None:
            at, to = x + row * src_outer, e + row * step

            def whole() -> None:
                _, _, shift = _frame_of(kind, scratch, row)
                total, lost = exponentials(kind, to, at, n, plain(shift, few * src_outer))
                keep_sum(scratch, row, total, lost, anchor(lost))

            def in_blocks() -> None:
                pair = sum_of_blocks(
                    n, lambda block: _block_exponentials(kind, scratch, row, to, at, n, block)
                )
                keep_number(scratch, row, *pair)

            choose(_is_plain(kind, scratch, row) & (n < 2 * LENGTH), whole, in_blocks)

        def scale(row: Any) -> None:
            inverse = [number(kind, scratch, slot, row) for slot in (_FIRST, _SECOND)]
            _probabilities(kind, p + row * dst_outer, e + row * step, n, *inverse)

        repeat(0, count, lambda row: extremes_of(kind, scratch, row, x + row * src_outer, n))
        highest = maxima(kind, scratch)
        _plan(scratch, highest, minima(kind, scratch))
        repeat(0, count, exponentiate)
        for slot, value in zip((_FIRST, _SECOND), reciprocal(highest, *sums(kind, scratch)), strict=True):
            put(scratch, slot, value)
        repeat(0, count, scale)

    repeat(span.first, span.last, rows, step=few)


# A few long rows, each spread over threads; the bits are those of `_softmax_rows`.


def _look(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    return lambda block: row.keep(block, 0, *extremes(kind, *part_of(kind, src, row.n, block)))


def _add(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    scratch, like = stack_scratch(kind), load(kind, src)
    highest, lowest = row.merged(0, 2, extremes_merged)
    _plan(scratch, splat(like, highest), splat(like, lowest))
    to, first = dst + row.index * row.n * itemsize(kind), row.n.constant(0)

    def add_block(block: Any) -> None:
        row.keep(block, 2, *_block_exponentials(kind, scratch, first, to, src, row.n, block))

    return add_block


def _scale(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    inverse, to = (
        reciprocal(compute_kind(kind), *row.merged(2, 2, add_pair)),
        dst + row.index * row.n * itemsize(kind),
    )

    def scale_block(block: Any) -> None:
        at, length = part_of(kind, to, row.n, block)
        _probabilities(kind, at, at, length, *inverse)

    return scale_block


_FEW_LONG_ROWS = OverBlocks(_look, _add, _scale, halves=False)


@traced
def winners_more(top: Any, error: Any, first: Any, second: Any) -> Any:
    """What the largest probability lacks for the rounding error of the largest exponential; added without error."""
    return fma_near(top, first, fma(error, first, top * second)) - fma_near(top, first, top * second)


@traced
def softmax_tile(kind: Any, at: Any, n: Any, width: Any) -> None:
    """Columns of `n` numbers, in place."""
    along = width * itemsize(kind)

    def columns(column: Any) -> None:
        top_of = at + column * itemsize(kind)

        def higher(k: Any, m: Any) -> Any:
            x = load(kind, top_of + k * along)
            return where(x > m, x, m)

        m = repeat(1, n, higher, load(kind, top_of))
        base, lowest, low = frame(m)
        shift, (top, error), start = exponent_shift(low), largest_term(m), anchor(m)

        def exponentiate(k: Any, *total: Any) -> Any:
            e = scaled(load(kind, top_of + k * along), base, lowest, shift)
            store(kind, top_of + k * along, e)
            return add(*total, e)

        total, lost = repeat(0, n, exponentiate, start, error)
        first, second = reciprocal(m, *settle(total, lost, start))
        more = winners_more(top, error, first, second)

        def scale(k: Any) -> None:
            e = load(kind, top_of + k * along)
            store(kind, top_of + k * along, finish(e, first, second) + where(e == top, more, 0.0))

        repeat(0, n, scale)

    repeat(0, width, columns, step=lanes(kind))


_KERNELS = kernels_of(_softmax_rows, softmax_tile)
_SMALL = _KERNELS.small


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
    result = _SMALL.call(x, axis, out)
    return along_axis("softmax", _KERNELS, x, axis, out, _FEW_LONG_ROWS) if result is None else result
