"""
How far a right result may be from the exact one: bounds derived for the plain way of computing it.

u is the unit roundoff, half the spacing at 1. A runtime that evaluates the textbook formula in the dtype of
the result, with functions good to 2 ULP (4u), is within these bounds; they are first-order in u.

Sums. A sum of n rounded terms in any order is off by at most n·u times the sum of the terms' magnitudes, and
by more than 6·√n·u only with a probability below 4e-8, where rounding errors are independent and of mean 0
(Higham and Mary, doi:10.1137/18M1226312). So S(n) = min(n, 6·√n) roundings are allowed for.

Softmax. y = exp(d) / Σ exp(d) with d = x − max x. Rounding d shifts exp(d) by |d|·u, relatively; in the sum
these shifts are weighted by y, and Σ y·|d| ≤ ln n. With exp twice, the sum and the division:
|y' − y| ≤ (|d| + ln n + S(n) + 12)·u·y.

LogSoftmax. y = d − log Σ exp(d): |y' − y| ≤ (|d| + |y| + 5·ln n + S(n) + 8)·u, absolute, since the logarithm
turns the sum's relative error into an absolute one and is itself off by 4u·ln n at most.

Sigmoid. y = 1 / (1 + exp(−x)): |y' − y| ≤ 12·u·y. Hardmax is exact.

Below the smallest normal number t a result may be flushed to zero or stop shrinking: anything of at most 2·t
is taken there, except where −inf makes the exact result 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator
from softops.opset.operators.axis import along

from .ulp import Doubles, smallest_normal, spacing, unit_roundoff

_PART = 2**22
"""How many numbers of a matrix are widened at a time."""

JUDGED = ("Softmax", "LogSoftmax", "Hardmax", "Sigmoid")
"""The operators that `family_allowance` has a bound for."""


def summed(count: float) -> float:
    """S(n): how many roundings ``count`` of them add up to."""
    return float(min(count, 6 * count**0.5))


def family_allowance(
    operator: Operator,
    x: NDArray[Any],
    exact: NDArray[np.longdouble],
    axis: int | None,
    given: Doubles | None = None,
) -> Doubles:
    """
    Return how far each element of a result may be from ``exact``.

    Parameters
    ----------
    operator, axis
        The row of the operator table, and the node's axis or None for its default.
    x, exact
        The operator's input, and its exact output.
    given
        How far ``x`` itself may be from its exact value, element by element; 0 by default.
    """
    if operator.op_type == "Hardmax":
        return np.zeros(exact.shape)
    u = unit_roundoff(x.dtype)
    wide = x.astype(np.float64)
    size = np.nan_to_num(np.abs(exact).astype(np.float64), nan=0, posinf=0)
    shift = np.zeros(exact.shape) if given is None else given
    if operator.op_type == "Sigmoid":
        return _floored(12 * u * size + np.expm1(np.minimum(shift, 700)) * size, size, x)

    distance = np.nan_to_num(np.abs(_rows(operator, axis, wide, _below_largest)), nan=0, posinf=0)
    length = _rows(operator, axis, wide, lambda row, i: np.full(row.shape, float(row.shape[i])))
    terms = summed(length.flat[0]) if length.size else 0.0
    logarithm = np.log(np.maximum(length, 1))
    # Shifting every logit of a row by at most t changes each probability by a factor within exp(±2t).
    shift = 2 * _rows(operator, axis, shift, _largest)
    if operator.op_type == "LogSoftmax":
        return np.asarray((distance + size + 5 * logarithm + terms + 8) * u + shift)
    relative = (distance + logarithm + terms + 12) * u + np.expm1(np.minimum(shift, 700))
    return _floored(relative * size, size, x)


def loosely(expected: NDArray[Any], rtol: float, least: int = 1) -> Doubles:
    """
    Return how far a result of no known bound may be off: ``rtol`` of the largest of its row, or a ULP if more.

    ``least`` is how many numbers a row has at least: see `largest_of_rows`.
    """
    size = np.abs(expected.astype(np.float64))
    # A last rounding may fall either way: of bfloat16 that alone is more than 1e-3.
    ulp = np.nan_to_num(spacing(expected, expected.dtype).astype(np.float64), nan=0, posinf=0)
    return np.maximum(rtol * largest_of_rows(np.where(np.isfinite(size), size, 0), least), ulp)


def largest_of_rows(size: Doubles, least: int = 1) -> Doubles:
    """Return the largest of each row in the place of each of its elements; a row is as many last axes as it takes."""
    axes, count = list[int](), 1
    while len(axes) < size.ndim and (not axes or count < least):
        axes.append(size.ndim - 1 - len(axes))
        count *= size.shape[axes[-1]]
    if not axes or not size.size:
        return size
    return np.broadcast_to(size.max(tuple(axes), keepdims=True), size.shape)


def row_totals(operator: Operator, axis: int | None, x: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each row in the place of each of its elements, in ``np.longdouble``."""
    return _rows(operator, axis, x.astype(np.longdouble), _total)


def _rows(operator: Operator, axis: int | None, x: NDArray[Any], function: Any) -> NDArray[Any]:
    assert operator.axis_rule is not None
    assert operator.default_axis is not None
    return along(operator.axis_rule, function, x, operator.default_axis if axis is None else axis)


def _total(x: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.broadcast_to(x.sum(axis, keepdims=True), x.shape)


def _largest(x: Doubles, axis: int) -> Doubles:
    return np.broadcast_to(x.max(axis, keepdims=True, initial=0), x.shape)


def _below_largest(x: Doubles, axis: int) -> Doubles:
    if not x.shape[axis]:
        return x
    with np.errstate(invalid="ignore"):
        return np.asarray(x - x.max(axis, keepdims=True))


def _floored(allowance: Doubles, size: Doubles, x: NDArray[Any]) -> Doubles:
    tiny = smallest_normal(x.dtype)
    return np.where((size < tiny) & ~np.isneginf(x.astype(np.float64)), 2 * tiny, allowance)
