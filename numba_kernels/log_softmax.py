"""log_softmax: x − log Σ exp(x) along an axis."""

from typing import Any

import numpy.typing as npt
from numba import types

from .arrays.layout import along_axis
from .rowwise.blocks import OverBlocks, Row, part_of
from .rowwise.kernels import Span, kernels_of
from .rowwise.lanes import number, put, real_number, real_numbers
from .rowwise.log_sums import HIGHEST, LOGS, log_sums_of_rows
from .rowwise.log_sums_blocks import add_block, add_block_again, log_sum_of_blocks
from .rowwise.log_sums_columns import log_sum_of_columns
from .rowwise.rows import last_of, rows_at_once
from .rowwise.tempered import tempered
from .vector import (
    all_set,
    compute_kind,
    computed_as,
    itemsize,
    lanes,
    load,
    minimum,
    narrow,
    outlined,
    splat,
    stack_scratch,
    store,
    traced,
    where,
    widen,
)
from .vector.flow import choose, repeat

# Slots of `across` for what is subtracted, in two parts, and whether one rounding is to be had so.
_COARSE, _FINE, _QUICK = 13, 14, 15


def _subtracted(kind: Any, dst: Any, src: Any, n: Any, less: Any) -> None:
    """``less(x)`` for every vector of a row of at least one; `dst` may be `src`."""
    step = lanes(kind)
    # it overlaps the vector before it, so it is read before anything is written
    tail = last_of(kind, src, n)
    repeat(0, n // step, lambda i: store(kind, dst, less(load(kind, src, i)), i))
    choose(n % step != 0, lambda: store(kind, dst + (n - step) * itemsize(kind), less(tail)))


@traced
def _in_float64(x: Any, m: Any, log_of_sum: Any) -> Any:
    """(x − m) − log_of_sum for anything, in float64, rounded to the type of x."""
    return narrow(x, (widen(x) - widen(m)) - log_of_sum)


@traced
def _less(x: Any, coarse: Any, fine: Any) -> Any:
    """x − (coarse + fine) with one rounding that counts, for float32, |coarse| < 2⁹ a multiple of 2⁻⁸ and |fine| ≤ 2⁻⁹.

    What the first difference rounds off is had exactly where the last place of x is no more than 2⁻⁸ (Boldo, Graillat
    and Muller, "On the robustness of the 2Sum and Fast2Sum algorithms", 2017). Below, −inf included, a quarter of a
    unit is not missed.
    """
    d = x - coarse
    return where(x < -65536.0, d, d + ((x - (d + coarse)) - fine))


@outlined
def _careful_row(kind: Any, dst: Any, src: Any, n: Any, m: Any, log_of_sum: Any) -> None:
    real = splat(widen(splat(last_of(kind, src, n), m)), log_of_sum)
    _subtracted(kind, dst, src, n, lambda x: _in_float64(x, splat(x, m), real))


def _quick_row(kind: Any, dst: Any, src: Any, n: Any, coarse: Any, fine: Any) -> None:
    like = last_of(kind, src, n)
    coarse, fine = splat(like, coarse), splat(like, fine)
    _subtracted(kind, dst, src, n, lambda x: _less(x, coarse, fine))


def _parts(m: Any, log_of_sum: Any) -> Any:
    """m + log Σ exp(x − m) in two float32 parts, the first a multiple of 2⁻⁸; and whether they will do."""
    whole, magic = widen(m) + log_of_sum, 1.5 * 2.0**44
    coarse = (whole + magic) - magic
    # nearer to zero the fine part has too few bits for the log-probability of the maximum
    return narrow(m, coarse), narrow(m, whole - coarse), (log_of_sum > 2.0**-5) & (abs(whole) < 400.0)


def _log_softmax_rows(kind: Any, span: Span) -> None:
    """Contiguous rows of at least one vector, a few at a time: log-sums, differences."""
    n, src_outer, dst_outer = span.n, span.src_outer, span.dst_outer
    scratch, few = stack_scratch(kind), rows_at_once(kind, n)
    single = computed_as(kind.type) == types.float32

    def rows(start: Any) -> None:
        count = minimum(few, span.last - start)
        x, y = span.src + start * src_outer, span.dst + start * dst_outer
        log_sums_of_rows(kind, scratch, x, src_outer, count, n)
        if single:
            m, log_of_sum = load(compute_kind(kind), scratch, HIGHEST), real_numbers(kind, scratch, LOGS)
            coarse, fine, quick = _parts(m, log_of_sum)
            for slot, value in ((_COARSE, coarse), (_FINE, fine), (_QUICK, where(quick, splat(m, 1.0), 0.0))):
                put(scratch, slot, value)

        def row(i: Any) -> None:
            at, to = x + i * src_outer, y + i * dst_outer

            def careful() -> None:
                _careful_row(
                    kind, to, at, n, number(kind, scratch, HIGHEST, i), real_number(scratch, LOGS, i)
                )

            def quick() -> None:
                _quick_row(kind, to, at, n, *(number(kind, scratch, slot, i) for slot in (_COARSE, _FINE)))

            if single:
                choose(number(kind, scratch, _QUICK, i) > 0.0, quick, careful)
            else:
                careful()

        repeat(0, count, row)

    repeat(span.first, span.last, rows, step=few)


def _subtract(kind: Any, dst: Any, src: Any, row: Row) -> Any:
    """The last stage for a few long rows, each spread over threads; the bits are those of `_log_softmax_rows`."""
    m, log_of_sum = log_sum_of_blocks(kind, row)
    to = dst + row.index * row.n * itemsize(kind)
    single = computed_as(kind.type) == types.float32
    parts: Any = _parts(m, log_of_sum) if single else None

    def subtract_block(block: Any) -> None:
        (at, n), (place, _) = part_of(kind, src, row.n, block), part_of(kind, to, row.n, block)

        def careful() -> None:
            _careful_row(kind, place, at, n, m, log_of_sum)

        if single:
            coarse, fine, quick = parts
            choose(quick, lambda: _quick_row(kind, place, at, n, coarse, fine), careful)
        else:
            careful()

    return subtract_block


_FEW_LONG_ROWS = OverBlocks(add_block, add_block_again, _subtract)


@traced
def _log_softmax_tile(kind: Any, at: Any, n: Any, width: Any) -> None:
    """Columns of `n` numbers, in place."""
    along = width * itemsize(kind)

    def columns(column: Any) -> None:
        top_of = at + column * itemsize(kind)
        m, log_of_sum = log_sum_of_columns(lambda k: load(kind, top_of + k * along), n, top_of)

        def subtract(less: Any) -> None:
            def one(k: Any) -> None:
                place = top_of + k * along
                store(kind, place, less(load(kind, place)))

            repeat(0, n, one)

        def careful(x: Any) -> Any:
            return _in_float64(x, m, log_of_sum)

        if m.scalar == types.float32:
            coarse, fine, quick = _parts(m, log_of_sum)

            def either(x: Any) -> Any:
                return where(quick, _less(x, coarse, fine), careful(x))

            all_quick = all_set(quick)
            choose(all_quick, lambda: subtract(lambda x: _less(x, coarse, fine)), lambda: subtract(either))
        else:
            subtract(careful)

    repeat(0, width, columns, step=lanes(kind))


_KERNELS = kernels_of(_log_softmax_rows, _log_softmax_tile)
_SMALL = _KERNELS.small


def log_softmax(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Logarithm of the softmax along an axis: ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank from 1, any strides.
    axis : int
        The axis along which the exponentials of the results sum to one; NumPy's meaning and errors.
    temperature : float
        Above 0 and finite; `x` is divided by it, without rounding the quotient to the dtype of `x`.
    where : array of bool, optional
        What counts, broadcast against `x`; what does not is −inf in the result, and so is a row with nothing left.
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
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values stays −inf.
    The same bits for any number of threads.

    Error: at most 1 ULP in float32, 2 in float64 and 0.51 in halves, also right beside zero
    (``tests/numba_kernels/test_accuracy.py``). ``(x - max) - log1p(sum of the others)`` in float64.
    Source: ``ai.onnx@13::LogSoftmax``.
    """
    if where is not None or temperature != 1.0:
        return tempered("log_softmax", x, axis, temperature, where, out)
    result = _SMALL.call(x, axis, out)
    return along_axis("log_softmax", _KERNELS, x, axis, out, _FEW_LONG_ROWS) if result is None else result
