"""The verdicts on outputs that are right or wrong without a rounding: integers, strings, copies, labels, samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import operator

from ..measure.metrics import Scalar, dtype_name, first_place, scalar
from ..measure.ulp import Doubles, is_float
from .record import Check, Worst

Array = NDArray[Any]
Found = tuple[list[Check], dict[str, Any]]
"""The checks, and figures of a record."""

_MINUTE = 1e-9
"""A Multinomial that is right fails its test with that probability."""


def equal(
    name: str, actual: Array, expected: Array, undecided: NDArray[np.bool_] | None, *, copied: bool
) -> Found:
    """Judge what is to be the same, but where ``undecided``; of copied floats the sign of a zero too."""
    wrong = np.asarray(actual != expected)
    if actual.dtype.kind not in "OSUT":
        wrong &= ~((actual != actual) & (expected != expected))  # both NaN
    if copied and is_float(actual.dtype):
        wrong |= (actual == 0) & (np.signbit(actual) != np.signbit(expected))
    if undecided is not None:
        wrong = wrong & ~undecided
    return _judged("equal" if undecided is None else "label", name, actual, expected, wrong)


def cut_off(name: str, actual: Array, exact: Array, allowed: Doubles) -> Found:
    """Judge integers that stand for real numbers: cut off (allowed below 0.5) or rounded (above)."""
    limits = np.iinfo(actual.dtype)
    wide = actual.astype(np.longdouble)
    rounds = bool(allowed.size) and float(allowed.min()) >= 0.5
    low, high = exact - allowed, exact + allowed
    if rounds:
        # Saturated: beyond the range the limit itself is right.
        low, high = np.minimum(low, limits.max), np.maximum(high, limits.min)
        wrong = (wide < low) | (wide > high)
        expected = np.clip(np.rint(exact), limits.min, limits.max)
    else:
        inside = (exact > limits.min) & (exact < limits.max)
        wrong = inside & ((wide < np.trunc(low)) | (wide > np.trunc(high)))
        expected = np.where(inside, np.trunc(exact), 0)
    whole = np.where(np.isfinite(expected), expected, 0).astype(object)
    return _judged("cut off", name, actual, np.vectorize(int, otypes=[object])(whole), np.asarray(wrong))


def sampled(x: Array, actual: Array) -> Check:
    """Compare the frequencies of each row with the probabilities of its logits."""
    probability = operator("Softmax", 13).exact(x, 1).astype(np.float64)
    classes = probability.shape[1]
    for line, (samples, p) in enumerate(zip(actual, probability, strict=True)):
        if ((samples < 0) | (samples >= classes)).any():
            text = f"row {line}: expected classes from 0 to {classes - 1} (got {samples.min()} to {samples.max()})"
            return Check(name="distribution", passed=False, message=text)
        counts = np.bincount(samples, minlength=classes)
        if (counts[p == 0] > 0).any():
            text = f"row {line}: a class of probability 0 was drawn {int(counts[p == 0].max())} times"
            return Check(name="distribution", passed=False, message=text)
        expected = p * samples.size
        # The approximation by chi-square is for classes that are expected a few times at least.
        common = expected >= 8
        statistic = float(((counts - expected)[common] ** 2 / expected[common]).sum())
        limit = _chi_square_limit(max(int(common.sum()), 1))
        if statistic > limit:
            text = f"row {line}: chi-square of {statistic:.4g} against the softmax, {limit:.4g} is allowed"
            return Check(name="distribution", passed=False, measured=statistic, bound=limit, message=text)
    return Check(name="distribution", passed=True)


def _judged(verdict: str, name: str, actual: Array, expected: Array, wrong: NDArray[np.bool_]) -> Found:
    index = first_place(wrong)
    if index is None:
        return [Check(name=verdict, passed=True)], {"bound_used": 0.0}
    worst = Worst(
        output=name,
        index=index,
        dtype=dtype_name(actual),
        exact=str(expected[index]),
        expected=_number(expected[index]),
        actual=scalar(actual[index]),
    )
    check = Check(name=verdict, passed=False, message=sentence(worst, int(wrong.sum()), actual.size))
    return [check], {"worst": worst, "bound_used": math.inf}


def sentence(worst: Worst, count: int, size: int) -> str:
    """Say what is wrong with some elements."""
    text = f"{worst.output}{list(worst.index)}: expected {worst.expected!r} (got {worst.actual!r})"
    if worst.error_ulp is not None and worst.bound_ulp is not None and math.isfinite(worst.error_ulp):
        text += f", {worst.error_ulp:.3g} ULP away, {worst.bound_ulp:.3g} allowed"
    return f"{text}; {count} of {size} such elements are wrong"


def _number(value: Any) -> Scalar:
    # Python's own integers stand in an array of objects.
    return value if isinstance(value, int) else scalar(value)


def _chi_square_limit(degrees: int) -> float:
    """Return what a chi-square variable exceeds with a probability of less than `_MINUTE` (Laurent and Massart)."""
    t = -math.log(_MINUTE)
    return degrees + 2 * math.sqrt(degrees * t) + 2 * t
