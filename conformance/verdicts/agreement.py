"""Whether outputs are within the strict bound of given exact values, without the figures of a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.build import Truth
from ..cases.case import Case
from ..cases.makers import UNSORTED
from ..measure.errors import against_exact
from ..measure.ulp import is_float
from . import discrete
from .rules import RULES, allowance
from .verdicts import by_index, formed

Array = NDArray[Any]


def agree(case: Case, truth: Truth, outputs: Sequence[Array]) -> bool:
    """Whether outputs have the form of the exact ones, and every element is within its strict bound."""
    arrays = list(outputs)
    if RULES[case.op].sampled or not all(check.passed for check in formed(truth, arrays)):
        return False
    if case.variant == UNSORTED:
        arrays, truth = by_index(truth, arrays)
    return all(not actual.size or _kept(case, truth, place, actual) for place, actual in enumerate(arrays))


def beyond(case: Case, truth: Truth, place: int, actual: Array) -> NDArray[np.bool_]:
    """Return which elements of an output of floats are beyond their strict bound."""
    allowed = allowance(case, truth, place)
    assert allowed is not None
    return np.asarray(against_exact(actual, truth.exact[place].astype(np.longdouble), allowed).used > 1)


def _kept(case: Case, truth: Truth, place: int, actual: Array) -> bool:
    exact, rule = truth.exact[place], RULES[case.op]
    allowed = None if rule.exact else allowance(case, truth, place)
    if allowed is None:
        expected = exact.astype(actual.dtype) if rule.exact else exact
        undecided = None if place or rule.undecided is None else rule.undecided(case, truth)
        checks, _ = discrete.equal("", actual, expected, undecided, copied=rule.copied)
        return all(check.passed for check in checks)
    if not is_float(actual.dtype):
        checks, _ = discrete.cut_off("", actual, exact, allowed)
        return all(check.passed for check in checks)
    return not beyond(case, truth, place, actual).any()
