"""
The oracle in arbitrary precision, for results that are to be rounded to float64.

Each function takes a float64 array and returns an object array of mpmath numbers, from the textbook formula
in 300 bits, or more exactly where the formula asks for it: some 50 us an element. `to_odd` makes longdouble
of them in such a way that rounding that to float64 is the one rounding of the exact value.

Special values are those of `softops.opset.reference`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses import reduced_losses
from .softmax import MANTISSA_BITS

Exact = NDArray[np.object_]
PRECISION = 300
"""Bits: far beyond 2 * 53 + 11, up to which sums and differences of results can cancel."""

_FARTHEST = 16400
"""Numbers of a binary exponent beyond that are 0 or infinite in float64 by far, and in longdouble."""


def softmax(x: NDArray[np.float64], axis: int) -> Exact:
    """exp(x) / sum exp(x)."""

    def line(mp: Any, values: list[Any]) -> list[Any]:
        largest = max(values)
        if not mp.isfinite(largest) or any(map(mp.isnan, values)):
            return [mp.nan] * len(values)
        terms = [mp.exp(value - largest) for value in values]
        total = mp.fsum(terms)
        return [term / total for term in terms]

    return _over_lines(line, x, axis)


def log_softmax(x: NDArray[np.float64], axis: int) -> Exact:
    """x - log sum exp(x)."""

    def line(mp: Any, values: list[Any]) -> list[Any]:
        largest, rest = _largest_and_rest(mp, values)
        if not mp.isfinite(largest):
            return [mp.nan] * len(values)
        return [value - largest - mp.log1p(rest) for value in values]

    return _over_lines(line, x, axis)


def logsumexp(x: NDArray[np.float64], axes: tuple[int, ...], *, keepdims: bool = False) -> Exact:
    """log sum exp(x)."""
    import mpmath as mp

    kept = tuple(d for d in range(x.ndim) if d not in axes)
    count = int(np.prod([x.shape[d] for d in axes]))
    lines = x.transpose(kept + axes).reshape(*(x.shape[d] for d in kept), count)
    result = np.empty(lines.shape[:-1], object)
    with mp.workprec(PRECISION):
        for place in np.ndindex(result.shape):
            values = list(map(mp.mpf, lines[place].tolist()))
            largest, rest = _largest_and_rest(mp, values) if values else (-mp.inf, mp.nan)
            result[place] = largest + mp.log1p(rest) if mp.isfinite(largest) else largest
    return np.asarray(np.expand_dims(result, axes) if keepdims else result)


def sigmoid(x: NDArray[np.float64]) -> Exact:
    """1 / (1 + exp(-x))."""
    return _elementwise(lambda mp, value: 1 / (1 + mp.exp(-value)), x)


def softplus(x: NDArray[np.float64]) -> Exact:
    """log(1 + exp(x))."""
    return _elementwise(lambda mp, value: max(value, mp.mpf(0)) + mp.log1p(mp.exp(-abs(value))), x)


def cross_entropy(logits: NDArray[np.float64], labels: NDArray[Any], **options: Any) -> Exact:
    """-weight[label] log_softmax(logits)[label] along axis 1; options and reductions are those of `nll_loss`."""
    return _losses(log_softmax(logits, 1), labels, **options)


def nll_loss(log_prob: NDArray[np.float64], labels: NDArray[Any], **options: Any) -> Exact:
    """-weight[label] log_prob[label] along axis 1, each, or their sum or mean."""
    return _losses(_exactly(log_prob), labels, **options)


def to_odd(function: Callable[..., Exact]) -> Callable[..., NDArray[np.longdouble]]:
    """
    Make a function return longdouble, an inexact one with an odd last bit (see `rounding.rounded`).

    Where longdouble is float64 there are no bits to spare, and each number is rounded to nearest.
    """

    @wraps(function)
    def odd(*arrays: Any, **options: Any) -> NDArray[np.longdouble]:
        exact = function(*arrays, **options)
        return np.array([_to_odd(value) for value in exact.ravel()], np.longdouble).reshape(exact.shape)

    return odd


def cut_off(function: Callable[..., Exact]) -> Callable[..., NDArray[Any]]:
    """Make a function of integers return its dtype: what it is worth cut off towards zero, kept in range."""

    @wraps(function)
    def cut(x: NDArray[Any], *arrays: Any, **options: Any) -> NDArray[Any]:
        import mpmath as mp

        limits = np.iinfo(x.dtype)
        exact = function(x, *arrays, **options)
        whole = [
            min(max(int(value), limits.min), limits.max) if mp.isfinite(value) else limits.min
            for value in exact.ravel()
        ]
        return np.array(whole, x.dtype).reshape(exact.shape)

    return cut


def _to_odd(value: Any) -> np.longdouble:
    import mpmath as mp

    if not mp.isfinite(value):
        return np.longdouble(float(value))
    magnitude, exponent = (int(part) for part in value.man_exp)
    sign = -1 if value < 0 else 1
    excess = magnitude.bit_length() - MANTISSA_BITS
    if not -_FARTHEST <= excess + exponent <= _FARTHEST:
        return np.longdouble(0.0 if exponent < 0 else sign * np.inf)
    if MANTISSA_BITS < 64:
        try:
            return np.longdouble(float(sign * Fraction(magnitude) * Fraction(2) ** exponent))
        except OverflowError:
            return np.longdouble(sign * np.inf)
    if excess > 0:
        lost = magnitude & ((1 << excess) - 1)
        magnitude = magnitude >> excess | bool(lost)
        exponent += excess
    return np.longdouble(np.ldexp(np.longdouble(sign * magnitude), exponent))


def _largest_and_rest(mp: Any, values: list[Any]) -> tuple[Any, Any]:
    """The largest value, NaN if there is one, and the sum of the others' exp(value - largest)."""
    if any(map(mp.isnan, values)):
        return mp.nan, mp.nan
    first = values.index(max(values))
    largest = values[first]
    if not mp.isfinite(largest):
        return largest, mp.nan
    others = values[:first] + values[first + 1 :]
    return largest, mp.fsum(mp.exp(value - largest) for value in others)


def _over_lines(line: Callable[[Any, list[Any]], list[Any]], x: NDArray[np.float64], axis: int) -> Exact:
    import mpmath as mp

    result = np.empty(x.shape, object)
    if not x.size:
        return result
    source, target = np.moveaxis(x, axis, -1), np.moveaxis(result, axis, -1)
    with mp.workprec(PRECISION):
        for place in np.ndindex(source.shape[:-1]):
            target[place] = line(mp, list(map(mp.mpf, source[place].tolist())))
    return result


def _elementwise(function: Callable[[Any, Any], Any], x: NDArray[np.float64]) -> Exact:
    import mpmath as mp

    result = np.empty(x.shape, object)
    with mp.workprec(PRECISION):
        for place in np.ndindex(x.shape):
            value = mp.mpf(float(x[place]))
            result[place] = value if mp.isnan(value) else function(mp, value)
    return result


def _exactly(x: NDArray[np.float64]) -> Exact:
    return _elementwise(lambda mp, value: value, x)


def _losses(
    log_prob: Exact,
    labels: NDArray[Any],
    *,
    weight: NDArray[np.float64] | None,
    ignore_index: int | None,
    reduction: str,
) -> Exact:
    import mpmath as mp

    weights = _exactly(np.ones(log_prob.shape[1]) if weight is None else weight)
    with mp.workprec(PRECISION):
        losses = np.asarray(reduced_losses(log_prob, labels, 1, weights, ignore_index, reduction), object)
        for place in np.ndindex(losses.shape):  # ignored ones are a plain 0
            losses[place] = mp.mpf(losses[place])
        return losses
