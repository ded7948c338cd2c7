"""softmax: exp(x) / Σ exp(x) along an axis.

Rows are contiguous and of at least one vector; a few at a time, as many as stay in the nearest cache:

    for each row: its maximum and minimum, and what its exponentials are scaled by
    for each row: e = exp(x) · scale, Σ e, and 1 / Σ e
    for each row: p = e · (1 / Σ e)

Short rows are reduced together, one in each lane of a vector. Columns are done by the same steps, but lie side by side
in vectors, so that no step has to go across lanes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, overload

import numpy.typing as npt

from .arrays.addresses import Float
from .arrays.operators import AlongAxis
from .arrays.temperatures import Temperature, is_one
from .log_sums.tempered import tempered
from .numerics.sums import add_pair
from .rowwise.blocks import BLOCK, OverBlocks, Row, block_at, blocks_of, extremes_merged
from .rowwise.exponentials import exponentials
from .rowwise.kernels import Span, kernels_of
from .rowwise.lanes import ExtremesPerRow, PerRow, SumPerRow
from .rowwise.probabilities import (
    Scale,
    divisor_of,
    divisor_of_row,
    fields_of_divisor,
    probabilities,
    scale_of,
)
from .rowwise.rows import extreme_vectors, extremes, rows_at_once
from .softmax_columns import softmax_columns
from .vector import (
    Variable,
    compute_kind,
    full,
    is_half,
    itemsize,
    lanes,
    loop,
    maximum,
    minimum,
    narrow,
    outlined,
    when,
    where,
)


def _softmax_rows(kind: Any, span: Span) -> None:
    with when(rows_at_once(kind, span.n) < lanes(kind)) as otherwise:
        _long_rows(kind, span)
    with otherwise:
        _short_rows(kind, span)


class _Group(NamedTuple):
    """A few rows that are taken through the stages together."""

    span: Span
    start: Any
    count: Any
    kind: Any

    def row(self, i: Any) -> Any:
        """Where row i lies, where its exponentials are written, and where its probabilities."""
        span, n = self.span, self.span.n
        x = span.src + (self.start + i) * span.src_outer
        p = span.dst + (self.start + i) * span.dst_outer
        # the exponentials of halves are float32
        return x, span.spare + i * (n * itemsize(compute_kind(self.kind))) if is_half(self.kind) else p, p


def _long_rows(kind: Any, span: Span) -> None:
    """Rows whose ends matter little: each is reduced by itself, and what that waits for the next row fills."""
    n, batch, zero = span.n, rows_at_once(kind, span.n), full(kind, 0.0)
    scales = [PerRow(numbers) for numbers in scale_of(zero, zero)]
    divisors = [PerRow(zero) for _ in range(fields_of_divisor(zero))]
    with loop(span.first, span.last, batch) as start:
        group = _Group(span, start, minimum(batch, span.last - start), kind)
        with loop(0, group.count) as i:
            for numbers, number in zip(scales, scale_of(*extremes(kind, group.row(i)[0], n)), strict=True):
                numbers[i] = number
        with loop(0, group.count) as i:
            x, e, _ = group.row(i)
            scale = [numbers[i] for numbers in scales]
            total = Variable(*_exponentials_of_block(kind, e, x, n, n.constant(0), *scale))
            with loop(1, blocks_of(n)) as block:
                total.value = add_pair(*total.value, *_exponentials_of_block(kind, e, x, n, block, *scale))
            for numbers, number in zip(
                divisors, divisor_of_row(zero, Scale(*scale), *total.value), strict=True
            ):
                numbers[i] = number
        with loop(0, group.count) as i:
            _, e, p = group.row(i)
            probabilities(kind, p, e, n, *(numbers[i] for numbers in divisors))


def _short_rows(kind: Any, span: Span) -> None:
    """As many rows as a vector has lanes, reduced together."""
    n, batch = span.n, lanes(kind)
    bounds, sums = ExtremesPerRow(kind), SumPerRow(kind)
    with loop(span.first, span.last, batch) as start:
        group = _Group(span, start, minimum(batch, span.last - start), kind)
        with loop(0, group.count) as i:
            bounds[i] = extreme_vectors(kind, group.row(i)[0], n)
        of_all = scale_of(*bounds.all)
        scales = [PerRow(numbers) for numbers in of_all]
        with loop(0, group.count) as i:
            x, e, _ = group.row(i)
            scale = Scale(*(numbers[i] for numbers in scales))
            with when(scale.is_fast) as otherwise:
                sums[i] = exponentials(kind, e, x, n, batch * span.src_outer, scale.shift)
            with otherwise:
                sums[i] = exponentials(
                    kind, e, x, n, batch * span.src_outer, scale.shift, scale.base, scale.cut
                )
        divisors = [PerRow(numbers) for numbers in divisor_of(of_all, *sums.all)]
        with loop(0, group.count) as i:
            _, e, p = group.row(i)
            probabilities(kind, p, e, n, *(numbers[i] for numbers in divisors))


# Memory is asked for so many numbers before they are needed, or a row or block before.
_AHEAD = 4096


@outlined
def _exponentials_of_block(
    kind: Any, dst: Any, src: Any, n: Any, block: Any, shift: Any, base: Any, cut: Any, top: Any, lowest: Any
) -> Any:
    """Scaled exponentials of a block of a row, whatever is in it, and their sum as a float64 pair."""
    (dst, length), (src, _) = block_at(compute_kind(kind), dst, n, block), block_at(kind, src, n, block)
    ahead = where(n <= BLOCK, maximum(n, _AHEAD), BLOCK) * itemsize(kind)
    pair = Variable()
    with when(Scale(shift, base, cut, top, lowest).is_fast) as otherwise:
        pair.value = exponentials(kind, dst, src, length, ahead, shift).over_lanes()
    with otherwise:
        pair.value = exponentials(kind, dst, src, length, ahead, shift, base, cut).over_lanes()
    return pair.value


# A few long rows, each spread over threads; the bits are those of `_softmax_rows`.

_EXTREMES, _SUM = range(2), range(2, 4)


def _find_extremes(kind: Any, dst: Any, src: Any, row: Row) -> None:
    with row.blocks as block:
        row.keep(block, _EXTREMES, *extremes(kind, *block_at(kind, src, row.n, block)))


def _exponentiate(kind: Any, dst: Any, src: Any, row: Row) -> None:
    scale = scale_of(*(narrow(kind, bound) for bound in row.merged(_EXTREMES, extremes_merged)))
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        row.keep(block, _SUM, *_exponentials_of_block(kind, to, src, row.n, block, *scale))


def _divide(kind: Any, dst: Any, src: Any, row: Row) -> None:
    scale = scale_of(*(narrow(kind, bound) for bound in row.merged(_EXTREMES, extremes_merged)))
    divisor = divisor_of_row(full(kind, 0.0), scale, *row.merged(_SUM, add_pair))
    to = dst + row.index * row.n * itemsize(kind)
    with row.blocks as block:
        at, length = block_at(kind, to, row.n, block)
        probabilities(kind, at, at, length, *divisor)


_FEW_LONG_ROWS = OverBlocks(_find_extremes, _exponentiate, _divide, halves=False)


_KERNELS = kernels_of(_softmax_rows, softmax_columns)
_OPERATOR = AlongAxis("softmax", _KERNELS, _FEW_LONG_ROWS)


@overload
def softmax(
    x: npt.NDArray[Float],
    axis: int | tuple[int, ...] | None = ...,
    *,
    temperature: Temperature = ...,
    where: npt.ArrayLike | None = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    temperature: Temperature = ...,
    where: npt.ArrayLike | None = ...,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    temperature: Temperature = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Softmax along an axis: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. A scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which the results sum to one, None for all.
    temperature : float or array
        Above 0 and finite; `x` is divided by it, unrounded. One for each row:
        an array of length 1 along `axis`.
    where : array of bool, optional
        What counts, broadcast against `x`; the rest is 0 in the result.
    out : array, optional
        Where to write the result: shape and dtype of `x`; may be `x`.

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
        A temperature out of range, or shapes that do not fit.

    Notes
    -----
    Special values: a row with a NaN or +inf, or nothing but −inf, is NaN; −inf
    beside finite values gives exactly 0; a row with nothing left by `where` is
    0. Results are monotone, from 0 to 1, and underflow gradually. The same bits
    for any number of threads and on every processor with fused multiply-add.

    Error: at most 1.75 ULP in float32 (2 without fused multiply-add), 2 in
    float64, 0.51 in halves (``tests/numba_kernels/test_accuracy.py``,
    ``test_adversarial.py``). The maximum's exponent is subtracted; the sum is
    rounded once. Source: ``ai.onnx@13::Softmax``. More in docs/kernels.md.

    Examples
    --------
    >>> softmax(np.array([1.0, 2.0, 3.0])).round(3)
    array([0.09 , 0.245, 0.665])
    """
    if where is not None or (temperature != 1.0 if type(temperature) is float else not is_one(temperature)):
        return tempered("softmax", x, axis, temperature, where, out)
    return _OPERATOR.run(x, out, axis)
