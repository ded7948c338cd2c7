"""sparsemax and entmax15: between softmax and hardmax, exactly 0 for scores far enough below the maximum.

    threshold = -1
    until the terms sum to one:
        g = max((x - max(x)) * scale - threshold, 0)
        threshold += (sum(term(g)) - 1) / sum(slope(g))
    p = term(g)

What the sum exceeds one by is a convex, falling function f of the threshold, so Newton's steps from below stay below
the root, and at each of them ``f'/f + slope'/slope ≤ 1`` (new over old): their product falls to a quarter or less.
From n · n down to the rounding of the sum that takes at most 25 + log₂ n steps, whatever the scores; some 5 for most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Float
from ..arrays.operators import AlongAxis
from ..numerics.sums import reduce_add, reduce_add_pairs, two_sum
from ..rowwise.kernels import each_row, kernels_of
from ..rowwise.rows import nan_at, row_maximum
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    any_set,
    full,
    load,
    loop,
    narrow,
    outlined,
    splat,
    store,
    where,
    widen,
)

# The rounding of the terms leaves the sum uncertain by less: no threshold is better than one this close.
_CLOSE = 2.0**-51
# For rows of 2³¹ numbers.
_STEPS = 57
# In float32 alone a term is off by less than this, relative to the slope of the sum.
_ROUGH = 2.0**-22


@dataclass(frozen=True)
class _Terms:
    """What a score adds, that is g above the threshold: g² of half of it to entmax15 (`halved`), g to sparsemax."""

    halved: bool

    @property
    def scale(self) -> float:
        return 0.5 if self.halved else 1.0

    def above(self, x: Any, m: Any, high: Any, low: Any) -> Any:
        """(x − m) · scale − (high + low), rounded to float64 once; 0 where that is negative, x is −inf or NaN."""
        d, lost = two_sum(widen(x), -m)
        g, rest = two_sum(d * self.scale, -high)
        g = g + (rest + (lost * self.scale - low))
        return where(g > 0.0, g, 0.0)

    def value(self, g: Any) -> Any:
        return g * g if self.halved else g

    def slope(self, g: Any) -> Any:
        return g + g if self.halved else where(g > 0.0, splat(g, 1.0), 0.0)


class _Sum:
    """The sum of terms in two parts, and of their slopes, lane by lane."""

    def __init__(self, terms: _Terms, zero: Any) -> None:
        self._terms, self._sums = terms, Variable(zero, zero, zero)

    def add(self, g: Any) -> None:
        total, lost, slope = self._sums.value
        total, error = two_sum(total, self._terms.value(g))
        self._sums.value = total, lost + error, slope + self._terms.slope(g)

    def per_lane(self) -> Any:
        """(total, what it lost, slope)."""
        return self._sums.value


def _row(terms: _Terms, kind: Any, dst: Any, src: Any, n: Any) -> None:
    """A row, in place or not."""
    zero = widen(full(kind, 0.0))
    m = widen(row_maximum(kind, src, n))
    m_v = splat(zero, m)
    threshold = Variable(_rough_threshold(terms, kind, src, n, m), m.constant(0.0))
    with loop(0, n.constant(_STEPS)) as step:
        high, low = threshold.value
        high_v, low_v, sums = splat(zero, high), splat(zero, low), _Sum(terms, zero)
        for part in slices(kind, n):
            sums.add(terms.above(part.load(src, -np.inf), m_v, high_v, low_v))
        total, lost, slope = sums.per_lane()
        total, lost = reduce_add_pairs(total, lost)
        excess = (total - 1.0) + lost
        high, error = two_sum(high, excess / reduce_add(slope))
        threshold.value = high, low + error
        step.leave_if(~(abs(excess) > _CLOSE))
    high_v, low_v = (splat(zero, half) for half in threshold.value)
    # 0, or NaN for the whole row
    spoil = splat(zero, where(nan_at(kind, src, n) == n, m - m, np.nan))
    for part in slices(kind, n):
        x = part.load(src)
        part.store(dst, narrow(x, terms.value(terms.above(x, m_v, high_v, low_v)) + spoil))


def _rough_threshold(terms: _Terms, kind: Any, src: Any, n: Any, m: Any) -> Any:
    """A threshold below the right one, from terms in the computing type: three roundings each.

    These steps cost little. They go on to where the rounding of the terms counts.
    """
    zero = full(kind, 0.0)
    top, threshold = splat(zero, m), Variable(m.constant(-1.0))
    with loop(0, n.constant(_STEPS)) as step:
        base, sums = splat(zero, threshold.value), Variable(widen(zero), widen(zero))
        for part in slices(kind, n):
            g = (part.load(src, -np.inf) - top) * terms.scale - base
            g = where(g > 0.0, g, 0.0)
            total, slope = sums.value
            sums.value = total + widen(terms.value(g)), slope + widen(terms.slope(g))
        total, slope = (reduce_add(each) for each in sums.value)
        step.leave_if(~(total - 1.0 > 2.0**-6 + 2 * _ROUGH * slope))
        threshold.value += (total - 1.0) / slope - _ROUGH
    return threshold.value


def _columns(terms: _Terms, kind: Any, x: Any, n: Any, stride: Any) -> None:
    """A vector of columns of n numbers, in place; each stops at its own step, whatever its neighbours do."""
    first = load(kind, x)
    extremes = Variable(first, splat(first, 0.0))
    with loop(0, n) as k:
        number, (top, nan) = load(kind, x + k * stride), extremes.value
        extremes.value = where(number > top, number, top), where(number == number, nan, number)
    top, nan = extremes.value
    m = widen(top)
    zero, spoil = splat(m, 0.0), (m - m) + widen(nan)

    newton = Variable(zero - 1.0, zero, 1.0 + spoil)
    with loop(0, n.constant(_STEPS)) as step:
        high, low, excess = newton.value
        going = abs(excess) > _CLOSE
        step.leave_if(~any_set(going))
        sums = _Sum(terms, zero)
        with loop(0, n) as k:
            sums.add(terms.above(load(kind, x + k * stride), m, high, low))
        total, lost, slope = sums.per_lane()
        excess = where(going, (total - 1.0) + lost, excess)
        higher, error = two_sum(high, excess / slope)
        newton.value = where(going, higher, high), where(going, low + error, low), excess
    high, low, _ = newton.value

    with loop(0, n) as k:
        number = load(kind, x + k * stride)
        p = terms.value(terms.above(number, m, high, low)) + spoil
        store(kind, x + k * stride, narrow(number, p))


def _operator(name: str, terms: _Terms) -> AlongAxis:
    @outlined
    def row(kind: Any, dst: Any, src: Any, n: Any) -> None:
        _row(terms, kind, dst, src, n)

    def columns(kind: Any, x: Any, n: Any, stride: Any) -> None:
        _columns(terms, kind, x, n, stride)

    return AlongAxis(name, kernels_of(each_row(row), columns, cost=10.0))


_SPARSEMAX = _operator("sparsemax", _Terms(halved=False))
_ENTMAX15 = _operator("entmax15", _Terms(halved=True))


@overload
def sparsemax(
    x: npt.NDArray[Float], axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def sparsemax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def sparsemax(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """The point of the probability simplex nearest to the scores along an axis: ``max(x - t, 0)`` with Σ = 1.

    Like softmax it is ordered as the scores are, does not change when all of them are shifted, and sums to one; unlike
    softmax it is exactly 0 for scores at or below the threshold t, which lies at most 1 below the maximum.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which the results sum to one, None for all; NumPy's meaning and errors.
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
        An axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives exactly
    0. The same bits for any number of threads.

    Error: at most half a unit (ULP) in float32, 0.51 in halves, in float64 4 ULP of the row's largest result
    (``tests/numba_kernels/sparse/test_entmax.py``). Computed in float64, the threshold and the sum in two parts each.
    Source: Martins and Astudillo, "From softmax to sparsemax", ICML 2016, arXiv:1602.02068.
    """
    return _SPARSEMAX.run(x, out, axis)


@overload
def entmax15(
    x: npt.NDArray[Float], axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def entmax15(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def entmax15(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = -1, *, out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """The 1.5-entmax along an axis: ``max(x / 2 - t, 0) ** 2`` with the threshold t at which it sums to one.

    Half way from softmax to `sparsemax`: smooth, and exactly 0 for scores that lie 2 or more below the maximum, or as
    much less as the other scores require.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes along which the results sum to one, None for all; NumPy's meaning and errors.
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
        An axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives exactly
    0. The same bits for any number of threads.

    Error: at most half a unit (ULP) in float32, 0.51 in halves, in float64 4 ULP of the row's largest result
    (``tests/numba_kernels/sparse/test_entmax.py``). Computed in float64, the threshold and the sum in two parts each.
    Source: Peters, Niculae and Martins, "Sparse sequence-to-sequence models", ACL 2019, arXiv:1905.05702.
    """
    return _ENTMAX15.run(x, out, axis)
