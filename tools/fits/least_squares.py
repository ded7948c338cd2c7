"""A polynomial of least error at Chebyshev points, its coefficients rounded to a type."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

_POINTS, _ROUNDS = 160, 12


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
        errors = _errors(points, _solved(points, range(terms), [], emphasis))
        mean = sum(errors) / len(errors)
        emphasis = [
            e * mp.sqrt(error / mean + mp.mpf("1e-3")) for e, error in zip(emphasis, errors, strict=True)
        ]
    fixed: list[Any] = []
    for lowest in range(terms):
        first = _solved(points, range(lowest, terms), fixed, emphasis)[0]
        fixed.append(mp.mpf(float(dtype(float(first)))))
    worst = max(_errors(_points(wanted, 2000), fixed))
    return [float(c) for c in fixed], float(mp.log(worst, 2))


def show(name: str, wanted: Wanted, terms: int, dtype: type[np.floating[Any]]) -> None:
    """Fit and print."""
    coefficients, error = fit(wanted, terms, dtype)
    print(f"{name}, {dtype.__name__}: {terms} terms, error 2^{error:.1f}")
    for c in coefficients:
        print(f'    "{c.hex()}",')
