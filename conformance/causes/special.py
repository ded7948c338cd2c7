"""Hypotheses on NaN and infinities: what they are read as, and what is written where they belong."""

from __future__ import annotations

import numpy as np

from ..cases.calls import line_axis
from ..measure.ulp import is_float, largest, unit_roundoff
from .meanings import Meaning
from .seen import Seen


def reads(what: str, value: float) -> Meaning:
    """Return the hypothesis that NaN, inf or -inf is read as another value; inf stands for the largest number."""

    def hypothesis(seen: Seen) -> bool | None:
        if not is_float(seen.x.dtype):
            return None
        x = seen.x.astype(np.longdouble)
        places = np.isnan(x) if what == "nan" else x == float(what)
        if not places.any():
            return None
        top = largest(seen.x.dtype)
        put = np.clip(value, -top, top) if what != "nan" else value
        return seen.is_that_of(np.where(places, put, x).astype(seen.x.dtype))

    return hypothesis


def writes(what: float, value: float) -> Meaning:
    """Return the hypothesis that another number stands where NaN, or an infinity, belongs."""

    def hypothesis(seen: Seen) -> bool | None:
        if not seen.is_float:
            return None
        exact = seen.exact
        places = np.isnan(exact) if np.isnan(what) else exact == what
        if not places.any():
            return None
        return seen.is_right_by((np.where(places, np.longdouble(value), exact), *seen.truth.exact[1:]))

    return hypothesis


def line_is(written: str, *, only_empty: bool) -> Meaning:
    """Return the hypothesis that lines that are to be NaN are ``uniform`` or ``0``; all, or those of -inf alone."""

    def hypothesis(seen: Seen) -> bool | None:
        if not seen.is_float or seen.case.op not in ("Softmax", "LogSoftmax") or not seen.x.size:
            return None
        x, exact = seen.lines(seen.x.astype(np.longdouble)), seen.lines(seen.exact)
        lines = np.isneginf(x).all(1) if only_empty else np.isnan(exact).all(1)
        if not lines.any():
            return None
        share = 1 / x.shape[1] if written == "uniform" else 0.0
        value = np.log(share) if seen.case.op == "LogSoftmax" else share
        y = seen.lines(seen.y.astype(np.longdouble))[lines]
        near = (
            np.abs(y - value) <= 4 * unit_roundoff(seen.y.dtype) * abs(value)
            if np.isfinite(value)
            else y == value
        )
        return bool(near.all()) and not seen.lines(seen.wrong)[~lines].any()

    return hypothesis


def no_one_for_nan(seen: Seen) -> bool | None:
    """A line with a NaN has no 1 in a Hardmax."""
    if seen.case.op != "Hardmax":
        return None
    lines = np.asarray(np.isnan(seen.lines(seen.x.astype(np.longdouble))).any(1))
    exact = seen.lines(seen.exact)
    return bool((seen.lines(seen.y).astype(np.longdouble) == np.where(lines[:, None], 0, exact)).all())


def nan_only_first(seen: Seen) -> bool | None:
    """A NaN is passed over unless it stands first, as by ``if x > largest`` from the first element on."""
    if seen.case.op not in ("Hardmax", "ArgMax") or not is_float(seen.x.dtype):
        return None
    axis = line_axis(seen.row, seen.x.ndim, seen.case.axis)
    if axis is None or not np.isnan(seen.x.astype(np.float64)).any():
        return None
    lines = seen.lines(seen.x)
    missing = np.isnan(lines.astype(np.float64))
    missing[:, 0] = False
    x = np.where(missing, np.array(-np.inf, lines.dtype), lines)
    if seen.row.axis_rule == "flatten":
        return seen.is_that_of(x.reshape(seen.x.shape))
    shape = np.moveaxis(seen.x, axis, -1).shape
    return seen.is_that_of(np.ascontiguousarray(np.moveaxis(x.reshape(shape), -1, axis)))
