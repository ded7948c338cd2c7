"""The verdicts on the outputs of a case: every check, and the record's figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.build import Truth
from ..cases.case import Case
from ..cases.makers import UNSORTED
from ..measure.errors import Errors, against_exact
from ..measure.metrics import dtype_name
from ..measure.ulp import is_float
from . import discrete
from .figures import figures_of, worst_of
from .laws import keep
from .record import Check
from .rules import BOUNDS, OURS, RULES, Bound, allowances_by

Array = NDArray[Any]

VERDICTS: dict[str, str] = {
    "outputs": "as many outputs as the node has",
    "dtype": "of the dtype that the operator gives",
    "shape": "of the shape that the operator gives",
    "special values": "NaN, infinities and exact zeros where they belong, and nowhere else",
    "equal": "integers, strings and copied elements are those of the oracle, the sign of a zero too",
    "label": "the label of the largest score, or of one of the largest where rounding decides",
    "cut off": "the exact value, truncated or rounded to an integer",
    "distribution": "the frequencies of samples, by a chi-square test, and never a class at -inf",
    "ulp": "every element within its bound",
    "simplex": "no element below 0 or above 1",
    "log error": "the logarithm of every element within its bound",
    "row sum": "rows of probabilities add up to 1",
    "kl": "the divergence of a row from the exact one within its bound",
    "argmax": "the largest element of a line, unless rounding decides it",
    "top-k": "the five largest elements of a line, unless rounding decides them",
    "order": "larger inputs do not give smaller outputs, equal ones give equal ones",
    "determinism": "the same bits when it is run again",
    "threads": "the same bits on one thread and on several",
    "inputs": "the inputs are unchanged",
}
"""What each verdict asks for, by its name."""


def assess(
    case: Case, truth: Truth, outputs: Sequence[Array], bound: Bound = "strict"
) -> tuple[list[Check], dict[str, Any]]:
    """
    Judge the outputs that a runtime gave: the checks, and the figures that `CaseRecord` takes by name.

    Of these, ``beyond`` says by the name of each other bound which verdicts on elements fail by it (see `settled`).
    """
    arrays = list(outputs)
    checks = formed(truth, arrays)
    if not all(check.passed for check in checks):
        return checks, {}
    if case.variant == UNSORTED:
        arrays, truth = by_index(truth, arrays)
    figures: dict[str, Any] = {"elements": sum(array.size for array in arrays)}
    beyond: dict[str, list[str]] = {}
    for place, (name, actual) in enumerate(zip(truth.names, arrays, strict=True)):
        if not actual.size:
            continue
        found, more = _judge(case, truth, place, name, actual, bound)
        checks += found
        for other, failed in more.pop("beyond", {}).items():
            beyond.setdefault(other, []).extend(failed)
        # Of several outputs the figures are those of the one that uses most of its bound.
        if more.get("bound_used", -1) >= figures.get("bound_used", -1):
            figures |= more
    return checks, figures | {"beyond": beyond}


_BY_THE_BOUND = ("special values", "ulp", "row sum", "kl", "log error")
_BY_OUR_LAWS = ("simplex", "argmax", "top-k", "order")


def settled(
    asked: Bound, checks: Iterable[Check], elements: Mapping[str, Iterable[str]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """
    Return for each bound that is broken the verdicts that fail by it: those of ``asked`` are the checks.

    ``elements`` says which verdicts on elements fail by the others. Where elements are within a bound, so are their
    sums, divergences and logarithms, and by the looser laws of others the order and the decisions; by those of ours
    these do not hang on the bound.
    """
    failed = {check.name for check in checks if not check.passed}
    found = []
    for bound in BOUNDS:
        names = failed
        if bound != asked:
            left_out = {*_BY_THE_BOUND, *(() if {bound, asked} <= {*OURS} else _BY_OUR_LAWS)}
            names = failed - left_out | {*elements.get(bound, ())}
        if names:
            found.append((bound, tuple(name for name in VERDICTS if name in names)))
    return tuple(found)


def by_index(truth: Truth, arrays: list[Array]) -> tuple[list[Array], Truth]:
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
    exact, rule, x = truth.exact[place], RULES[case.op], truth.call.inputs[0]
    assert x is not None
    if rule.sampled:
        return [discrete.sampled(x, actual)], {}
    every = allowances_by(case, truth, place)
    if rule.exact:  # ones and zeros
        every, exact = None, exact.astype(actual.dtype)
    if every is None:
        undecided = None if place or rule.undecided is None else rule.undecided(case, truth)
        return discrete.equal(name, actual, exact, undecided, copied=rule.copied)
    if not is_float(actual.dtype):
        return discrete.cut_off(name, actual, exact, every[bound])
    found = against_exact(actual, exact.astype(np.longdouble), every[bound])
    checks = [
        _bounded("special values", name, found, found.special),
        _bounded("ulp", name, found, ~found.special),
    ]
    figures = figures_of(name, found)
    if place == 0:
        more, law_figures = keep(rule.laws, case, x, found, loose=bound not in OURS)
        checks += more
        figures |= law_figures
    figures["beyond"] = {
        other: _broken(found.by(allowed)) for other, allowed in every.items() if other != bound
    }
    return checks, figures


def _broken(found: Errors) -> list[str]:
    """Return the verdicts on elements that fail."""
    wrong = found.used > 1
    parts = {"special values": wrong & found.special, "ulp": wrong & ~found.special}
    return [name for name, places in parts.items() if places.any()]


def _bounded(verdict: str, name: str, found: Errors, among: NDArray[np.bool_]) -> Check:
    count, size = int(((found.used > 1) & among).sum()), int(among.sum())
    if not size:
        return Check(name=verdict, passed=True)
    worst = worst_of(name, found, among)
    text = discrete.sentence(worst, count, size) if count else ""
    return Check(
        name=verdict, passed=not count, measured=worst.error_ulp, bound=worst.bound_ulp, message=text
    )
