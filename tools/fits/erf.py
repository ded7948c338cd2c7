"""Fit the polynomials of ``numba_kernels/numerics/erf.py``: ``python -m tools.fits.erf`` (needs mpmath).

erf(x) = x + x · q(x²) up to a limit, least relative error; from there on 1 − exp(−t(x)), the error of t as far as it
shows in erf. The tail of the normal distribution is Φ(−y) = exp(−y²/2) · p(y) / q(y), with positive coefficients.
"""

from typing import Any

import mpmath as mp
import numpy as np

from tools.fits.least_squares import Wanted, fit_denominator, show


def small(limit: str) -> Wanted:
    """erf(x) / x − 1 in powers of x²."""
    return Wanted(
        value=lambda x: mp.erf(x) / x - 1,
        at=lambda x: x**2,
        weight=lambda x: x / mp.erf(x),
        limits=(mp.mpf("1e-6"), mp.mpf(limit)),
    )


def large(low: str, high: str) -> Wanted:
    """−log(erfc(x)) in powers of x."""
    return Wanted(
        value=lambda x: -mp.log(mp.erfc(x)),
        at=lambda x: x,
        weight=lambda x: mp.erfc(x) / mp.erf(x),
        limits=(mp.mpf(low), mp.mpf(high)),
    )


def tail(y: Any) -> Any:
    """Φ(−y) · exp(y²/2)."""
    return mp.exp(y * y / 2) * mp.erfc(y / mp.sqrt(2)) / 2


def show_tail(terms: int, high: str, dtype: type[np.floating[Any]]) -> None:
    """Fit p / q and print both."""
    q = [float(dtype(float(c))) for c in fit_denominator(tail, terms, high)]

    def denominator(y: Any) -> Any:
        return mp.polyval(q[::-1], y)

    print("normal tail, denominator")
    for c in q:
        print(f'    "{c.hex()}",')
    numerator = Wanted(
        value=lambda y: tail(y) * denominator(y),
        at=lambda y: y,
        weight=lambda y: 1 / (tail(y) * denominator(y)),
        limits=(mp.mpf(0), mp.mpf(high)),
    )
    show("normal tail, numerator", numerator, terms - 1, dtype)


def main() -> None:
    """Print the coefficients that the kernels use."""
    mp.mp.dps = 60
    show("erf up to 0.7", small("0.7"), 6, np.float32)
    show("erf from 0.7", large("0.7", "3.95"), 8, np.float32)
    show_tail(7, "14.6", np.float32)
    show("erf up to 0.9", small("0.9"), 12, np.float64)
    show("erf from 0.9", large("0.9", "5.95"), 19, np.float64)
    show_tail(12, "38.9", np.float64)


if __name__ == "__main__":
    main()
