"""
What an operator's output must keep whatever its rounding: the laws of probabilities, of order, of decisions.

Each law is judged on the lines that the operator works along, those without a NaN or infinity in the exact
output, within a bound that follows from the operator's own (see `softops.conformance.verdicts.allowances`), and
tighter where the errors of a line are common to all its elements:

order
    x_i >= x_j makes y_i >= y_j. Subtracting the maximum, dividing by the sum and rounding keep the order; two
    exponentials may each be off by 4u. So y_i may fall short by (10u + one spacing of a half)·y. In a
    LogSoftmax nothing but rounding comes after the order of x: 4u·|y|.
argmax, top-k
    The largest element, and the five largest, are those of the exact output, unless these are no further
    apart than the order allows.
row sum
    |Σ y − 1| ≤ the sum of what the elements may be off by.
simplex
    No element below 0, or above 1 by more than 4u (a product with a rounded reciprocal).
log error
    |log y − log exact| ≤ −log(1 − r), r the allowed relative error, where that is below 1.
kl
    D = Σ (p·log(p/q) − p + q), the Kullback-Leibler divergence freed of what the row sum is off by, of which it is
    the second order: with relative errors of at most r it is at most Σ p·r²/2/(1 − r).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator

from ..cases.calls import row_of
from ..cases.case import Case
from ..cases.families import TOP
from ..measure.ulp import spacing, unit_roundoff
from .case_record import Check
from .measures import Measured

Array = NDArray[Any]
Doubles = NDArray[np.float64]
Wide = NDArray[np.floating[Any]]

_HALVES = 2  # bytes


class Lines:
    """An input and an output of an operator, as matrices of a line in each row; only the finite lines."""

    def __init__(self, case: Case, x: Array, found: Measured) -> None:
        row = row_of(case)
        cut = [
            as_lines(row, case.axis, array)
            for array in (x, found.actual, found.exact, found.allowed, ~found.special | (found.exact == 0))
        ]
        regular = cut[4].all(axis=1) & np.isfinite(cut[1].astype(np.float64)).all(axis=1)
        if row.op_type == "LogSoftmax":  # -inf is the logarithm of 0
            regular = ~np.isnan(cut[2]).any(axis=1) & ~np.isnan(cut[1].astype(np.float64)).any(axis=1)
        # In float64 where that holds every number of the dtype; the sums of float64 need more.
        wide: Any = np.longdouble if found.actual.dtype == np.float64 else np.float64
        self.op = row.op_type
        self.x: Doubles = cut[0][regular].astype(np.float64)
        # An infinity that a number beyond the range is right to become counts as that number.
        y = as_lines(
            row,
            case.axis,
            np.where(np.isinf(found.actual.astype(wide)) & (found.used <= 1), found.exact, found.actual),
        )
        self.y: Wide = y[regular].astype(wide)
        self.exact: Wide = cut[2][regular].astype(wide)
        self.allowed: Doubles = cut[3][regular]
        self.u = unit_roundoff(max(found.actual.dtype, np.dtype(np.float32), key=lambda kind: kind.itemsize))
        self.tiny = float(np.finfo(np.float32 if found.actual.dtype.itemsize <= 4 else np.float64).tiny)
        half = found.actual.dtype.itemsize == _HALVES
        self.step = (
            spacing(self.exact, found.actual.dtype).astype(np.float64) if half else np.zeros(self.y.shape)
        )

    @property
    def logarithmic(self) -> bool:
        """Whether the output is a logarithm of probabilities."""
        return self.op == "LogSoftmax"

    @property
    def order_slack(self) -> Doubles:
        """How far an element may fall behind one that it should not be below."""
        size = np.nan_to_num(np.abs(self.exact).astype(np.float64), posinf=0)
        return np.asarray((4 if self.logarithmic else 10) * self.u * size + self.step + 2 * self.tiny)


def as_lines(row: Operator, axis: int | None, array: Array) -> Array:
    """Return an array as a matrix with a line of the operator in each row."""
    place = row.default_axis if axis is None else axis
    if row.axis_rule is None or place is None:
        return array.reshape(1, -1)
    place += array.ndim if place < 0 else 0
    if row.axis_rule == "flatten":
        return array.reshape(-1, int(np.prod(array.shape[place:], dtype=int)))
    turned = np.moveaxis(array, place, -1)
    return turned.reshape(-1, turned.shape[-1])


def laws(case: Case, x: Array, found: Measured, *, loose: bool) -> tuple[list[Check], dict[str, Any]]:
    """
    Judge what is asked of an operator's output.

    Parameters
    ----------
    loose
        Whether the allowances are other people's: the order is then held to those alone.

    Returns
    -------
    tuple
        The checks, and the figures of a record.
    """
    if case.op not in _LAWS or not found.exact.size:
        return [], {}
    cut = Lines(case, x, found)
    checks, figures = [], {}
    if not cut.y.size:
        return [], {}
    with np.errstate(all="ignore"):
        for law in _LAWS[case.op]:
            check, more = law(cut, loose)
            checks.append(check)
            figures.update(more)
    return checks, figures


Judged = tuple[Check, dict[str, Any]]


def _slack(cut: Lines, loose: bool) -> Doubles:
    return np.asarray(np.maximum(cut.order_slack, 2 * cut.allowed) if loose else cut.order_slack)


def _order(cut: Lines, loose: bool) -> Judged:
    order = cut.x.argsort(axis=1, kind="stable")
    x, y, slack = (np.take_along_axis(array, order, 1) for array in (cut.x, cut.y, _slack(cut, loose)))
    short = y[:, :-1] - y[:, 1:] - slack[:, 1:]
    # Equal inputs have equal outputs, so the other way round as well.
    short = np.where(x[:, 1:] == x[:, :-1], np.maximum(short, y[:, 1:] - y[:, :-1] - slack[:, 1:]), short)
    count = int((short > 0).sum())
    text = ""
    if count:
        line, place = np.unravel_index(int(np.nanargmax(short)), short.shape)
        pair = f"{float(x[line, place])!r} and {float(x[line, place + 1])!r}"
        given = f"{float(y[line, place])!r} and {float(y[line, place + 1])!r}"
        text = f"line {line}: {pair} gave {given}, in the wrong order ({count} such neighbours)"
    return Check(name="order", passed=not count, measured=count, bound=0, message=text), {
        "order_violations": count
    }


def _decisions(cut: Lines, loose: bool, k: int) -> tuple[int, float]:
    """Return the lines whose k largest are others than allowed, and the share that agree."""
    k = min(k, cut.y.shape[1])
    chosen = (-cut.y).argsort(axis=1, kind="stable")[:, :k]
    slack = _slack(cut, loose)
    least = -np.partition(-cut.exact, k - 1, axis=1)[:, k - 1 : k]
    reached = np.take_along_axis(cut.exact, chosen, 1) + 2 * np.take_along_axis(slack, chosen, 1)
    wrong = (reached < least).any(axis=1)
    return int(wrong.sum()), 1 - float(wrong.mean())


def _argmax(cut: Lines, loose: bool) -> Judged:
    wrong, agreement = _decisions(cut, loose, 1)
    text = f"the largest element of {wrong} lines is another than that of the exact output" if wrong else ""
    check = Check(name="argmax", passed=not wrong, measured=agreement, bound=1, message=text)
    return check, {"argmax_agreement": agreement}


def _top_k(cut: Lines, loose: bool) -> Judged:
    wrong, agreement = _decisions(cut, loose, TOP)
    text = (
        f"the {TOP} largest elements of {wrong} lines are others than those of the exact output"
        if wrong
        else ""
    )
    check = Check(name="top-k", passed=not wrong, measured=agreement, bound=1, message=text)
    return check, {"topk_agreement": agreement}


def _row_sum(cut: Lines, loose: bool) -> Judged:
    if cut.logarithmic:
        probability = np.exp(cut.exact)
        off = np.abs(np.exp(cut.y).sum(axis=1) - 1)
        allowed = (probability * np.expm1(np.minimum(cut.allowed, 700))).sum(axis=1)
    else:
        off, allowed = np.abs(cut.y.sum(axis=1) - 1), cut.allowed.sum(axis=1)
    # The sum is itself rounded here.
    allowed = allowed + cut.y.shape[1] * 2.0**-60 + 4 * np.finfo(cut.y.dtype).eps
    line = int((off / allowed).argmax())
    text = f"line {line}: its sum is {float(off[line]):.3g} from 1, {float(allowed[line]):.3g} is allowed"
    passed = bool((off <= allowed).all())
    return (
        Check(
            name="row sum",
            passed=passed,
            measured=float(off[line]),
            bound=float(allowed[line]),
            message="" if passed else text,
        ),
        {"row_sum_error": float(off.max())},
    )


def _simplex(cut: Lines, loose: bool) -> Judged:
    top = 0.0 if cut.logarithmic else 1.0
    low = 0.0 if cut.logarithmic else float(np.maximum(-cut.y, 0).max())
    high = float(np.maximum(cut.y - top, 0).max())
    # A LogSoftmax of nearly 0 is a small difference of larger numbers.
    slack = float(cut.allowed.max()) if cut.logarithmic or loose else 4 * cut.u + float(cut.step.max())
    passed = low == 0 and high <= slack
    worst = max(low, high)
    text = (
        "" if passed else f"an element lies {worst:.3g} outside [{'-inf, 0' if cut.logarithmic else '0, 1'}]"
    )
    check = Check(name="simplex", passed=passed, measured=worst, bound=slack, message=text)
    return check, {"simplex_violation": worst}


def _logs(cut: Lines) -> tuple[Wide, Doubles]:
    """Return the errors of the logarithms, and how far they may be off: inf where nothing is asked."""
    if cut.logarithmic:
        off = np.where(np.isneginf(cut.exact) & np.isneginf(cut.y), 0, np.abs(cut.y - cut.exact))
        return off, cut.allowed
    relative = (cut.allowed / cut.exact).astype(np.float64)
    allowed = np.where((cut.exact > 0) & (relative < 1), -np.log1p(-np.minimum(relative, 1)), np.inf)
    off = np.where(cut.exact > 0, np.abs(np.log(np.maximum(cut.y, 0)) - np.log(cut.exact)), 0)
    return off, np.asarray(allowed * (1 + 1e-12) + 1e-15)


def _log_error(cut: Lines, loose: bool) -> Judged:
    off, allowed = _logs(cut)
    asked = np.isfinite(allowed)
    worst = float(off[asked].max(initial=0))
    wrong = asked & ~(off <= allowed)
    text, bound = "", None
    if asked.any():
        place = np.unravel_index(int(np.where(asked, off / allowed, 0).argmax()), off.shape)
        bound = float(allowed[place])
        if wrong.any():
            y, exact = float(cut.y[place]), float(cut.exact[place])
            text = (
                f"line {place[0]}, place {place[1]}: {y!r} for {exact!r}, its logarithm is "
                f"{float(off[place]):.3g} off, {bound:.3g} is allowed ({int(wrong.sum())} such elements)"
            )
    check = Check(name="log error", passed=not wrong.any(), measured=worst, bound=bound, message=text)
    return check, {"max_log": worst}


def _kl(cut: Lines, loose: bool) -> Judged:
    off, allowed = _logs(cut)
    asked = np.isfinite(allowed)
    p = np.exp(cut.exact) if cut.logarithmic else cut.exact
    q = np.exp(cut.y) if cut.logarithmic else cut.y
    ratio = cut.exact - cut.y if cut.logarithmic else np.log(cut.exact / np.maximum(cut.y, 0))
    # Where nothing is asked of an element, so small is it, it is left out.
    parts = np.where(asked & (p > 0) & (off > 0), p * ratio - p + q, 0)
    relative = -np.expm1(-np.minimum(allowed, 700))
    limits = np.where(asked & (p > 0), p * relative**2 / 2 / np.maximum(1 - relative, 1e-3), 0)
    found = parts.sum(axis=1)
    # What the sum here is itself off by.
    limit = limits.sum(axis=1) * (1 + 1e-6) + 16 * float(np.finfo(cut.y.dtype).eps)
    line = int((np.abs(found) / limit).argmax())
    passed = bool((np.abs(found) <= limit).all())
    text = f"line {line}: {float(found[line]):.3g} nats from the exact distribution, {float(limit[line]):.3g} allowed"
    return (
        Check(
            name="kl",
            passed=passed,
            measured=float(found[line]),
            bound=float(limit[line]),
            message="" if passed else text,
        ),
        {"kl": float(np.abs(found).max())},
    )


_LAWS = {
    "Softmax": (_simplex, _log_error, _row_sum, _kl, _argmax, _top_k, _order),
    "LogSoftmax": (_simplex, _log_error, _row_sum, _kl, _argmax, _top_k, _order),
    "Sigmoid": (_simplex, _order),
    "Softplus": (_order,),
}
