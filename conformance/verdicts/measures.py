"""One output against its exact value: errors, shares of the bound used, and the figures of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset.oracle.rounding import rounded

from ..measure.bounds import Doubles
from ..measure.metrics import dtype_name, scalar
from ..measure.ulp import largest, spacing, ulp_error
from .case_record import Worst

Array = NDArray[Any]

ABSOLUTE = 1e-5
"""The absolute tolerance that others use, of which `decided_by_atol` speaks."""

_EDGES = np.array([0.5, *(2.0**k for k in range(64)), np.inf])


@dataclass(frozen=True, eq=False)
class Measured:
    """
    A float output and its exact value.

    Attributes
    ----------
    name, actual, exact, allowed
        The output's name, what the runtime gave, the exact values in `numpy.longdouble`, and how far each
        element may be off.
    errors, used
        Errors in ULP, and as shares of the bound: above 1 is wrong.
    special
        Where a verdict on special values is asked for: the exact value is NaN, infinite or exactly 0, or
        the runtime gave no finite number.
    """

    name: str
    actual: Array
    exact: NDArray[np.longdouble]
    allowed: Doubles
    errors: Doubles
    used: Doubles
    special: NDArray[np.bool_]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which elements are beyond their bound."""
        return np.asarray(self.used > 1)

    def worst(self, among: NDArray[np.bool_] | None = None) -> Worst | None:
        """Return the element that uses most of its bound, of all or of some."""
        used = self.used if among is None else np.where(among, self.used, -1)
        if not used.size:
            return None
        index = tuple(int(i) for i in np.unravel_index(int(used.argmax()), used.shape))
        exact = self.exact[index]
        ulp = float(spacing(np.asarray(exact), self.actual.dtype))
        return Worst(
            output=self.name,
            index=index,
            dtype=dtype_name(self.actual),
            exact=decimal(exact),
            expected=scalar(rounded(np.asarray(exact), self.actual.dtype)[()]),
            actual=scalar(self.actual[index]),
            error_ulp=float(self.errors[index]),
            bound_ulp=float(self.allowed[index]) / ulp,
        )

    def figures(self) -> dict[str, Any]:
        """Return what a record says of the errors."""
        if not self.errors.size:
            return {}
        absolute, relative = self._differences()
        counts, _ = np.histogram(self.errors, [-1, *np.nextafter(_EDGES[:-1], np.inf), np.inf])
        worst = self.worst()
        return {
            "max_ulp": float(self.errors.max()),
            "p99_ulp": float(np.quantile(self.errors, 0.99, method="higher")),
            "mean_ulp": float(self.errors.mean()),
            "ulp_histogram": tuple(
                (float(edge), int(count)) for edge, count in zip(_EDGES, counts, strict=True) if count
            ),
            "bound_ulp": None if worst is None else worst.bound_ulp,
            "bound_used": float(self.used.max()),
            "worst": worst,
            "max_abs": absolute,
            "max_rel": relative,
            "smallest_atol": absolute,
            "smallest_rtol": relative,
            "decided_by_atol": float((np.abs(self.exact) < ABSOLUTE).mean()),
        }

    def _differences(self) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            wide = self.actual.astype(np.longdouble)
            difference = np.abs(wide - self.exact)
            # Where the error is 0 ULP both are NaN, the same infinity, or rounded to it.
            difference = np.where(self.errors == 0, 0, np.where(np.isfinite(difference), difference, np.inf))
            relative = np.where(difference == 0, 0, difference / np.abs(self.exact))
        return float(difference.max()), float(np.where(np.isnan(relative), np.inf, relative).max())


def measured(name: str, actual: Array, exact: Array, allowed: Doubles) -> Measured:
    """Measure a float output; dtypes other than the bound's own, and shapes, have been checked."""
    truth = exact.astype(np.longdouble)
    errors = ulp_error(actual, truth)
    with np.errstate(all="ignore"):
        wide = actual.astype(np.longdouble)
        limit = (allowed / spacing(truth, actual.dtype)).astype(np.float64)
        # Within its allowance the exact value may lie beyond the largest number.
        over = (
            np.isinf(wide)
            & (np.sign(wide) == np.sign(truth))
            & (np.abs(truth) + allowed >= largest(actual.dtype))
        )
        used = np.where((errors == 0) | over, 0, errors / limit)
        used = np.where(np.isnan(used), np.inf, used)
        special = ~np.isfinite(truth) | (~np.isfinite(wide) & ~over) | ((truth == 0) & (allowed == 0))
    return Measured(name, actual, truth, allowed, errors, used, np.asarray(special))


def decimal(value: Any) -> str:
    """Write a number in 21 digits."""
    if not np.isfinite(value):
        return str(float(value))
    return np.format_float_scientific(
        np.longdouble(value), precision=20, unique=False, trim="-", exp_digits=1
    )
