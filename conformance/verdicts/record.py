"""What was found in one case of the suite."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic, Literal, TypeVar, get_args

from ..cases.case import Case
from ..measure.metrics import Scalar

Outcome = Literal["right", "wrong", "unsupported", "crashed", "hung", "harness failed"]
"""
``right`` and ``wrong`` are verdicts on outputs. ``unsupported``: the runtime says that it does not take the
operator. ``crashed``: it raised an error, or its process died. ``hung``: it was stopped at the time limit.
``harness failed``: the suite itself could not judge.
"""

T = TypeVar("T")
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, kw_only=True)
class Worst:
    """
    The element that uses most of its bound.

    Attributes
    ----------
    output, index
        The output's name, and the place in it.
    dtype
        Of the output; ``string`` for strings.
    exact
        The exact value in decimal digits, more of them than the dtype tells apart.
    expected, actual
        The exact value rounded to ``dtype``, and what the runtime gave: Python numbers or strings, without
        loss (``float.hex`` of a float shows its bits).
    error_ulp, bound_ulp
        How far ``actual`` is from the exact value, and how far it may be; None for integers and strings.
    """

    output: str
    index: tuple[int, ...]
    dtype: str
    exact: str
    expected: Scalar
    actual: Scalar
    error_ulp: float | None = None
    bound_ulp: float | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """
    One verdict on a case.

    Attributes
    ----------
    name
        A name of `softops.conformance.verdicts.verdicts.VERDICTS`, such as ``ulp``, ``row sum`` or ``special values``.
    passed
        Whether the bound is kept.
    measured, bound
        What was found and what is allowed, in the verdict's own unit; None where it has none.
    message
        One sentence on what is wrong; empty where nothing is.
    """

    name: str
    passed: bool
    measured: float | None = None
    bound: float | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """
    A hypothesis by which the outputs of a case are what they are (`softops.conformance.causes`).

    Attributes
    ----------
    name
        Of the hypothesis.
    low, high
        Where it has a number that is open, such as a threshold: the outputs fit if it lies between these.
    weak
        Whether other hypotheses would give such outputs as easily: they are explained where better ones are.
    """

    name: str
    low: float | None = None
    high: float | None = None
    weak: bool = False


class _OfCase(Generic[T]):
    """An attribute of the case, as one of its record."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: CaseRecord, owner: type | None = None) -> T:
        value: T = getattr(record.case, self._name)
        return value


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """
    One judged case.

    Attributes
    ----------
    case
        What was run; its fields ``op``, ``domain``, ``opset``, ``dtype``, ``axis``, ``shape``, ``family``,
        ``seed``, ``variant``, ``form`` and ``setting`` are attributes of the record too.
    outcome
        One of `OUTCOMES`.
    verdict
        The name of the check that failed, of several the first; empty unless the outcome is ``wrong``.
    message
        Why the outcome is not ``right``, one sentence or two; empty where it is.
    detail
        All that a runtime said of its failure, of which ``message`` has the first line; empty where that is all.
    known
        For a deviation that is listed as known: the address of the upstream issue, or ``not reported yet``.
        Such a case does not keep a report from passing.
    computes_in, runs_on
        The precision that the runtime said it computes this model in, by its short name
        (`softops.conformance.measure.precision.WORDS`), and the devices or providers; empty where it does not tell.
    checks
        Every verdict that was asked for.
    beyond
        Pairs of (bound, verdicts that fail by it) for each bound that the outputs break, whichever was asked for.
    fits
        Hypotheses that explain wrong outputs, each by itself; what they are worth, a whole run tells.
    elements
        Number of elements that were compared.
    max_ulp, p99_ulp, mean_ulp
        Errors in ULP against the exact value; None where nothing was compared in ULP.
    ulp_histogram
        Pairs of (upper edge, number of elements): errors up to 0.5, 1, 2, 4, ... ULP; the edge of the last
        is inf, for a NaN or an infinity on one side only. Edges without elements are left out.
    bound_ulp, bound_used
        The bound at the worst element, and the largest share of its bound that any element uses.
    worst
        That element; None where nothing was compared.
    max_abs, max_rel, max_log
        Largest absolute error, relative error and ``|log actual − log exact|``; the last for probabilities.
    row_sum_error, simplex_violation, kl
        For probabilities: largest deviation of a row sum from 1, largest distance of an element from
        [0, 1], and largest Kullback-Leibler divergence of a row from the exact one, in nats.
    order_violations
        Number of neighbouring pairs of a sorted row whose outputs stand in the wrong order.
    argmax_agreement, topk_agreement
        Share of the rows with the same largest element, and the same five largest, where the exact values
        lie further apart than the bound.
    smallest_rtol, smallest_atol
        The smallest relative tolerance without an absolute one that would pass, and the reverse.
    decided_by_atol
        Share of the elements of magnitude below 1e-5: an absolute tolerance of 1e-5 would pass whatever
        stood there between 0 and twice that.
    """

    case: Case
    outcome: Outcome
    verdict: str = ""
    message: str = ""
    detail: str = ""
    known: str | None = None
    computes_in: str = ""
    runs_on: str = ""
    checks: tuple[Check, ...] = ()
    beyond: tuple[tuple[str, tuple[str, ...]], ...] = ()
    fits: tuple[Fit, ...] = ()
    elements: int = 0
    max_ulp: float | None = None
    p99_ulp: float | None = None
    mean_ulp: float | None = None
    ulp_histogram: tuple[tuple[float, int], ...] = ()
    bound_ulp: float | None = None
    bound_used: float | None = None
    worst: Worst | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    max_log: float | None = None
    row_sum_error: float | None = None
    simplex_violation: float | None = None
    kl: float | None = None
    order_violations: int | None = None
    argmax_agreement: float | None = None
    topk_agreement: float | None = None
    smallest_rtol: float | None = None
    smallest_atol: float | None = None
    decided_by_atol: float | None = None

    id = _OfCase[str]()
    op = _OfCase[str]()
    domain = _OfCase[str]()
    opset = _OfCase[int]()
    dtype = _OfCase[str]()
    axis = _OfCase["int | None"]()
    shape = _OfCase[tuple[int, ...]]()
    family = _OfCase[str]()
    seed = _OfCase[int]()
    variant = _OfCase[str]()
    form = _OfCase[str]()
    setting = _OfCase[str]()

    def __str__(self) -> str:
        known = f", known ({self.known})" if self.known else ""
        return f"{self.id}: {self.outcome}{known}{f': {self.message}' if self.message else ''}"

    def failed(self, bound: str) -> tuple[str, ...]:
        """Return the verdicts that fail by a bound; those that were asked for, where no other is known."""
        if not self.beyond:
            return tuple(check.name for check in self.checks if not check.passed)
        return dict(self.beyond).get(bound, ())

    def keeps(self, bound: str) -> bool:
        """Whether outputs were compared, and are right by a bound."""
        return self.outcome in ("right", "wrong") and not self.failed(bound)

    def to_dict(self) -> dict[str, Any]:
        """Return the record, the case's fields beside its own; what is None or empty is left out."""
        case = {entry.name: getattr(self.case, entry.name) for entry in fields(Case)}
        own = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "case"}
        own["worst"] = None if self.worst is None else _plain(self.worst)
        own["beyond"] = {bound: list(failed) for bound, failed in self.beyond}
        own["checks"] = [_plain(check, leave_out=(None, "")) for check in self.checks]
        own["fits"] = [_plain(fit, leave_out=(None, False)) for fit in self.fits]
        kept = {
            name: value for name, value in own.items() if value is not None and value not in ("", (), [], {})
        }
        return {"id": self.id, **case, **kept}


def _plain(part: Worst | Check | Fit, leave_out: tuple[Any, ...] = ()) -> dict[str, Any]:
    given = {entry.name: getattr(part, entry.name) for entry in fields(part)}
    return {name: value for name, value in given.items() if value not in leave_out}
