"""sparsemax and entmax15: between softmax and hardmax, exactly 0 for scores far enough below the maximum.

Both are powers of ``x − threshold``, with the threshold at which they sum to one. What the sum exceeds one by is a
convex, falling function f of the threshold, so Newton's steps from below stay below the root, and at each of them
``f'/f + slope'/slope ≤ 1`` (new over old): their product falls to a quarter or less. From n · n down to the rounding of
the sum that takes at most 25 + log₂ n steps, whatever the scores; some 5 for most.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import helper
from .layout import along_axis
from .lines import each_row, kernels_of
from .memory import load, load_first, store, store_first
from .rows import maximum, nan_at
from .simd import first_lane, itemsize, lanes, narrow, splat, where, widen
from .sums import fold, two_sum
from .trace import traced

# The rounding of the terms leaves the sum uncertain by less: no threshold is better than one this close.
_CLOSE = 2.0**-51
# For rows of 2³¹ numbers.
_STEPS = 57
# In float32 alone a term is off by less than this, relative to the slope of the sum.
_ROUGH = 2.0**-22


def _terms(halved: bool) -> Any:
    """What a score adds: to entmax15 (`halved`: the square of half of it) or to sparsemax."""
    scale = 0.5 if halved else 1.0

    @traced
    def above(x: Any, m: Any, high: Any, low: Any) -> Any:
        """(x − m) · scale − (high + low), rounded to float64 once; 0 where that is negative, x is −inf or NaN."""
        d, lost = two_sum(widen(x), 0.0 - m)
        g, rest = two_sum(d * scale, 0.0 - high)
        g = g + (rest + (lost * scale - low))
        return where(g > 0.0, g, 0.0)

    @traced
    def value(g: Any) -> Any:
        return g * g if halved else g

    @traced
    def slope_of(g: Any) -> Any:
        return g + g if halved else where(g > 0.0, splat(g, 1.0), 0.0)

    @traced
    def add_terms(total: Any, lost: Any, slope: Any, g: Any) -> Any:
        total, error = two_sum(total, value(g))
        return total, lost + error, slope + slope_of(g)

    @helper
    def rough_sum(kind: Any, src: Any, n: Any, m: Any, threshold: Any) -> Any:
        """(sum, slope) over a row, its terms in the computing type alone: three roundings each."""
        size, step = itemsize(kind), lanes(kind)
        zero = splat(load_first(kind, src, 0, 0.0), 0.0)
        top, base, factor = splat(zero, m), splat(zero, threshold), splat(zero, scale)
        total, slope = widen(zero), widen(zero)
        for i in range(0, n, step):
            at = src + i * size
            x = load(kind, at) if n - i >= step else load_first(kind, at, n - i, -np.inf)
            g = (x - top) * factor - base
            g = where(g > zero, g, zero)
            total, slope = total + widen(value(g)), slope + widen(slope_of(g))
        sums, _ = fold(total, splat(total, 0.0))
        slopes, _ = fold(slope, splat(slope, 0.0))
        return sums, slopes

    return above, value, add_terms, rough_sum


def _row_of(above: Any, value: Any, add_terms: Any, rough_sum: Any) -> Any:
    @helper
    def row(kind: Any, dst: Any, src: Any, n: Any) -> Any:
        size, step = itemsize(kind), lanes(kind)
        zero = widen(splat(load_first(kind, src, 0, 0.0), 0.0))
        m = np.float64(maximum(kind, src, n))
        # NaN, for the whole row, or 0
        spoil = m - m if nan_at(kind, src, n) == n else np.nan
        m_v, spoil_v = splat(zero, m), splat(zero, spoil)
        high, low, excess = -1.0, 0.0, 1.0 + spoil
        # steps that cost little and stay below the root, up to where the rounding of their terms counts
        for _ in range(_STEPS):
            total, slope = rough_sum(kind, src, n, m, high)
            if not total - 1.0 > 2.0**-6 + 2 * _ROUGH * slope:
                break
            high += (total - 1.0) / slope - _ROUGH
        for _ in range(_STEPS):
            if not abs(excess) > _CLOSE:
                break
            high_v, low_v = splat(zero, high), splat(zero, low)
            sums, lost, slope_v = zero, zero, zero
            for i in range(n // step):
                g = above(load(kind, src + i * step * size), m_v, high_v, low_v)
                sums, lost, slope_v = add_terms(sums, lost, slope_v, g)
            if n % step:
                at = src + (n - n % step) * size
                g = above(load_first(kind, at, n % step, -np.inf), m_v, high_v, low_v)
                sums, lost, slope_v = add_terms(sums, lost, slope_v, g)
            all_of, rest = fold(sums, lost)
            slopes, slopes_lost = fold(slope_v, zero)
            excess = (all_of - 1.0) + rest
            high, error = two_sum(high, excess / (slopes + slopes_lost))
            low = low + error
        high_v, low_v = splat(zero, high), splat(zero, low)
        for i in range(n // step):
            x = load(kind, src + i * step * size)
            y = value(above(x, m_v, high_v, low_v)) + spoil_v
            store(kind, dst + i * step * size, narrow(x, y))
        if n % step:
            at = (n - n % step) * size
            x = load_first(kind, src + at, n % step, -np.inf)
            y = value(above(x, m_v, high_v, low_v)) + spoil_v
            store_first(kind, dst + at, narrow(x, y), n % step)

    return row


def _tile_of(above: Any, value: Any, add_terms: Any, _: Any) -> Any:
    @helper
    def tile(kind: Any, at: Any, n: Any, width: Any) -> Any:
        """Columns of `n` numbers, in place; each column stops at its own step, whatever its neighbours do."""
        step, along = lanes(kind), width * itemsize(kind)
        for column in range(0, width, step):
            top_of = at + column * itemsize(kind)
            top = load(kind, top_of)
            seen = splat(top, 0.0)
            for k in range(n):
                x = load(kind, top_of + k * along)
                top, seen = where(x > top, x, top), where(x == x, seen, x)
            m = widen(top)
            zero, one, close = splat(m, 0.0), splat(m, 1.0), splat(m, _CLOSE)
            spoil = (m - m) + widen(seen)
            high, low, excess = zero - one, zero, one + spoil
            for _ in range(_STEPS):
                going = where(excess > zero, excess, zero - excess) > close
                if first_lane(going) == step:
                    break
                total, lost, slope = zero, zero, zero
                for k in range(n):
                    g = above(load(kind, top_of + k * along), m, high, low)
                    total, lost, slope = add_terms(total, lost, slope, g)
                excess = where(going, (total - one) + lost, excess)
                higher, error = two_sum(high, excess / slope)
                high, low = where(going, higher, high), where(going, low + error, low)
            for k in range(n):
                x = load(kind, top_of + k * along)
                store(kind, top_of + k * along, narrow(x, value(above(x, m, high, low)) + spoil))

    return tile


_SPARSEMAX = kernels_of(each_row(_row_of(*_terms(halved=False))), _tile_of(*_terms(halved=False)))
_ENTMAX15 = kernels_of(each_row(_row_of(*_terms(halved=True))), _tile_of(*_terms(halved=True)))


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
    return along_axis("sparsemax", _SPARSEMAX, x, axis, out)


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
    return along_axis("entmax15", _ENTMAX15, x, axis, out)
