"""sparsemax and entmax15: between softmax and hardmax, exactly 0 for scores far enough below the maximum.

Both are powers of ``x − threshold``, with the threshold at which they sum to one. What the sum exceeds one by is a
convex, falling function f of the threshold, so Newton's steps from below stay below the root, and at each of them
``f'/f + slope'/slope ≤ 1`` (new over old): their product falls to a quarter or less. From n · n down to the rounding of
the sum that takes at most 25 + log₂ n steps, whatever the scores; some 5 for most.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays.layout import AlongAxis
from .numerics.sums import added, fold, two_sum
from .rowwise.kernels import each_row, kernels_of
from .rowwise.rows import fold_row, map_row, nan_at, row_maximum
from .vector import (
    first_lane,
    itemsize,
    lanes,
    load,
    load_partial,
    narrow,
    outlined,
    splat,
    store,
    traced,
    where,
    widen,
)
from .vector.flow import choose, repeat

# The rounding of the terms leaves the sum uncertain by less: no threshold is better than one this close.
_CLOSE = 2.0**-51
# For rows of 2³¹ numbers.
_STEPS = 57
# In float32 alone a term is off by less than this, relative to the slope of the sum.
_ROUGH = 2.0**-22


@dataclass(frozen=True)
class _Terms:
    """What a score adds: to entmax15 (`halved`: the square of half of it) or to sparsemax."""

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

    def slope_of(self, g: Any) -> Any:
        return g + g if self.halved else where(g > 0.0, splat(g, 1.0), 0.0)

    def add(self, total: Any, lost: Any, slope: Any, g: Any) -> Any:
        total, error = two_sum(total, self.value(g))
        return total, lost + error, slope + self.slope_of(g)

    def rough_sum(self, kind: Any, src: Any, n: Any, m: Any, threshold: Any) -> Any:
        """(sum, slope) over a row, its terms in the computing type alone: three roundings each."""
        zero = splat(load_partial(kind, src, 0, 0.0), 0.0)
        top, base = splat(zero, m), splat(zero, threshold)

        def step(x: Any, total: Any, slope: Any) -> Any:
            g = (x - top) * self.scale - base
            g = where(g > 0.0, g, 0.0)
            return total + widen(self.value(g)), slope + widen(self.slope_of(g))

        total, slope = fold_row(kind, (src,), n, step, widen(zero), widen(zero), fill=-np.inf)
        return added(total), added(slope)


def _row_of(terms: _Terms) -> Any:
    """``row(kind, dst, src, n)``, in place or not."""

    @outlined
    def row(kind: Any, dst: Any, src: Any, n: Any) -> None:
        zero = widen(splat(load_partial(kind, src, 0, 0.0), 0.0))
        m = widen(row_maximum(kind, src, n))
        # NaN, for the whole row, or 0
        spoil = where(nan_at(kind, src, n) == n, m - m, np.nan)
        m_v = splat(zero, m)

        def rough(_: Any, high: Any, going: Any) -> Any:
            def step() -> Any:
                total, slope = terms.rough_sum(kind, src, n, m, high)
                # steps that cost little and stay below the root, up to where the rounding of their terms counts
                below = total - 1.0 > 2.0**-6 + 2 * _ROUGH * slope
                return where(below, high + ((total - 1.0) / slope - _ROUGH), high), below

            return choose(going, step, lambda: (high, going))

        def exact(_: Any, high: Any, low: Any, excess: Any) -> Any:
            def step() -> Any:
                def one(x: Any, total: Any, lost: Any, slope: Any) -> Any:
                    g = terms.above(x, m_v, splat(zero, high), splat(zero, low))
                    return terms.add(total, lost, slope, g)

                sums, lost, slope = fold_row(kind, (src,), n, one, zero, zero, zero, fill=-np.inf)
                total, rest = fold(sums, lost)
                over = (total - 1.0) + rest
                higher, error = two_sum(high, over / added(slope))
                return higher, low + error, over

            return choose(abs(excess) > _CLOSE, step, lambda: (high, low, excess))

        start = m.constant(-1.0)
        high, _ = repeat(0, n.constant(_STEPS), rough, start, n > 0)
        high, low, _ = repeat(0, n.constant(_STEPS), exact, high, m.constant(0.0), 1.0 + spoil)
        high_v, low_v, spoil_v = splat(zero, high), splat(zero, low), splat(zero, spoil)
        map_row(
            kind,
            dst,
            (src,),
            n,
            lambda x: narrow(x, terms.value(terms.above(x, m_v, high_v, low_v)) + spoil_v),
        )

    return row


def _tile_of(terms: _Terms) -> Any:
    @traced
    def tile(kind: Any, at: Any, n: Any, width: Any) -> None:
        """Columns of `n` numbers, in place; each column stops at its own step, whatever its neighbours do."""
        along, step = width * itemsize(kind), lanes(kind)

        def columns(column: Any) -> None:
            top_of = at + column * itemsize(kind)

            def extremes(k: Any, top: Any, seen: Any) -> Any:
                x = load(kind, top_of + k * along)
                return where(x > top, x, top), where(x == x, seen, x)

            first = load(kind, top_of)
            top, seen = repeat(0, n, extremes, first, splat(first, 0.0))
            m = widen(top)
            zero, spoil = splat(m, 0.0), (m - m) + widen(seen)

            def newton(_: Any, high: Any, low: Any, excess: Any) -> Any:
                going = abs(excess) > _CLOSE

                def round_of() -> Any:
                    def one(k: Any, total: Any, lost: Any, slope: Any) -> Any:
                        g = terms.above(load(kind, top_of + k * along), m, high, low)
                        return terms.add(total, lost, slope, g)

                    total, lost, slope = repeat(0, n, one, zero, zero, zero)
                    over = where(going, (total - 1.0) + lost, excess)
                    higher, error = two_sum(high, over / slope)
                    return where(going, higher, high), where(going, low + error, low), over

                return choose(first_lane(going) == step, lambda: (high, low, excess), round_of)

            high, low, _ = repeat(0, n.constant(_STEPS), newton, zero - 1.0, zero, 1.0 + spoil)

            def finish(k: Any) -> None:
                x = load(kind, top_of + k * along)
                store(kind, top_of + k * along, narrow(x, terms.value(terms.above(x, m, high, low)) + spoil))

            repeat(0, n, finish)

        repeat(0, width, columns, step=step)

    return tile


def _operator(name: str, terms: _Terms) -> AlongAxis:
    return AlongAxis(name, kernels_of(each_row(_row_of(terms)), _tile_of(terms)))


_SPARSEMAX = _operator("sparsemax", _Terms(halved=False))
_ENTMAX15 = _operator("entmax15", _Terms(halved=True))


def sparsemax(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The point of the probability simplex nearest to the scores along an axis: ``max(x - t, 0)`` with Σ = 1.

    Like softmax it is ordered as the scores are, does not change when all of them are shifted, and sums to one; unlike
    softmax it is exactly 0 for scores at or below the threshold t, which lies at most 1 below the maximum.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
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
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives exactly
    0. The same bits for any number of threads.

    Error: at most half a unit (ULP) in float32, 0.51 in halves, in float64 4 ULP of the row's largest result
    (``tests/numba_kernels/test_entmax.py``). Computed in float64, the threshold and the sum in two parts each.
    Source: Martins and Astudillo, "From softmax to sparsemax", ICML 2016, arXiv:1602.02068.
    """
    return _SPARSEMAX.run(x, out, axis)


def entmax15(x: npt.ArrayLike, axis: int = -1, *, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """The 1.5-entmax along an axis: ``max(x / 2 - t, 0) ** 2`` with the threshold t at which it sums to one.

    Half way from softmax to `sparsemax`: smooth, and exactly 0 for scores that lie 2 or more below the maximum, or as
    much less as the other scores require.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
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
    Special values: a row that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives exactly
    0. The same bits for any number of threads.

    Error: at most half a unit (ULP) in float32, 0.51 in halves, in float64 4 ULP of the row's largest result
    (``tests/numba_kernels/test_entmax.py``). Computed in float64, the threshold and the sum in two parts each.
    Source: Peters, Niculae and Martins, "Sparse sequence-to-sequence models", ACL 2019, arXiv:1905.05702.
    """
    return _ENTMAX15.run(x, out, axis)
