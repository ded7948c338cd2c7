"""Fit the polynomials of ``numba_kernels/numerics/tanh.py``: ``python -m tools.fits.tanh`` (needs mpmath).

tanh(x) = x + x³ q(x²) for |x| up to 0.8, least relative error.
"""

import mpmath as mp
import numpy as np

from tools.fits.least_squares import Wanted, show

WANTED = Wanted(
    value=lambda x: (mp.tanh(x) / x - 1) / x**2,
    at=lambda x: x**2,
    weight=lambda x: x**3 / mp.tanh(x),
    limits=(mp.mpf("1e-6"), mp.mpf("0.8")),
)


def main() -> None:
    """Print the coefficients that the kernels use."""
    mp.mp.dps = 60
    show("tanh", WANTED, 6, np.float32)
    show("tanh", WANTED, 13, np.float64)


if __name__ == "__main__":
    main()
