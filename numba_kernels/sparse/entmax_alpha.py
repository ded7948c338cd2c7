"""entmax of any alpha from 1 to 2: between softmax and sparsemax.

    b = 1 / (alpha - 1),  z = (alpha - 1) * (x - max(x)),  d = 0
    until the terms sum to one:
        g = max(1 + z - d, 0)
        d += (norm(g) - 1) / slope(norm(g))             norm(g) = sum(g ** b) ** (1 / b)
    p = g ** b

The norm is a convex, falling function of d, so Newton's steps from below stay below the root; where scores are equal it
is linear, and one step is enough. With the sum S of g^b and T of g^(b − 1) a step is S · (1 − S^(1 − alpha)) / T. As
1 + z − d is had by log1p, nothing cancels, however near to 1 alpha is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, Float, address
from ..arrays.axes import is_one_axis, over_axes
from ..arrays.inputs import as_floats, check_axis, check_out
from ..numerics.exp_below import exp_of_pair
from ..numerics.log import log1p_vector
from ..numerics.sums import PairSum, two_sum
from ..rowwise.gather import run_writing, writing
from ..rowwise.rows import nan_at, row_maximum
from ..rowwise.slices import slices
from ..softmax import softmax
from ..vector import Variable, fma, fma_exact, full, load_scalar, loop, narrow, splat, where, widen
from .alpha import checked_alpha
from .entmax import entmax15, sparsemax

# The rounding of the terms leaves the sum uncertain by as much.
_CLOSE = 2.0**-50
_STEPS = 100


class _Terms:
    """g^b of scores, from the maximum m, alpha − 1 and b as vectors."""

    def __init__(self, m: Any, less_one: Any, power: Any) -> None:
        self._minus_m, self._less_one, self._power = -m, less_one, power

    def of(self, x: Any, high: Any, low: Any) -> tuple[Any, Any]:
        """(g^b, g) of scores for d = high + low; of −inf, NaN and what is too low (0, 1)."""
        below, lost = two_sum(widen(x), self._minus_m)
        z = below * self._less_one
        rest = fma(lost, self._less_one, fma_exact(below, self._less_one, -z))
        u, error = two_sum(z, -high)
        rest = error + (rest - low)
        g = (1.0 + u) + rest
        left = g > 0.0
        g, u, rest = (where(left, part, other) for part, other in ((g, 1.0), (u, 0.0), (rest, 0.0)))
        log = log1p_vector(u, rest)
        t = log * self._power
        e = exp_of_pair(t, fma_exact(log, self._power, -t))
        return where(left, e, 0.0), g


def _row(kind: Any, dst: Any, src: Any, n: Any, _: Any, facts: Any) -> None:
    zero = widen(full(kind, 0.0))
    m = widen(row_maximum(kind, src, n))
    real = m.constant(0.0, types.float64)
    less_one, power = load_scalar(real, facts), load_scalar(real, facts + 8)
    terms = _Terms(splat(zero, m), splat(zero, less_one), splat(zero, power))
    newton = Variable(real, real, real.constant(np.inf))
    with loop(0, n.constant(_STEPS)) as step:
        d, rest, before = newton.value
        total, slopes = PairSum(zero), PairSum(zero)
        for part in slices(kind, n):
            e, g = terms.of(part.load(src, -np.inf), splat(zero, d), splat(zero, rest))
            total.add(e)
            slopes.add(e / g)
        high, low = total.over_lanes()
        excess = (high - 1.0) + low
        whole = _less(less_one * log1p_vector(excess, real))
        d, error = two_sum(d, (1.0 + excess) * whole / slopes.over_lanes()[0])
        newton.value = d, rest + error, excess
        step.leave_if(~(abs(excess) > _CLOSE) | ~(excess < before))
    d, rest, _ = newton.value
    # 0, or NaN for the whole row
    spoil = splat(zero, where(nan_at(kind, src, n) == n, m - m, np.nan))
    for part in slices(kind, n):
        x = part.load(src, -np.inf)
        e, _ = terms.of(x, splat(zero, d), splat(zero, rest))
        part.store(dst, narrow(x, e + spoil))


def _less(y: Any) -> Any:
    """1 − exp(−y) of a number that is not much below 0."""
    short = y * (1.0 - y * (0.5 - y * (1.0 / 6.0 - y * (1.0 / 24.0 - y * (1.0 / 120.0)))))
    return where(abs(y) < 2.0**-7, short, 1.0 - exp_of_pair(-abs(y), y - y))


_KERNELS = writing(_row, cost=40.0)


@overload
def entmax(
    x: npt.NDArray[Float],
    alpha: float,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def entmax(
    x: npt.ArrayLike,
    alpha: float,
    axis: int | tuple[int, ...] | None = ...,
    *,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def entmax(
    x: npt.ArrayLike,
    alpha: float,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """α-entmax along an axis: ``max((α - 1) * x - t, 0) ** (1 / (α - 1))`` with the t at which it sums to one.

    The family from softmax (α = 1) by `entmax15` (1.5) to `sparsemax` (2): the larger α, the more exact zeros.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores. Any rank, any strides; a scalar is a row of one.
    alpha : float
        From 1 to 2.
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
        Another dtype, or an alpha that is no number.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        An alpha below 1 or above 2, an axis twice, or an `out` of another shape or dtype.

    Notes
    -----
    For 1, 1.5 and 2 the results are those of `softmax`, `entmax15` and `sparsemax`, bit for bit. Special values: a row
    that holds a NaN or +inf, or nothing but −inf, is NaN; −inf beside finite values gives exactly 0. The same bits for
    any number of threads.

    Error: at most 0.51 ULP and 2⁻⁴⁸ in float16, bfloat16 and float32; in float64 6 ULP of the row's largest
    result (``tests/numba_kernels/sparse/test_entmax_alpha.py``). Computed in float64, by Newton's method: 3 to 12
    passes over a row, some 40 times the work of a softmax.
    Source: Peters, Niculae and Martins, "Sparse sequence-to-sequence models", ACL 2019, arXiv:1905.05702.
    """
    name = "entmax"
    given = checked_alpha(name, alpha)
    special: dict[float, Callable[..., Array]] = {1.0: softmax, 1.5: entmax15, 2.0: sparsemax}
    if given in special:
        return special[given](x, axis, out=out)
    scores = as_floats(name, x)
    if not is_one_axis(scores, axis):
        return over_axes(name, (scores,), axis, out, lambda lines, into: entmax(lines, given, out=into))
    place = check_axis(name, scores, axis)
    if out is not None:
        check_out(name, out, scores.shape, scores.dtype)
    if scores.size == 0:
        return np.empty(scores.shape, scores.dtype) if out is None else out
    facts: Array = np.array([given - 1.0, 1.0 / (given - 1.0)])
    result = run_writing(_KERNELS, scores, place, out, address(facts))
    del facts  # the kernel read it until here
    return result
