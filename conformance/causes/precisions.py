"""Hypotheses that less precision was used: in all of it, or in the sums alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ..measure.ulp import largest, spacing, ulp_distance, unit_roundoff
from ..verdicts.record import Fit
from .meanings import Meaning
from .seen import Array, Seen, Wide

FLOAT16, BFLOAT16, FLOAT32 = (np.dtype(kind) for kind in (np.float16, ml_dtypes.bfloat16, np.float32))
_WITH_SUMS = ("Softmax", "LogSoftmax")
_NEAR = 4
"""How many roundings to the wider dtype lie between a sum and what is seen of it."""


def all_in(name: str, kind: np.dtype[Any]) -> Callable[[Seen], Fit | bool | None]:
    """
    Return the hypothesis that all was computed in a narrower dtype, or that its last step was.

    Every output is then a number of that dtype, which right outputs are by chance alone; and lies within what the
    plain formula loses in it.
    """

    def hypothesis(seen: Seen) -> Fit | bool | None:
        if not seen.is_float or seen.y.dtype.itemsize <= kind.itemsize:
            own = seen.is_float and seen.y.dtype == kind and kind != FLOAT32
            return _in_own(seen) if own else None
        y, wrong = seen.y.astype(np.longdouble), seen.wrong
        x = np.abs(seen.x.astype(np.longdouble))
        reach = float(x[np.isfinite(x)].max(initial=0))
        finite = np.isfinite(y) & np.isfinite(seen.exact)
        # Beyond the range of the narrower dtype anything may come of it.
        lost = (wrong & ~finite).any() and reach <= largest(kind)
        if lost or not (_nearest(y, kind)[finite] == y[finite]).all():
            return False
        u, count = unit_roundoff(kind), max(seen.x.size // max(seen.y.size, 1), _length(seen))
        off = np.abs(y - seen.exact)[finite]
        loss = u * (count + 8 + 4 * min(reach, 1e4)) * np.maximum(np.abs(seen.exact), _floor(seen))[finite]
        if not (off <= loss + spacing(seen.exact, kind)[finite]).all():
            return False
        # A 0 is a number of every dtype, and so says little.
        return Fit(name=name, weak=bool(wrong.any()) and not (wrong & (y != 0)).any())

    return hypothesis


def sums_in(kind: np.dtype[Any]) -> Meaning:
    """
    Return the hypothesis that the sums of exponentials were taken in a narrower dtype.

    Each line is then off by one factor, and the sum that it comes from is a number of that dtype.
    """

    def hypothesis(seen: Seen) -> bool | None:
        if not seen.is_float or seen.y.dtype.itemsize <= kind.itemsize:
            return None
        if seen.case.op not in _WITH_SUMS:
            return _log_sum_in(seen, kind) if seen.case.op == "ReduceLogSumExp" else None
        return _lines_by_sums_in(seen, kind)

    return hypothesis


def _lines_by_sums_in(seen: Seen, kind: np.dtype[Any]) -> bool | None:
    parts: tuple[Array, ...] = seen.x, seen.y, seen.exact, seen.allowed, seen.wrong
    x, y, exact, allowed, wrong = (seen.lines(part.astype(np.longdouble)) for part in parts)
    masked = np.isneginf(x) & (np.isneginf(y) if seen.case.op == "LogSoftmax" else y == 0)
    regular = ((np.isfinite(x) & np.isfinite(y)) | masked).all(1) & np.isfinite(x).any(1)
    if not x.size or not regular.any():
        return None
    if wrong[~regular].any():
        return False
    x, y, exact, allowed = (part[regular] for part in (x, y, exact, allowed))
    e = np.exp(x - x.max(1, keepdims=True))
    right, top = e.sum(1, keepdims=True), y.max(1, keepdims=True)
    if seen.case.op == "LogSoftmax":
        total = _nearest(np.exp(-top), kind)
        off = np.where(np.isneginf(y), 0, np.abs(y - (exact + np.log(right / total))))
        return bool((off <= allowed + _NEAR * unit_roundoff(seen.y.dtype)).all())
    # The largest exponential is 1.
    total = _nearest(1 / np.maximum(top, np.finfo(np.float64).tiny), kind)
    allowed = allowed * (right / total)
    alone = (np.abs(y - e / total) <= allowed).all()
    # Or the exponentials were rounded as well.
    product = y * total
    on_grid = np.abs(product - _nearest(product, kind)) <= _NEAR * unit_roundoff(seen.y.dtype) * np.abs(
        product
    )
    near = np.abs(product - e) <= 2 * (spacing(e, kind) + allowed * total)
    return bool((top > 0).all() and (alone or (on_grid & near).all()))


def _log_sum_in(seen: Seen, kind: np.dtype[Any]) -> bool:
    call = seen.truth.call
    given = call.inputs[1] if len(call.inputs) > 1 else None
    axes = call.attributes.get("axes", None if given is None else given.tolist())
    if axes is not None and not len(axes):
        axes = None
        if call.attributes.get("noop_with_empty_axes"):
            return not seen.wrong.any()
    x = seen.x.astype(np.longdouble)
    top = x.max(None if axes is None else tuple(axes), keepdims=True).reshape(seen.y.shape)
    y, exact = seen.y.astype(np.longdouble), seen.exact
    with np.errstate(all="ignore"):
        total = _nearest(np.exp(y - top), kind)
        predicted = top + np.log(total)
        near = np.abs(y - predicted) <= seen.allowed
        # A sum of so many terms of at most 1 is no further off.
        plausible = np.abs(y - exact) <= 2 * unit_roundoff(kind) * (x.size / max(y.size, 1) + 2)
    return bool(((near & plausible) | ~seen.wrong).all() and (near | ~np.isfinite(predicted)).all())


def _in_own(seen: Seen) -> bool | None:
    """Whether halves come from arithmetic in halves: exponentials, and sums one after another or rounded once."""
    if seen.case.op not in _WITH_SUMS or not seen.y.size:
        return None
    kind = seen.y.dtype
    x = seen.lines(seen.x)
    y = np.ascontiguousarray(seen.lines(seen.y))
    with np.errstate(all="ignore"):
        wide = x.astype(np.float32) - x.max(1, keepdims=True).astype(np.float32)
        shifts = {inner: wide.astype(inner) for inner in (kind, FLOAT32)}
        for first, inner in ((kind, kind), (FLOAT32, kind), (kind, FLOAT32)):
            shifted = shifts[first]
            e = np.exp(shifted.astype(np.float32)).astype(inner)
            in_turn = np.add.accumulate(e, 1, dtype=kind)[:, -1:]
            once = e.astype(np.float32).sum(1, keepdims=True, dtype=np.float32).astype(kind)
            for total in (in_turn, once):
                if seen.case.op == "LogSoftmax":
                    log = np.log(total.astype(np.float32)).astype(kind)
                    found = (shifted.astype(np.float32) - log.astype(np.float32)).astype(kind)
                else:
                    found = (e.astype(np.float32) / total.astype(np.float32)).astype(kind)
                if (ulp_distance(y, np.ascontiguousarray(found)) <= 1).all():
                    return True
    return False


def _nearest(values: Wide, kind: np.dtype[Any]) -> Wide:
    with np.errstate(all="ignore"):
        return np.asarray(values.astype(np.float64).astype(kind).astype(np.longdouble))


def _length(seen: Seen) -> int:
    return int(seen.lines(seen.x).shape[1]) if seen.row.axis_rule else 1


def _floor(seen: Seen) -> float:
    """The size by which errors go where the result itself is small: 1 for logarithms, nothing for probabilities."""
    return 1.0 if seen.case.op in ("LogSoftmax", "ReduceLogSumExp", "Softplus") else 0.0
