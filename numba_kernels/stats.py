"""softmax_stats and merge_stats: what a softmax needs to know of a row, also of one that lies in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays.addresses import Array, address
from .arrays.axes import axes_of, is_one_axis, merged
from .arrays.foreign import as_array
from .arrays.inputs import as_floats, check_axis
from .compile.arithmetic import own_arithmetic
from .numerics.exp_below import exp_of_pair
from .numerics.sums import add_compensated, reduce_add_pairs, two_sum
from .rowwise.gather import Batch, reading, run_reading
from .rowwise.rows import is_nan, nan_at, row_maximum
from .rowwise.slices import slices
from .vector import Variable, full, itemsize, loop, splat, store_scalar, when, where, widen

Stats = tuple[Array, Array]


def _sum(kind: Any, src: Any, n: Any, m: Any) -> Any:
    """Σ exp(x − m) over a row with maximum m, right to the last place of float64 for every kind."""
    minus_m = widen(full(kind, -m))
    # above every summand (see `sums`)
    anchor = splat(minus_m, 2.0)
    sums = Variable(anchor, splat(anchor, 0.0))
    for part in slices(kind, n):
        e = exp_of_pair(*two_sum(widen(part.load(src, -np.inf)), minus_m))
        total, lost = sums.value
        sums.value = add_compensated(total, lost, e)
    total, lost = sums.value
    high, low = reduce_add_pairs(total - anchor, lost)
    return high + low


def _stats_lines(dst: Any, batch: Batch) -> None:
    kind, n = batch.kind, batch.n
    maxima, sums = dst
    with loop(0, batch.count) as i:
        row, line = batch.address + i * batch.stride, batch.index + i
        m = row_maximum(kind, row, n)
        result = Variable(m, _sum(kind, row, n, m))
        _, total = result.value
        with when(is_nan(total)):
            has_nan = nan_at(kind, row, n) < n
            only_lowest = (m < 0.0) & (has_nan == 0)
            result.value = where(has_nan, np.nan, m), where(only_lowest, 0.0, total)
        m, total = result.value
        store_scalar(batch.stored, maxima + line * itemsize(batch.stored), m)
        store_scalar(total, sums + line * 8, total)


_KERNELS = reading(_stats_lines)


def softmax_stats(x: npt.ArrayLike, axis: int | tuple[int, ...] | None = -1) -> Stats:
    """The maximum along an axis and ``sum(exp(x - maximum))``, the pair behind a softmax.

    Of a row that lies in pieces (chunks, files, machines) the pairs of the pieces are merged by `merge_stats`, in any
    order; each piece then has its probabilities without seeing the others::

        maximum, total = merge_stats(softmax_stats(left), softmax_stats(right))
        p_left = np.exp(left - maximum[..., None]) / total[..., None]

    and ``maximum + log(total)`` is the row's logsumexp.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    axis : int, tuple of int, or None
        The axes of the softmax, None for all; NumPy's meaning and errors.

    Returns
    -------
    maximum : array of the dtype of `x`, without `axis`; a scalar where no axis is left
    sum : array of float64 of the same shape

    Raises
    ------
    TypeError
        Another dtype.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        An axis twice.

    Notes
    -----
    Special values: (NaN, NaN) for a row with a NaN; (+inf, NaN) for one with +inf, whose probabilities are all NaN;
    (−inf, 0) for an empty row and for nothing but −inf, which leaves another piece as it is.

    Error: the maximum is exact, the sum within 2 ULP of float64 whatever the dtype of `x`
    (``tests/numba_kernels/test_stats.py``).

    Examples
    --------
    >>> maximum, total = softmax_stats(np.array([[1.0, 2.0, 3.0]]))
    >>> maximum, total.round(4)
    (array([3.]), array([1.5032]))
    """
    name = "softmax_stats"
    x = as_floats(name, x)
    if not is_one_axis(x, axis):
        x, axis = merged(x, axes_of(x, axis)), -1
    axis = check_axis(name, x, axis)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    largest, sums = np.full(shape, -np.inf, x.dtype), np.zeros(shape)
    if x.size:
        run_reading(_KERNELS, x, axis, (address(largest), address(sums)))
    return (largest, sums) if shape else (largest[()], sums[()])


def merge_stats(a: tuple[npt.ArrayLike, npt.ArrayLike], b: tuple[npt.ArrayLike, npt.ArrayLike]) -> Stats:
    """The pair of a row from those of two pieces of it (see `softmax_stats`).

    Parameters
    ----------
    a, b : pairs of arrays (maximum, sum)
        What `softmax_stats` or `merge_stats` gave for the pieces; all of one shape, the maxima of one dtype.

    Returns
    -------
    maximum, sum : as `softmax_stats`

    Raises
    ------
    TypeError
        Maxima of two dtypes, or of one that is not a float.
    ValueError
        Shapes that differ.

    Notes
    -----
    Special values as of the whole row: a NaN or +inf in a piece makes the sum NaN, a piece of −inf alone adds nothing.
    The maximum is exact, and each merging adds 2 ULP of float64 at the most to the error of the sum.

    Examples
    --------
    >>> left, right = np.array([1.0, 2.0]), np.array([3.0])
    >>> maximum, total = merge_stats(softmax_stats(left), softmax_stats(right))
    >>> print(f"{maximum + np.log(total):.4f}")  # logsumexp of 1, 2 and 3
    3.4076
    """
    name = "merge_stats"
    tops = [as_floats(name, part[0]) for part in (a, b)]
    with own_arithmetic():
        return _merged(name, tops, [part[1] for part in (a, b)])


def _merged(name: str, tops: list[Array], totals: list[Any]) -> Stats:
    sums = [as_array(name, total, "a sum").astype(np.float64) for total in totals]
    if tops[0].dtype != tops[1].dtype:
        message = f"{name} takes maxima of one dtype (got {tops[0].dtype} and {tops[1].dtype}); convert one"
        raise TypeError(message)
    shapes = [array.shape for array in (*tops, *sums)]
    if len(set(shapes)) > 1:
        message = f"{name} takes pairs of one shape (got {', '.join(map(str, shapes))})"
        raise ValueError(message)
    top = np.maximum(*tops)
    return top, _share(tops[0], sums[0], top) + _share(tops[1], sums[1], top)


def _share(own: Array, total: Array, top: Array) -> Any:
    """total · exp(own − top), with what the difference rounds off."""
    x, m = own.astype(np.float64), top.astype(np.float64)
    d = x - m
    back = d + m
    lost = (x - back) + ((back - d) - m)
    e = np.exp(d)
    e = e + e * np.where(np.isfinite(lost), lost, 0.0)
    return np.where(x == m, total, np.where(x == -np.inf, 0.0, total * e))
