"""A tolerance for a test, from the noise of a tensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..measure.ulp import Doubles

_TIMES = 8.0
_LEAST = 6.0


class Tolerance(NamedTuple):
    """What ``np.testing.assert_allclose`` takes."""

    rtol: float
    atol: float


def advised(exact: Doubles, sigma: Doubles) -> Tolerance:
    """
    Return a tolerance that fits the noise.

    The squares of the standard deviations are fitted by a² + r²y², and eight times a and r taken; more where that would
    be less than six standard deviations of an element. Both are rounded up to one digit.
    """
    if not exact.size or not sigma.any():
        return Tolerance(0.0, 0.0)
    x, z = exact.ravel() ** 2, sigma.ravel() ** 2
    # relative to the largest: the squares of small numbers are smaller than any float
    scale_x, scale_z = float(x.max()) or 1.0, float(z.max())
    a, r = _fitted(x / scale_x, z / scale_z)
    atol, rtol = _TIMES * np.sqrt(a * scale_z), _TIMES * np.sqrt(r * scale_z / scale_x)
    allowed = atol + rtol * np.abs(exact.ravel())
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.max(np.where(sigma.ravel() > 0, _LEAST * sigma.ravel() / allowed, 0))
    if not np.isfinite(short):  # nothing is allowed where something is needed
        return Tolerance(rounded_up(rtol), rounded_up(_TIMES * float(sigma.max())))
    return Tolerance(rounded_up(rtol * max(short, 1)), rounded_up(atol * max(short, 1)))


def _fitted(x: Doubles, z: Doubles) -> tuple[float, float]:
    """The best a and r of z = a + r x, neither below 0."""
    mean_x, mean_z = float(x.mean()), float(z.mean())
    spread = float(np.mean((x - mean_x) ** 2))
    r = float(np.mean((x - mean_x) * (z - mean_z))) / spread if spread > 0 else 0.0
    a = mean_z - r * mean_x
    if r < 0 or spread == 0:
        return mean_z, 0.0
    if a < 0:
        return 0.0, float(np.mean(x * z) / np.mean(x**2))
    return a, r


def rounded_up(value: float) -> float:
    """The next number of one digit."""
    if not value or not np.isfinite(value):
        return float(value)
    power = float(np.floor(np.log10(value)))
    return float(f"{np.ceil(round(value / 10.0**power, 6)):g}e{power:g}")
