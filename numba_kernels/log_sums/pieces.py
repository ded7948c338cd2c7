"""A row that lies in pieces: what each piece is to give, how that merges, and what a piece does with the result.

    of a piece      m = max(x), others = sum(exp((x - m) / T)) without one term of x = m
    of all pieces   M = max(m), others = sum((1 + others of a piece) * exp((m - M) / T)) without one term of x = M
    of a piece      p = exp((x - M) / T) / (1 + others), or its logarithm

The maximum's own term, which is 1, stays out of the sums, so that they keep their relative precision where one number
outweighs all others: log(1 + others) is right beside 0, and others / (1 + others) is 1 - p of the maximum.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..compile.arithmetic import own_arithmetic
from ..compile.kernels import Kernels
from ..numerics.exp_below import exp_below, exp_of_pair
from ..numerics.log import log1p_vector
from ..numerics.sums import reciprocal, two_sum
from ..rowwise.gather import Batch, reading, run_reading, run_writing, writing
from ..rowwise.rows import is_nan, nan_at, row_maximum
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    fma,
    full,
    load_scalar,
    loop,
    narrow,
    outlined,
    splat,
    store_scalar,
    when,
    where,
    widen,
)
from .robust import sum_of_others
from .tempered import options_for, quotient_by, sum_of_others_by


class Sums(NamedTuple):
    """Of lines: their maxima, and the sums of the others' exponentials; float64, 16 bytes a line.

    (NaN, NaN) with a NaN, (+inf, NaN) with a +inf, (−inf, −1) of nothing but −inf and of nothing at all.
    """

    maximum: Array
    others: Array


def _sums_lines(dst: Any, batch: Batch, options: Any) -> None:
    kind, n = batch.kind, batch.n
    maxima, sums = dst
    with loop(0, batch.count) as i:
        row, line = batch.address + i * batch.stride, batch.index + i
        m = row_maximum(kind, row, n)
        result = Variable(widen(m), _sum(kind, row, n, m, options))
        _, others = result.value
        with when(is_nan(others)):
            has_nan = nan_at(kind, row, n) < n
            only_lowest = (m < 0.0) & (has_nan == 0)
            result.value = where(has_nan, np.nan, widen(m)), where(only_lowest, -1.0, others)
        for place, number in zip((maxima, sums), result.value, strict=True):
            store_scalar(number, place + line * 8, number)


def _sum(kind: Any, row: Any, n: Any, m: Any, options: Any) -> Any:
    result = Variable(n.constant(0.0, types.float64))
    with when(options == 0) as otherwise:
        high, low = sum_of_others(kind, row, n, m)
        result.value = high + low
    with otherwise:
        high, low = sum_of_others_by(kind, row, n, full(kind, m), options)
        result.value = high + low
    return result.value


def _facts(index: Any, *places: Any) -> list[Any]:
    """The float64 numbers of a line."""
    return [load_scalar(index.constant(0.0, types.float64), place + index * 8) for place in places]


def _share_line(
    kind: Any, dst: Any, src: Any, n: Any, index: Any, maxima: Any, sums: Any, factors: Any, options: Any
) -> None:
    _write_shares(kind, dst, src, n, *_facts(index, maxima, sums, factors), options)


@outlined
def _write_shares(
    kind: Any, dst: Any, src: Any, n: Any, m: Any, others: Any, factor: Any, options: Any
) -> None:
    """factor · exp((x − m) / T) / (1 + others) of a piece of a row."""
    total, error = two_sum(splat(others, 1.0), others)
    first, second = (each * factor for each in reciprocal(total, total, error))
    m = full(kind, narrow(kind, m))
    with when(options == 0) as otherwise:
        for part in slices(kind, n):
            e = exp_below(part.load(src), m)
            part.store(dst, narrow(m, fma(e, first, e * second)))
    with otherwise:
        for part in slices(kind, n):
            e = exp_of_pair(*quotient_by(part.load(src), m, options))
            part.store(dst, narrow(m, fma(e, first, e * second)))


def _log_line(
    kind: Any, dst: Any, src: Any, n: Any, index: Any, maxima: Any, sums: Any, options: Any
) -> None:
    _write_logs(kind, dst, src, n, *_facts(index, maxima, sums), options)


@outlined
def _write_logs(kind: Any, dst: Any, src: Any, n: Any, m: Any, others: Any, options: Any) -> None:
    """(x − m) / T − log(1 + others) of a piece of a row."""
    log_of_sum, m = log1p_vector(others, splat(others, 0.0)), full(kind, narrow(kind, m))
    with when(options == 0) as otherwise:
        for part in slices(kind, n):
            part.store(dst, narrow(m, (widen(part.load(src)) - widen(m)) - log_of_sum))
    with otherwise:
        for part in slices(kind, n):
            quotient, rest = quotient_by(part.load(src), m, options)
            # of −inf the rest is NaN
            part.store(dst, narrow(m, (quotient - log_of_sum) + where(quotient == -np.inf, 0.0, rest)))


_SUMS, _SHARES, _LOGS = reading(_sums_lines), writing(_share_line), writing(_log_line)


def sums_of_piece(x: Array, axis: int = -1, temperature: float = 1.0) -> Sums:
    """The sums of the lines of a piece along an axis.

    `others` is within 2⁻³⁹ for float32 and halves at temperature 1, else 2 ULP.
    """
    axis %= x.ndim
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    sums = Sums(np.full(shape, -np.inf), np.full(shape, -1.0))
    if x.size:
        options = _options(temperature, x.dtype)
        run_reading(_SUMS, x, axis, tuple(map(address, sums)), address(options) if options.size else 0)
    return sums


def _options(temperature: float, dtype: np.dtype[Any]) -> Array:
    """What `quotient_by` reads, nothing where nothing is divided."""
    return np.zeros(0) if temperature == 1.0 else options_for(temperature, dtype)


def merged_sums(sums: Sums, temperature: float = 1.0) -> Sums:
    """The sums of lines from those of their pieces, which lie along the last axis, in their order.

    Of k pieces the relative error of `others` grows by (k + 4) · 2⁻⁵³ at the most.
    """
    maxima, others = (in_c_order(each) for each in sums)
    weights, tops = weights_of_pieces(Sums(maxima, others), temperature)
    with own_arithmetic():
        own = np.zeros(maxima.shape, bool)
        np.put_along_axis(own, np.argmax(maxima, -1)[..., None], True, -1)
        terms = np.where(own, others, weights)
        total = terms[..., 0].copy()
        for k in range(1, terms.shape[-1]):
            total += terms[..., k]
        return Sums(tops, np.where(np.isneginf(tops), -1.0, np.where(np.isfinite(tops), total, np.nan)))


def weights_of_pieces(sums: Sums, temperature: float = 1.0) -> tuple[Array, Array]:
    """(1 + others) · exp((m − M) / T) of pieces along the last axis, and the maxima M; NaN where M is not finite."""
    with own_arithmetic():
        tops = np.max(sums.maximum, axis=-1)
    return shares_of_piece(in_c_order(sums.maximum), Sums(tops, np.zeros(tops.shape)), -1, temperature) * (
        1.0 + sums.others
    ), tops


def shares_of_piece(
    x: Array,
    sums: Sums,
    axis: int = -1,
    temperature: float = 1.0,
    factors: Array | None = None,
    out: Array | None = None,
) -> Array:
    """The softmax of a piece of lines from the sums of the whole lines, times a factor for each line."""
    scales = np.ones(sums.others.shape) if factors is None else factors
    return _written(_SHARES, x, (*sums, scales), axis, temperature, out)


def log_shares_of_piece(x: Array, sums: Sums, axis: int = -1, temperature: float = 1.0) -> Array:
    """The log_softmax of a piece of lines from the sums of the whole lines."""
    return _written(_LOGS, x, sums, axis, temperature, None)


def _written(
    kernels: Kernels, x: Array, facts: tuple[Array, ...], axis: int, temperature: float, out: Array | None
) -> Array:
    if x.size == 0:
        return np.empty(x.shape, x.dtype)
    given, options = [in_c_order(each, np.float64) for each in facts], _options(temperature, x.dtype)
    places = (*map(address, given), address(options) if options.size else 0)
    result = run_writing(kernels, x, axis % x.ndim, out, *places)
    del given, options  # the kernel read them until here
    return result
