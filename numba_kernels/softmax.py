"""softmax: exp(x) / Σ exp(x) along an axis.

Rows are contiguous and of at least one vector; a few at a time, as many as stay in the nearest cache:

    for each row: its maximum and minimum
    of all rows at once: what their exponentials are scaled by
    for each row: e = exp(x) · scale, and Σ e
    of all rows at once: 1 / Σ e
    for each row: p = e · (1 / Σ e)

Columns are done by the same steps, but lie side by side in vectors, so that no step has to go across lanes.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt
from numba import types

from .arrays.layout import AlongAxis
from .numerics.exp import exact_shift, exp_scaled_pair, exponent_shift
from .numerics.sums import AnchoredSum, add_pair, fma_near, reciprocal
from .rowwise.blocks import BLOCK, OverBlocks, Row, block_at, blocks_of, extremes_merged
from .rowwise.exponentials import base_and_cut, exp_above_cut, exponentials, largest_term
from .rowwise.kernels import Span, kernels_of
from .rowwise.lanes import ExtremesPerRow, PerRow, SumPerRow
from .rowwise.rows import extreme_vectors, extremes_or_repeats, map_long_row, rows_at_once
from .rowwise.tempered import tempered
from .vector import (
    Variable,
    any_set,
    compute_kind,
    fma,
    fuses,
    is_half,
    itemsize,
    load,
    loop,
    minimum,
    narrow,
    outlined,
    splat,
    store,
    when,
    where,
)


class _Scale(NamedTuple):
    """What the exponentials of a row need, or those of several rows."""

    shift: Any
    """Of the exponent's bits, see `exact_shift`."""
    base: Any
    cut: Any
    """See `base_and_cut`."""
    lowest: Any
    """The row's minimum, or what stands for it where scores repeat (see `extreme_vectors`)."""

    @property
    def is_fast(self) -> Any:
        """Whether the shift is enough: nothing to subtract, nothing too low to count, and no scores that repeat.

        What the exponentials of repeated scores are off by is the same for all and does not even out in the sum.
        """
        return (self.base == 0.0) & (self.lowest >= self.cut)


def _scale_of(highest: Any, lowest: Any) -> _Scale:
    """Of rows with these extremes."""
    base, cut, top = base_and_cut(highest)
    return _Scale(exact_shift(top), base, cut, lowest)


def _softmax_rows(kind: Any, span: Span) -> None:
    n, work = span.n, compute_kind(kind)
    batch = rows_at_once(kind, n)
    bounds, sums = ExtremesPerRow(kind), SumPerRow(kind)

    with loop(span.first, span.last, batch) as start:
        count = minimum(batch, span.last - start)
        x, p = span.src + start * span.src_outer, span.dst + start * span.dst_outer
        # the exponentials of halves are float32
        e, e_stride = (span.spare, n * itemsize(work)) if is_half(kind) else (p, span.dst_outer)

        with loop(0, count) as row:
            bounds[row] = extreme_vectors(kind, x + row * span.src_outer, n, repeats=not is_half(kind))
        highest, lowest = bounds.all
        scales = [PerRow(numbers) for numbers in _scale_of(highest, lowest)]

        with loop(0, count) as row:
            src, dst = x + row * span.src_outer, e + row * e_stride
            scale = _Scale(*(numbers[row] for numbers in scales))
            with when(scale.is_fast & (n < 2 * BLOCK)) as otherwise:
                sums[row] = exponentials(kind, dst, src, n, batch * span.src_outer, scale.shift)
            with otherwise:
                total = Variable(*_exponentials_of_block(kind, dst, src, n, n.constant(0), *scale))
                with loop(1, blocks_of(n)) as block:
                    more = _exponentials_of_block(kind, dst, src, n, block, *scale)
                    total.value = add_pair(*total.value, *more)
                sums.set_pair(row, *total.value)

        first, second = (PerRow(numbers) for numbers in reciprocal(highest, *sums.all))
        with loop(0, count) as row:
            src, dst = e + row * e_stride, p + row * span.dst_outer
            _probabilities(kind, dst, src, n, first[row], second[row])


@outlined
def _exponentials_of_block(
    kind: Any, dst: Any, src: Any, n: Any, block: Any, shift: Any, base: Any, cut: Any, lowest: Any
) -> Any:
    """Scaled exponentials of a block of a row, whatever is in it, and their sum as a float64 pair."""
    (dst, length), (src, _) = block_at(compute_kind(kind), dst, n, block), block_at(kind, src, n, block)
    ahead = where(n < 2 * BLOCK, n, BLOCK) * itemsize(kind)
    pair = Variable()
    with when(_Scale(shift, base, cut, lowest).is_fast) as otherwise:
        pair.value = exponentials(kind, dst, src, length, ahead, shift).over_lanes()
    with otherwise:
        pair.value = exponentials(kind, dst, src, length, ahead, shift, base, cut).over_lanes()
    return pair.value


def _probabilities(kind: Any, dst: Any, src: Any, n: Any, first: Any, second: Any) -> None:
    """Scaled exponentials, of the computing type, times 1 / Σ e = first + second; `dst` may be `src`."""
    work = compute_kind(kind)
    first, second = (splat(load(work, src), part) for part in (first, second))
    map_long_row(kind, dst, work, src, n, partial(_quotient, first=first, second=second))


def _quotient(e: Any, first: Any, second: Any) -> Any:
    """A scaled exponential times 1 / Σ e = first + second."""
    if fuses():
        return fma(e, first, e * second)
    # far enough up that no part of the product is subnormal; taken down again with one rounding, which is monotone
    raised = 2.0 ** (48 if e.scalar == types.float32 else 200)
    e = e * raised
    return fma_near(e, first, e * second) * (1.0 / raised)


# A few long rows, each spread over threads; the bits are those of `_softmax_rows`.

_EXTREMES, _SUM = range(2), range(2, 4)


def _find_extremes(kind: Any, dst: Any, src: Any, row: Row) -> None:
    with row.blocks as block:
        row.keep(block, _EXTREMES, *extremes_or_repeats(kind, *block_at(kind, src, row.n, block)))


def _exponentiate(kind: Any, dst: Any, src: Any, row: Row) -> None:
    scale = _scale_of(*(narrow(kind, bound) for bound in row.merged(_EXTREMES, extremes_merged)))
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        row.keep(block, _SUM, *_exponentials_of_block(kind, to, src, row.n, block, *scale))


def _divide(kind: Any, dst: Any, src: Any, row: Row) -> None:
    inverse = reciprocal(compute_kind(kind), *row.merged(_SUM, add_pair))
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        at, length = block_at(kind, to, row.n, block)
        _probabilities(kind, at, at, length, *inverse)


_FEW_LONG_ROWS = OverBlocks(_find_extremes, _exponentiate, _divide, halves=False)


def _softmax_columns(kind: Any, x: Any, n: Any, stride: Any) -> None:
    """A vector of columns of n numbers, in place."""
    _columns(kind, x, n, stride, see_repeats=True)


def _softmax_short(kind: Any, x: Any, n: Any, stride: Any) -> None:
    """The same of rows of less than a vector, too few numbers for their errors to add up to much."""
    _columns(kind, x, n, stride, see_repeats=False)


def _columns(kind: Any, x: Any, n: Any, stride: Any, see_repeats: bool) -> None:
    first = load(kind, x)
    found = Variable(first, first, first != first)
    with loop(1, n) as k:
        number, (m, before, repeats) = load(kind, x + k * stride), found.value
        found.value = (
            where(number > m, number, m),
            number,
            repeats | (number == before) if see_repeats else repeats,
        )
    m, _, repeats = found.value
    base, cut, scale = base_and_cut(m)
    shift, (top, error) = exponent_shift(scale), largest_term(m)

    def left(rest: Any) -> Any:
        """What the last step of an exponential rounds off, in columns where scores repeat (see `_Scale.is_fast`)."""
        return where(repeats, rest, 0.0)

    # the largest is right in the sum, so what its last step rounds off must not be added twice
    total = AnchoredSum(m, error - left(exp_scaled_pair(scale, shift)[1]) if see_repeats else error)

    def add(exactly: bool) -> None:
        with loop(0, n) as k:
            e, rest = exp_above_cut(load(kind, x + k * stride), base, cut, shift)
            store(kind, x + k * stride, e)
            total.add(e, left(rest) if exactly else None)

    if see_repeats:
        with when(any_set(repeats)) as otherwise:
            add(exactly=True)
        with otherwise:
            add(exactly=False)
    else:
        add(exactly=False)
    first, second = reciprocal(m, *total.per_lane())
    # what the largest probability lacks for the rounding error of the largest exponential; added without error
    lacks = fma_near(top, first, fma(error, first, top * second)) - fma_near(top, first, top * second)

    with loop(0, n) as k:
        e = load(kind, x + k * stride)
        store(kind, x + k * stride, _quotient(e, first, second) + where(e == top, lacks, 0.0))


_KERNELS = kernels_of(_softmax_rows, _softmax_columns, _softmax_short)
_OPERATOR = AlongAxis("softmax", _KERNELS, _FEW_LONG_ROWS)


def softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Softmax along an axis: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which the results sum to one, None for all; NumPy's meaning and errors.
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
        A temperature out of range, a `where` that does not broadcast, or an `out` of another shape or dtype.

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
    return _OPERATOR.run(x, out, axis)
