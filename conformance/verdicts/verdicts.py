"""The verdicts on the outputs of a case: every check, and the record's figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.build import Truth
from ..cases.calls import UNSORTED
from ..cases.case import Case
from ..measure.bounds import Doubles
from ..measure.metrics import Scalar, dtype_name, scalar
from ..measure.ulp import is_float
from .allowances import Bound, allowance, scores_of
from .case_record import Check, Worst
from .laws import laws
from .measures import Measured, measured

Array = NDArray[Any]

VERDICTS: dict[str, str] = {
    "outputs": "as many outputs as the node has",
    "dtype": "of the dtype that the operator gives",
    "shape": "of the shape that the operator gives",
    "special values": "NaN, infinities and exact zeros where they belong, and nowhere else",
    "equal": "integers, strings and copied elements are those of the oracle, the sign of a zero too",
    "label": "the label of the largest score, where rounding leaves it open one of the largest",
    "cut off": "an integer that the exact value is cut off or rounded to",
    "distribution": "the frequencies of samples, by a chi-square test, and never a class at -inf",
    "ulp": "every element within its bound",
    "simplex": "no element below 0 or above 1",
    "log error": "the logarithm of every element within its bound",
    "row sum": "rows of probabilities add up to 1",
    "kl": "the divergence of a row from the exact one within its bound",
    "argmax": "the largest element of a line, unless it hangs on rounding",
    "top-k": "the five largest elements of a line, unless they hang on rounding",
    "order": "larger inputs do not give smaller outputs, equal ones give equal ones",
    "determinism": "the same bits when it is run again",
    "threads": "the same bits on one thread and on several",
    "inputs": "the inputs are left as they were",
}
"""What each verdict asks for, by its name."""

_MINUTE = 1e-9
"""A Multinomial that is right fails its test with that probability."""


def assess(
    case: Case, truth: Truth, outputs: Sequence[Array], bound: Bound = "strict"
) -> tuple[list[Check], dict[str, Any]]:
    """
    Judge the outputs that a runtime gave.

    Returns
    -------
    tuple
        The checks, and the figures that `softops.conformance.verdicts.case_record.CaseRecord` takes by name.
    """
    arrays = list(outputs)
    checks = formed(truth, arrays)
    if not all(check.passed for check in checks):
        return checks, {}
    if case.variant == UNSORTED:
        arrays, truth = _by_index(truth, arrays)
    figures: dict[str, Any] = {"elements": sum(array.size for array in arrays)}
    for place, (name, actual) in enumerate(zip(truth.names, arrays, strict=True)):
        if not actual.size:
            continue
        found, more = _judge(case, truth, place, name, actual, bound)
        checks += found
        # Of several outputs the figures are those of the one that uses most of its bound.
        if more.get("bound_used", -1) >= figures.get("bound_used", -1):
            figures |= more
    return checks, figures


def _by_index(truth: Truth, arrays: list[Array]) -> tuple[list[Array], Truth]:
    """Bring what a TopK found in any order, values and indices, into that of the indices; the exact outputs too."""
    axis = truth.call.attributes.get("axis", -1)

    def turned(values: Array, indices: Array) -> list[Array]:
        order = indices.argsort(axis=axis, kind="stable")
        return [np.take_along_axis(x, order, axis) for x in (values, indices)]

    return turned(*arrays), truth._replace(exact=tuple(turned(*truth.exact)))


def formed(truth: Truth, arrays: Sequence[Array]) -> list[Check]:
    """Judge number, dtypes and shapes of the outputs."""
    names = ", ".join(truth.names)
    if len(arrays) != len(truth.names):
        text = f"expected {len(truth.names)} outputs, {names} (got {len(arrays)})"
        return [
            Check(name="outputs", passed=False, measured=len(arrays), bound=len(truth.names), message=text)
        ]
    checks = [Check(name="outputs", passed=True)]
    for name, actual, exact, dtype in zip(truth.names, arrays, truth.exact, truth.dtypes, strict=True):
        wanted = dtype_name(np.empty(0, dtype))
        same = dtype_name(actual) == wanted
        text = "" if same else f"{name}: expected {wanted} (got {dtype_name(actual)})"
        checks.append(Check(name="dtype", passed=same, message=text))
        fits = actual.shape == exact.shape
        text = "" if fits else f"{name}: expected shape {list(exact.shape)} (got {list(actual.shape)})"
        checks.append(Check(name="shape", passed=fits, message=text))
    return checks


def _judge(
    case: Case, truth: Truth, place: int, name: str, actual: Array, bound: Bound
) -> tuple[list[Check], dict[str, Any]]:
    exact = truth.exact[place]
    if case.op == "Multinomial":
        return [_distribution(truth, actual)], {}
    allowed = allowance(case, truth, place, bound)
    if case.op == "Hardmax":  # ones and zeros
        allowed, exact = None, exact.astype(actual.dtype)
    if allowed is None:
        undecided = _undecided_labels(case, truth, place)
        verdict = "equal" if undecided is None else "label"
        return _equal(verdict, name, actual, exact, undecided, copied=case.op == "TopK")
    if not is_float(actual.dtype):
        return _integers(name, actual, exact, allowed)
    found = measured(name, actual, exact, allowed)
    checks = [
        _bounded("special values", found, found.special),
        _bounded("ulp", found, ~found.special),
    ]
    x = truth.call.inputs[0]
    assert x is not None
    figures = found.figures()
    if place == 0:
        more, laws_of = laws(case, x, found, loose=bound != "strict")
        checks += more
        figures |= laws_of
    return checks, figures


def _bounded(name: str, found: Measured, among: NDArray[np.bool_]) -> Check:
    wrong = found.wrong & among
    count, size = int(wrong.sum()), int(among.sum())
    worst = found.worst(among) if size else None
    if worst is None:
        return Check(name=name, passed=True)
    text = _sentence(worst, count, size) if count else ""
    return Check(name=name, passed=not count, measured=worst.error_ulp, bound=worst.bound_ulp, message=text)


def _sentence(worst: Worst, count: int, size: int) -> str:
    text = f"{worst.output}{list(worst.index)}: expected {worst.expected!r} (got {worst.actual!r})"
    if worst.error_ulp is not None and worst.bound_ulp is not None and math.isfinite(worst.error_ulp):
        text += f", {worst.error_ulp:.3g} ULP away, {worst.bound_ulp:.3g} allowed"
    return f"{text}; {count} of {size} such elements are wrong"


def _equal(
    verdict: str,
    name: str,
    actual: Array,
    expected: Array,
    undecided: NDArray[np.bool_] | None,
    *,
    copied: bool,
) -> tuple[list[Check], dict[str, Any]]:
    wrong = np.asarray(actual != expected)
    if actual.dtype.kind not in "OSUT":
        wrong &= ~((actual != actual) & (expected != expected))  # both NaN
    if copied and is_float(actual.dtype):
        wrong |= (actual == 0) & (np.signbit(actual) != np.signbit(expected))
    if undecided is not None:
        wrong = wrong & ~undecided
    return _discrete(verdict, name, actual, expected, wrong)


def _discrete(
    verdict: str, name: str, actual: Array, expected: Array, wrong: NDArray[np.bool_]
) -> tuple[list[Check], dict[str, Any]]:
    count = int(wrong.sum())
    if not count:
        return [Check(name=verdict, passed=True)], {"bound_used": 0.0}
    index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    worst = Worst(
        output=name,
        index=index,
        dtype=dtype_name(actual),
        exact=str(expected[index]),
        expected=_number(expected[index]),
        actual=scalar(actual[index]),
    )
    check = Check(name=verdict, passed=False, message=_sentence(worst, count, actual.size))
    return [check], {"worst": worst, "bound_used": math.inf}


def _number(value: Any) -> Scalar:
    # Python's own integers stand in an array of objects.
    return value if isinstance(value, int) else scalar(value)


def _integers(name: str, actual: Array, exact: Array, allowed: Doubles) -> tuple[list[Check], dict[str, Any]]:
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
    return _discrete("cut off", name, actual, np.vectorize(int, otypes=[object])(whole), np.asarray(wrong))


def _undecided_labels(case: Case, truth: Truth, place: int) -> NDArray[np.bool_] | None:
    """Return the rows of a LinearClassifier whose label rounding may change; None for other outputs."""
    if case.op != "LinearClassifier" or place:
        return None
    scores, allowed = scores_of(case, truth)
    if scores.shape[1] == 1:
        return np.asarray(np.abs(scores[:, 0]) <= allowed[:, 0])
    order = scores.argsort(axis=1)
    first, second = order[:, -1:], order[:, -2:-1]
    gap = np.take_along_axis(scores, first, 1) - np.take_along_axis(scores, second, 1)
    slack = np.take_along_axis(allowed, first, 1) + np.take_along_axis(allowed, second, 1)
    return np.asarray(((gap <= slack) & (gap > 0)).squeeze(1))


def _distribution(truth: Truth, actual: Array) -> Check:
    """Compare the frequencies of each row with its probabilities."""
    from softops.opset import operator

    x = truth.call.inputs[0]
    assert x is not None
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


def _chi_square_limit(degrees: int) -> float:
    """Return what a chi-square variable exceeds with a probability of less than `_MINUTE` (Laurent and Massart)."""
    t = -math.log(_MINUTE)
    return degrees + 2 * math.sqrt(degrees * t) + 2 * t
