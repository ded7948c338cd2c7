"""A polynomial of least error at Chebyshev points, its coefficients rounded to a type."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

_POINTS, _ROUNDS = 160, 12
# Points for rationals lie dense below this.
_SCALE = 3


class Wanted(NamedTuple):
    """What is to be fitted: Σ cₖ tᵏ beside `value`, each error times `weight`, where `at` is t."""

    value: Callable[[Any], Any]
    at: Callable[[Any], Any]
    weight: Callable[[Any], Any]
    limits: tuple[Any, Any]


class _Points(NamedTuple):
    t: list[Any]
    value: list[Any]
    weight: list[Any]


def _points(wanted: Wanted, count: int) -> _Points:
    low, high = map(mp.mpf, wanted.limits)
    places = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)
    ]
    return _Points(*([f(x) for x in places] for f in (wanted.at, wanted.value, wanted.weight)))


def _solved(points: _Points, powers: range, fixed: list[Any], emphasis: list[Any]) -> list[Any]:
    """The coefficients of these powers beside those that are fixed."""
    matrix, right = mp.matrix(len(points.t), len(powers)), mp.matrix(len(points.t), 1)
    for i, (t, value, weight) in enumerate(zip(*points, strict=True)):
        factor = weight * emphasis[i]
        for j, power in enumerate(powers):
            matrix[i, j] = factor * t**power
        right[i] = factor * (value - sum(c * t**k for k, c in enumerate(fixed)))
    return list(mp.lu_solve(matrix.T * matrix, matrix.T * right))


def _errors(points: _Points, coefficients: list[Any]) -> list[Any]:
    return [
        abs(weight * (mp.polyval(coefficients[::-1], t) - value))
        for t, value, weight in zip(*points, strict=True)
    ]


def fit(wanted: Wanted, terms: int, dtype: type[np.floating[Any]]) -> tuple[list[float], float]:
    """The coefficients, lowest first, and log₂ of the worst weighted error.

    Points with large errors are given more emphasis (Lawson), then coefficients are rounded to the type one after
    another, lowest first, the rest fitted anew to what is left.
    """
    points = _points(wanted, _POINTS)
    emphasis = [mp.mpf(1)] * _POINTS
    for _ in range(_ROUNDS):
        emphasis = _more(emphasis, _errors(points, _solved(points, range(terms), [], emphasis)))
    fixed: list[Any] = []
    for lowest in range(terms):
        first = _solved(points, range(lowest, terms), fixed, emphasis)[0]
        fixed.append(mp.mpf(float(dtype(float(first)))))
    worst = max(_errors(_points(wanted, 2000), fixed))
    return [float(c) for c in fixed], float(mp.log(worst, 2))


def fit_denominator(function: Callable[[Any], Any], terms: int, high: Any) -> list[Any]:
    """The coefficients of q, the first of them 1, in p(y) / q(y) for y from 0 to `high`, p of one term less.

    Least relative error, not rounded; `fit` of p beside what is left of q by rounding makes up for that.
    """
    lowest = _SCALE / (_SCALE + mp.mpf(high))
    middle, half = (lowest + 1) / 2, (1 - lowest) / 2
    places = [
        _SCALE / (middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * _POINTS))) - _SCALE
        for i in range(_POINTS)
    ]
    values, emphasis, q = [function(y) for y in places], [mp.mpf(1)] * _POINTS, [mp.mpf(1)]
    for _ in range(_ROUNDS):
        matrix, right = mp.matrix(_POINTS, 2 * terms - 2), mp.matrix(_POINTS, 1)
        for i, (y, value) in enumerate(zip(places, values, strict=True)):
            weight = emphasis[i] / mp.polyval(q[::-1], y)
            for k in range(terms - 1):
                matrix[i, k] = weight * y**k / value
                matrix[i, terms - 1 + k] = -weight * y ** (k + 1)
            right[i] = weight
        solved = list(mp.lu_solve(matrix.T * matrix, matrix.T * right))
        p, q = solved[: terms - 1], [mp.mpf(1), *solved[terms - 1 :]]
        errors = [
            abs(mp.polyval(p[::-1], y) / mp.polyval(q[::-1], y) / value - 1)
            for y, value in zip(places, values, strict=True)
        ]
        emphasis = _more(emphasis, errors)
    return q


def _more(emphasis: list[Any], errors: list[Any]) -> list[Any]:
    """More emphasis on points with large errors (Lawson)."""
    mean = sum(errors) / len(errors)
    return [e * mp.sqrt(error / mean + mp.mpf("1e-3")) for e, error in zip(emphasis, errors, strict=True)]


def show(name: str, wanted: Wanted, terms: int, dtype: type[np.floating[Any]]) -> None:
    """Fit and print."""
    coefficients, error = fit(wanted, terms, dtype)
    print(f"{name}, {dtype.__name__}: {terms} terms, error 2^{error:.1f}")
    for c in coefficients:
        print(f'    "{c.hex()}",')
