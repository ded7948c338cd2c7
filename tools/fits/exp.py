"""Fit what ``exp.py`` and ``exp_table.py`` of ``numba_kernels/numerics`` hold, and print it; needs mpmath.

    python -m tools.fits.exp

q(r) = (exp(r) − 1 − r) / r² on |r| ≤ ln 2 / 2, or a quarter of that beside a table of four, least squares of the
relative error of 1 + r + r² q(r) at Chebyshev points, which is within a factor of two of the minimax. Coefficients are
rounded to the type one after another, lowest first, the rest fitted anew to what is left.
"""

from typing import Any

import mpmath as mp
import numpy as np

POINTS = 120


def _least_squares(target: Any, powers: list[int], limit: Any) -> Any:
    points = [limit * mp.cos(mp.pi * (2 * i + 1) / (2 * POINTS)) for i in range(POINTS)]
    rows, right = mp.matrix(POINTS, len(powers)), mp.matrix(POINTS, 1)
    for i, x in enumerate(points):
        weight = x * x / mp.exp(x)
        for j, power in enumerate(powers):
            rows[i, j] = weight * x**power
        right[i] = weight * target(x)
    return mp.lu_solve(rows.T * rows, rows.T * right)


def fit(degree: int, dtype: type[np.floating[Any]], entries: int = 1) -> tuple[list[float], float]:
    """The coefficients of q for 1 + r + r² q(r) of this degree, and log₂ of the worst relative error."""
    limit = mp.log(2) / (2 * entries) * (1 + mp.mpf(2) ** -12)
    fixed: dict[int, Any] = {}
    for lowest in range(degree - 1):

        def target(x: Any) -> Any:
            return (mp.exp(x) - 1 - x) / x**2 - sum(c * x**k for k, c in fixed.items())

        coefficients = _least_squares(target, list(range(lowest, degree - 1)), limit)
        fixed[lowest] = mp.mpf(float(dtype(float(coefficients[0]))))
    grid = [-limit + 2 * limit * i / mp.mpf(999) for i in range(1000)]
    worst = max(abs((1 + x + x * x * sum(c * x**k for k, c in fixed.items())) / mp.exp(x) - 1) for x in grid)
    return [float(c) for c in fixed.values()], float(mp.log(worst, 2))


def common_factor() -> tuple[float, float]:
    """The float32 number whose products with 2^(k/4) are all nearest to float32 numbers, and log₂ of what is left."""
    factors = np.arange(1 << 23, 1 << 24) / 2.0**23
    worst = np.zeros(factors.size)
    for k in range(1, 4):
        entries = factors * 2.0 ** (k / 4)
        worst = np.maximum(worst, np.abs(entries.astype(np.float32) / entries - 1))
    best = int(worst.argmin())
    return float(factors[best]), float(np.log2(worst[best]))


def main() -> None:
    """Print the coefficients that the kernels use."""
    mp.mp.dps = 60
    for degree, dtype, entries in (
        (6, np.float32, 1),
        (8, np.float64, 1),
        (11, np.float64, 1),
        (4, np.float32, 4),
    ):
        coefficients, error = fit(degree, dtype, entries)
        print(f"{dtype.__name__}, degree {degree}, table of {entries}, relative error 2^{error:.1f}")
        for c in coefficients:
            print(f"    {c.hex()}")
    factor, error = common_factor()
    print(f"table of 4 times {factor.hex()}, relative error 2^{error:.1f}")


if __name__ == "__main__":
    main()
