"""A float output against its exact value: errors in ULP, and as shares of what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import largest_place
from .ulp import Doubles, largest, spacing, ulp_error


@dataclass(frozen=True, eq=False)
class Errors:
    """
    Element by element.

    Attributes
    ----------
    actual, exact, allowed
        What was given, the exact value, and how far it may be off.
    errors, limits
        How far it is off, and may be, in ULP.
    used
        The share of the bound that is used: above 1 is wrong.
    special
        Where a verdict on special values is asked for: the exact value is NaN, infinite or exactly 0, or no finite
        number was given.
    """

    actual: NDArray[Any]
    exact: NDArray[np.longdouble]
    allowed: Doubles
    errors: Doubles
    limits: Doubles
    used: Doubles
    special: NDArray[np.bool_]

    def by(self, allowed: Doubles) -> Errors:
        """Return the same errors as shares of what another bound allows."""
        return _shares(self.actual, self.exact, allowed, self.errors)

    def worst_place(self, among: NDArray[np.bool_] | None = None) -> tuple[int, ...]:
        """Return where most of the bound is used, of all elements or of some."""
        return largest_place(self.used if among is None else np.where(among, self.used, -1))


def against_exact(actual: NDArray[Any], exact: NDArray[np.longdouble], allowed: Doubles) -> Errors:
    """Measure ``actual`` of any float dtype; ``exact`` and ``allowed`` have its shape."""
    return _shares(actual, exact, allowed, ulp_error(actual, exact))


def _shares(actual: NDArray[Any], exact: NDArray[np.longdouble], allowed: Doubles, errors: Doubles) -> Errors:
    with np.errstate(all="ignore"):
        wide = actual.astype(np.longdouble)
        limits = (allowed / spacing(exact, actual.dtype)).astype(np.float64)
        # Within its allowance the exact value may lie beyond the largest number.
        over = (
            np.isinf(wide)
            & (np.sign(wide) == np.sign(exact))
            & (np.abs(exact) + allowed >= largest(actual.dtype))
        )
        used = np.where((errors == 0) | over, 0, errors / limits)
        used = np.where(np.isnan(used), np.inf, used)
        special = ~np.isfinite(exact) | (~np.isfinite(wide) & ~over) | ((exact == 0) & (allowed == 0))
    return Errors(actual, exact, allowed, errors, limits, used, np.asarray(special))
