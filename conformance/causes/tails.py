"""Hypotheses on the ends of the range: what is small becomes 0 or a floor, what is large overflows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..measure.ulp import largest, smallest_normal, spacing
from ..verdicts.record import Fit
from .seen import Seen, Wide


def flushed(seen: Seen) -> Fit | None:
    """Positive results below a threshold are 0, all others are right; of logarithms, those of such are -inf."""
    if seen.case.op not in ("Softmax", "LogSoftmax", "Sigmoid", "Softplus") or not seen.is_float:
        return None
    logs = seen.case.op == "LogSoftmax"
    exact = seen.exact
    gone = np.isneginf(seen.y.astype(np.longdouble)) if logs else seen.y == 0
    there = np.isfinite(exact) if logs else exact > 0
    lost = gone & there & seen.wrong
    # Where 0 is within the bound, nothing is told by it.
    kept = ~gone & there & ~seen.wrong & (logs | (exact > seen.allowed))
    if (seen.wrong & ~lost).any() or (lost.any() and not kept.any()):
        return None
    # What was compared with the threshold had been rounded, mostly.
    near = exact.astype(seen.y.dtype).astype(np.longdouble)
    low = _most(near, lost, -math.inf if logs else 0.0)
    high = _least(np.maximum(near, seen.y.astype(np.longdouble)), kept)
    if not low < high:
        return None
    if logs:
        low, high = float(np.exp(np.longdouble(low))), float(np.exp(np.longdouble(high)))
    # Of what is below every float64 no threshold can be told.
    return Fit(name="flushed", low=low, high=high) if low or not lost.any() else None


def floored(seen: Seen) -> Fit | None:
    """Nothing comes out below a floor, to which all that is smaller is raised."""
    if not seen.is_float or not seen.y.size:
        return None
    y, wrong = seen.y.astype(np.longdouble), seen.wrong
    if not wrong.any():
        finite = np.isfinite(y)
        # What would have been raised to a floor is below it.
        return Fit(name="floored", low=-math.inf, high=_least(y, finite))
    values = np.unique(y[wrong])
    if len(values) != 1 or not np.isfinite(values[0]) or values[0] == 0:
        return None
    floor = float(values[0])
    above = ~wrong & (y > floor)
    below = above.any() and (seen.exact < floor)[wrong].all() and not (y < floor).any()
    return Fit(name="floored", low=floor, high=floor) if below else None


def no_maximum(seen: Seen) -> Fit | bool | None:
    """The exponentials are of the inputs themselves, so that they overflow, or all of a line underflow."""
    if not seen.is_float or seen.case.op not in ("Softmax", "LogSoftmax", "Softplus", "ReduceLogSumExp"):
        return None
    own = seen.y.dtype
    kinds = {np.dtype(np.float32), own} if own.itemsize == 2 else {own}
    if not any(_naive(seen, kind) for kind in kinds):
        return False
    # That it is less exact is told by others as well: it is what overflows that tells.
    gone = seen.wrong & (~np.isfinite(seen.y.astype(np.float64)) | (seen.y == 0))
    weak = seen.case.op != "Softplus" and bool(seen.wrong.any()) and not gone.any()
    return Fit(name="no maximum", weak=weak)


def _naive(seen: Seen, kind: np.dtype[Any]) -> bool:
    x = seen.x.astype(np.longdouble)
    # Where infinity is as right as the largest number, nothing is told by it.
    both = np.abs(seen.exact) + seen.allowed >= largest(seen.y.dtype)
    if seen.case.op == "Softplus":
        over, under = np.exp(x) > largest(kind), np.zeros(x.shape, bool)
        loose = np.asarray(spacing(np.ones(1, np.longdouble), kind), np.longdouble) * np.ones(x.shape)
        return _fits_beside(
            seen, over & np.isfinite(x) & ~both, under | both, loose, np.isposinf(seen.y.astype(float))
        )
    if seen.case.op == "ReduceLogSumExp":
        call = seen.truth.call
        with np.errstate(all="ignore"):
            total = np.exp(seen.exact)
        finite = np.isfinite(seen.exact) & (call.inputs[0] is not None)
        over = finite & (total > largest(kind))
        under = finite & (total < smallest_normal(kind) * 2**-30)
        loose = spacing(total, kind) / np.where(total > 0, total, 1) * max(seen.x.size, 1) + 0 * total
        lost = ~np.isfinite(seen.y.astype(float))
        return _fits_beside(seen, over & ~both, (under & lost) | both, loose, lost)
    lines, y = seen.lines(x), seen.lines(seen.y.astype(np.longdouble))
    with np.errstate(all="ignore"):
        e = np.exp(lines)
        total = e.sum(1, keepdims=True)
        clean = np.isfinite(seen.lines(seen.exact)).any(1, keepdims=True)
        over = clean & (total > largest(kind))
        under = clean & (total < smallest_normal(kind) * 2**-30)
        loose = spacing(e, kind) / e + e.shape[1] * spacing(total, kind) / total
    lost = ~np.isfinite(y).any(1, keepdims=True) | np.isnan(y).any(1, keepdims=True)
    if seen.case.op == "Softmax":
        # Where the sum alone overflows, every quotient is 0.
        lost |= over & (y == 0).all(1, keepdims=True)
        loose = loose * np.exp(np.log(np.where(total > 0, e / total, 0)))
    infinite = np.isposinf(lines).any(1, keepdims=True) & ~np.isnan(lines).any(1, keepdims=True)
    if (over & ~lost).any() or (under & ~lost).any():
        return False
    # An infinity over itself is NaN, and what is divided by it 0, or its logarithm.
    undone = np.where(
        np.isposinf(lines), np.isnan(y), (y == (0 if seen.case.op == "Softmax" else -np.inf)) | np.isnan(y)
    )
    left = ~(over | under | infinite)
    off = np.abs(y - seen.lines(seen.exact)) <= seen.lines(seen.allowed) + np.nan_to_num(loose, posinf=np.inf)
    same = off | ~seen.lines(seen.wrong)
    return bool((same | ~left).all() and (undone | ~infinite | ~seen.lines(seen.wrong)).all())


def _fits_beside(seen: Seen, over: Any, under: Any, loose: Wide, lost: Any) -> bool:
    """Whether what overflows is lost, and all else is right but for what underflows."""
    if (over & ~lost).any():
        return False
    y = seen.y.astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        near = np.abs(y - seen.exact) <= seen.allowed + loose
    return bool((over | under | near | ~seen.wrong).all())


def log_of_softmax(seen: Seen) -> bool | None:
    """A LogSoftmax is the logarithm of a softmax that was rounded before."""
    if seen.case.op != "LogSoftmax" or not seen.is_float:
        return None
    kind = np.dtype(np.float32) if seen.y.dtype.itemsize == 2 else seen.y.dtype
    return any(_log_of(seen, one) for one in {kind, seen.y.dtype})


def _log_of(seen: Seen, kind: np.dtype[Any]) -> bool:
    y = seen.y.astype(np.longdouble)
    with np.errstate(all="ignore"):
        p = np.exp(seen.exact)
        # A softmax by the plain formula is off by its allowance, and what is subnormal may be 0.
        off = np.abs(p) * np.expm1(np.minimum(seen.allowed, 1)) + 2 * spacing(p, kind)
        low = np.log(np.where(p - off >= smallest_normal(kind), p - off, 0))
        high = np.log(p + off)
        low, high = low - seen.allowed, high + seen.allowed
        surely = p < float(spacing(np.zeros(1, np.longdouble), kind)[0]) / 4
    finite = np.isfinite(seen.exact)
    finite &= np.abs(seen.exact) + seen.allowed < largest(seen.y.dtype)
    fits = np.where(finite, np.where(surely, np.isneginf(y), (low <= y) & (y <= high)), ~seen.wrong)
    return bool(fits.all())


def _most(values: Wide, among: Any, otherwise: float) -> float:
    return float(values[among].max()) if among.any() else otherwise


def _least(values: Wide, among: Any) -> float:
    return float(values[among].min()) if among.any() else math.inf
