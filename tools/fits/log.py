"""Fit the polynomials of ``numba_kernels/numerics/log.py`` and print them: ``python -m tools.fits.log`` (needs mpmath).

With s = f / (2 + f) and z = s², log(1 + f) = 2 atanh(s) = s · (2 + z q(z)). Least squares of the relative error at
Chebyshev points of z in [0, limit], coefficients rounded to float64 one after another, lowest first, the rest fitted
anew to what is left.
"""

from typing import Any

import mpmath as mp

POINTS = 100


def _atanh_tail(z: Any) -> Any:
    """(2 atanh(√z) / √z- 2) / z, from its series: Σ 2 zᵏ / (2k + 3)."""
    return mp.nsum(lambda k: 2 * z**k / (2 * k + 3), [0, 80], method="d")


def fit(terms: int, limit: Any) -> tuple[list[float], float]:
    """The coefficients of q on [0, limit], and log₂ of the worst relative error of 2 + z q(z)."""
    points = [limit / 2 * (1 + mp.cos(mp.pi * (2 * i + 1) / (2 * POINTS))) for i in range(POINTS)]
    values = [_atanh_tail(z) for z in points]
    weights = [z / (2 + z * v) for z, v in zip(points, values, strict=True)]
    fixed: list[Any] = []
    for lowest in range(terms):
        powers = range(lowest, terms)
        matrix, right = mp.matrix(POINTS, len(powers)), mp.matrix(POINTS, 1)
        for i, (z, value, weight) in enumerate(zip(points, values, weights, strict=True)):
            for j, power in enumerate(powers):
                matrix[i, j] = weight * z**power
            right[i] = weight * (value - sum(c * z**k for k, c in enumerate(fixed)))
        fixed.append(mp.mpf(float(mp.lu_solve(matrix.T * matrix, matrix.T * right)[0])))
    worst = max(
        abs(weight * (sum(c * z**k for k, c in enumerate(fixed)) - value))
        for z, value, weight in zip(points, values, weights, strict=True)
    )
    return [float(c) for c in fixed], float(mp.log(worst, 2))


def main() -> None:
    """Print the coefficients that the kernels use."""
    mp.mp.dps = 60
    halved = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * (1 + mp.mpf(2) ** -12)
    for terms, limit, name in ((7, halved, "|f| up to √2 - 1"), (6, mp.mpf(1) / 9, "0 ≤ f ≤ 1")):
        coefficients, error = fit(terms, limit)
        print(f"{name}: {terms} terms, relative error 2^{error:.1f}")
        for c in coefficients:
            print(f"    {c.hex()}")


if __name__ == "__main__":
    main()
