"""What a record says of the errors of an output: its worst element, and the figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset.oracle.rounding import rounded

from ..measure.errors import Errors
from ..measure.metrics import dtype_name, scalar
from .record import Worst

ABSOLUTE = 1e-5
"""The absolute tolerance that others use, of which `decided_by_atol` speaks."""

_EDGES = np.array([0.5, *(2.0**k for k in range(64)), np.inf])


def worst_of(name: str, found: Errors, among: NDArray[np.bool_] | None = None) -> Worst:
    """Return the element that uses most of its bound, of all or of some; ``name`` is the output's."""
    index = found.worst_place(among)
    exact = found.exact[index]
    return Worst(
        output=name,
        index=index,
        dtype=dtype_name(found.actual),
        exact=decimal(exact),
        expected=scalar(rounded(np.asarray(exact), found.actual.dtype)[()]),
        actual=scalar(found.actual[index]),
        error_ulp=float(found.errors[index]),
        bound_ulp=float(found.limits[index]),
    )


def figures_of(name: str, found: Errors) -> dict[str, Any]:
    """Return the figures that `CaseRecord` takes by name."""
    absolute, relative = _largest_differences(found)
    counts, _ = np.histogram(found.errors, [-1, *np.nextafter(_EDGES[:-1], np.inf), np.inf])
    worst = worst_of(name, found)
    return {
        "max_ulp": float(found.errors.max()),
        "p99_ulp": float(np.quantile(found.errors, 0.99, method="higher")),
        "mean_ulp": float(found.errors.mean()),
        "ulp_histogram": tuple(
            (float(edge), int(count)) for edge, count in zip(_EDGES, counts, strict=True) if count
        ),
        "bound_ulp": worst.bound_ulp,
        "bound_used": float(found.used.max()),
        "worst": worst,
        "max_abs": absolute,
        "max_rel": relative,
        "smallest_atol": absolute,
        "smallest_rtol": relative,
        "decided_by_atol": float((np.abs(found.exact) < ABSOLUTE).mean()),
    }


def decimal(value: Any) -> str:
    """Write a number in 21 digits."""
    if not np.isfinite(value):
        return str(float(value))
    return np.format_float_scientific(
        np.longdouble(value), precision=20, unique=False, trim="-", exp_digits=1
    )


def _largest_differences(found: Errors) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        difference = np.abs(found.actual.astype(np.longdouble) - found.exact)
        # Where the error is 0 ULP both are NaN, the same infinity, or rounded to it.
        difference = np.where(found.errors == 0, 0, np.where(np.isfinite(difference), difference, np.inf))
        relative = np.where(difference == 0, 0, difference / np.abs(found.exact))
    return float(difference.max()), float(np.where(np.isnan(relative), np.inf, relative).max())
