"""How far apart two outputs of the same name are: measured, not judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .brief import type_of
from .numbers import number, percent
from .ulp import is_float, ulp_distance

Scalar = bool | int | float | complex | str

_SIMPLEX_SLACK = 1e-3
"""Rows whose sums are that close to 1 are taken for probabilities."""


@dataclass(frozen=True, eq=False)
class OutputReport:
    """
    The comparison of one output of a runtime (actual) with that of another (expected).

    Attributes
    ----------
    name, dtype, shape, size
        What was compared; ``dtype`` is ``string`` for strings.
    equal
        Share of the elements that are equal (NaN equals NaN), in [0, 1]; None when there are none.
    max_ulp, mean_ulp, p99_ulp
        Largest, mean and 99th percentile of `softops.conformance.ulp_distance`; None for integers and
        strings, and where there is nothing to compare.
    max_abs, max_rel
        Largest absolute and relative difference; inf where only one is NaN, infinite, or (relative) zero.
    row_sum_error
        Largest deviation of a row sum of ``actual`` from 1, along the last axis; None unless the rows of
        ``expected`` are probabilities, that is lie in [0, 1] and sum to 1 within 1e-3.
    argmax_agreement
        Share of the rows along the last axis with the same largest element (the first, NaN before all);
        None where rows have fewer than two elements.
    worst_index, worst_actual, worst_expected
        Where the largest ULP distance is, or the first difference of integers and strings; None where all
        are equal.
    ulps
        The ULP distances themselves, uint64; empty for integers and strings.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    equal: float | None = None
    max_ulp: int | None = None
    mean_ulp: float | None = None
    p99_ulp: float | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    row_sum_error: float | None = None
    argmax_agreement: float | None = None
    worst_index: tuple[int, ...] | None = None
    worst_actual: Scalar | None = None
    worst_expected: Scalar | None = None
    ulps: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)

    def __str__(self) -> str:
        apart = "" if self.max_ulp is None else f", at most {number(self.max_ulp)} ULP apart"
        return f"{self.name}, {type_of(self.dtype, self.shape)}: {percent(self.equal)} equal{apart}"


def compare(name: str, actual: NDArray[Any], expected: NDArray[Any]) -> OutputReport:
    """Measure how far ``actual`` is from ``expected``; TypeError or ValueError where dtypes or shapes differ."""
    if dtype_name(actual) != dtype_name(expected):
        message = f"expected {name} in {dtype_name(expected)} (got {dtype_name(actual)}); convert one of them"
        raise TypeError(message)
    if actual.shape != expected.shape:
        message = f"expected {name} of shape {expected.shape} (got {actual.shape}); nothing is broadcast"
        raise ValueError(message)
    what: dict[str, Any] = {"dtype": dtype_name(expected), "shape": expected.shape, "size": expected.size}
    if not expected.size:
        return OutputReport(name, **what)
    if not is_float(expected.dtype):
        differs = np.asarray(actual != expected)
        equal = 1 - float(differs.mean())
        return OutputReport(name, **what, equal=equal, **_at(first_place(differs), actual, expected))

    ulps = ulp_distance(actual, expected)
    worst = largest_place(ulps) if ulps.any() else None
    absolute, relative = _differences(actual, expected)
    return OutputReport(
        name,
        **what,
        equal=float((ulps == 0).mean()),
        max_ulp=int(ulps.max()),
        mean_ulp=float(ulps.mean(dtype=np.float64)),
        p99_ulp=float(np.percentile(ulps, 99)),
        max_abs=absolute,
        max_rel=relative,
        row_sum_error=_row_sum_error(actual, expected),
        argmax_agreement=_argmax_agreement(actual, expected),
        **_at(worst, actual, expected),
        ulps=ulps,
    )


def dtype_name(array: NDArray[Any]) -> str:
    """Name of the dtype, ``string`` for every kind of string."""
    if array.dtype.kind == "O" and array.size and not isinstance(array.flat[0], str | bytes):
        return "object"
    return "string" if array.dtype.kind in "OSUT" else array.dtype.name


def unlike(name: str, actual: NDArray[Any], expected: NDArray[Any]) -> str | None:
    """Say that an output is of another dtype or shape; None where it can be compared."""
    if dtype_name(actual) != dtype_name(expected):
        return f"{name}: expected {dtype_name(expected)} (got {dtype_name(actual)})"
    if actual.shape != expected.shape:
        return f"{name}: expected shape {list(expected.shape)} (got {list(actual.shape)})"
    return None


def largest_place(values: NDArray[Any]) -> tuple[int, ...]:
    """Return the index of the largest element."""
    return tuple(int(i) for i in np.unravel_index(int(values.argmax()), values.shape))


def first_place(differs: NDArray[np.bool_]) -> tuple[int, ...] | None:
    """Return the index of the first element that is true; None where none is."""
    return largest_place(differs) if differs.any() else None


def scalar(value: Any) -> Scalar:
    """Return an element of an array as a Python number or string."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.generic):
        # A bfloat16 has no Python number of its own.
        plain: Scalar = value.item() if value.dtype.kind != "V" else float(value)
        return plain
    return str(value)


def _at(index: tuple[int, ...] | None, actual: NDArray[Any], expected: NDArray[Any]) -> dict[str, Any]:
    if index is None:
        return {}
    left, right = scalar(actual[index]), scalar(expected[index])
    return {"worst_index": index, "worst_actual": left, "worst_expected": right}


def _differences(actual: NDArray[Any], expected: NDArray[Any]) -> tuple[float, float]:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        left, right = actual.astype(np.longdouble), expected.astype(np.longdouble)
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        difference = np.abs(left - right)
        difference = np.where(same, 0, np.where(np.isnan(difference), np.inf, difference))
        relative = np.where(same, 0, difference / np.abs(right))
        # inf / inf, and anything against NaN
        relative = np.where(np.isnan(relative), np.inf, relative)
    return float(difference.max()), float(relative.max())


def _row_sum_error(actual: NDArray[Any], expected: NDArray[Any]) -> float | None:
    if not expected.ndim:
        return None
    wide = expected.astype(np.longdouble)
    known = ~np.isnan(wide).any(-1)
    rows = wide[known]
    if not rows.size or rows.min() < 0 or rows.max() > 1 + _SIMPLEX_SLACK:
        return None
    if np.abs(rows.sum(-1) - 1).max() > _SIMPLEX_SLACK:
        return None
    error = np.abs(actual[known].astype(np.longdouble).sum(-1) - 1)
    return float(np.where(np.isnan(error), np.inf, error).max())


def _argmax_agreement(actual: NDArray[Any], expected: NDArray[Any]) -> float | None:
    if not expected.ndim or expected.shape[-1] < 2:
        return None
    # In float64: NumPy's argmax does not know every small float.
    agree = actual.astype(np.float64).argmax(-1) == expected.astype(np.float64).argmax(-1)
    return float(np.mean(agree))
