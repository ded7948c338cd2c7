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
    the second order: with relative errors of at most r it is at most Σ p·r²/2/(1 − r), with logarithms that are off
    by at most a, so that q = p·exp(±a), at most Σ p·a²/2·exp(a).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.case import Case
from ..cases.rows import TOP
from ..measure.errors import Errors
from ..measure.metrics import largest_place
from ..measure.ulp import Doubles
from .lines import Lines, Wide
from .record import Check

Judged = tuple[Check, dict[str, Any]]
Law = Callable[[Lines, bool], Judged]
"""A function of (lines, whether the allowances are other people's), which gives a check and figures of the record."""


def keep(
    laws: Sequence[Law], case: Case, x: NDArray[Any], found: Errors, *, loose: bool
) -> tuple[list[Check], dict[str, Any]]:
    """
    Judge whether an operator's output keeps its laws: the checks, and the figures of a record.

    ``loose`` says that the allowances are other people's: the order is then held to those alone.
    """
    checks, figures = list[Check](), dict[str, Any]()
    cut = Lines(case, x, found) if laws and found.exact.size else None
    if cut is not None and cut.y.size:
        with np.errstate(all="ignore"):
            for law in laws:
                check, more = law(cut, loose)
                checks.append(check)
                figures.update(more)
    return checks, figures


def _slack(cut: Lines, loose: bool) -> Doubles:
    return np.asarray(np.maximum(cut.order_slack, 2 * cut.allowed) if loose else cut.order_slack)


def _check(name: str, passed: bool, measured: float, bound: float | None, text: str) -> Check:
    return Check(name=name, passed=passed, measured=measured, bound=bound, message="" if passed else text)


def order(cut: Lines, loose: bool) -> Judged:
    """Judge whether larger inputs have larger outputs, and equal ones equal ones."""
    sorting = cut.x.argsort(axis=1, kind="stable")
    x, y, slack = (np.take_along_axis(array, sorting, 1) for array in (cut.x, cut.y, _slack(cut, loose)))
    short = y[:, :-1] - y[:, 1:] - slack[:, 1:]
    # Equal inputs have equal outputs, so the other way round as well.
    short = np.where(x[:, 1:] == x[:, :-1], np.maximum(short, y[:, 1:] - y[:, :-1] - slack[:, 1:]), short)
    count, text = int((short > 0).sum()), ""
    if count:
        line, place = np.unravel_index(int(np.nanargmax(short)), short.shape)
        pair = f"{float(x[line, place])!r} and {float(x[line, place + 1])!r}"
        given = f"{float(y[line, place])!r} and {float(y[line, place + 1])!r}"
        text = f"line {line}: {pair} gave {given}, in the wrong order ({count} such neighbours)"
    return _check("order", not count, count, 0, text), {"order_violations": count}


def argmax(cut: Lines, loose: bool) -> Judged:
    """Judge the largest element."""
    wrong, agreement = _decisions(cut, loose, 1)
    text = f"the largest element of {wrong} lines is not that of the exact output"
    return _check("argmax", not wrong, agreement, 1, text), {"argmax_agreement": agreement}


def top_k(cut: Lines, loose: bool) -> Judged:
    """Judge the five largest."""
    wrong, agreement = _decisions(cut, loose, TOP)
    text = f"the {TOP} largest elements of {wrong} lines are not those of the exact output"
    return _check("top-k", not wrong, agreement, 1, text), {"topk_agreement": agreement}


def _decisions(cut: Lines, loose: bool, k: int) -> tuple[int, float]:
    """Return the lines whose k largest are others than allowed, and the share that agree."""
    k = min(k, cut.y.shape[1])
    chosen = (-cut.y).argsort(axis=1, kind="stable")[:, :k]
    slack = _slack(cut, loose)
    least = -np.partition(-cut.exact, k - 1, axis=1)[:, k - 1 : k]
    reached = np.take_along_axis(cut.exact, chosen, 1) + 2 * np.take_along_axis(slack, chosen, 1)
    wrong = (reached < least).any(axis=1)
    return int(wrong.sum()), 1 - float(wrong.mean())


def row_sum(cut: Lines, loose: bool) -> Judged:
    """Judge the sum of each line of probabilities."""
    if cut.logarithmic:
        off = np.abs(np.exp(cut.y).sum(axis=1) - 1)
        allowed = (np.exp(cut.exact) * np.expm1(np.minimum(cut.allowed, 700))).sum(axis=1)
    else:
        off, allowed = np.abs(cut.y.sum(axis=1) - 1), cut.allowed.sum(axis=1)
    # The sum is itself rounded here.
    allowed = allowed + cut.y.shape[1] * 2.0**-60 + 4 * np.finfo(cut.y.dtype).eps
    line = int((off / allowed).argmax())
    measured, bound = float(off[line]), float(allowed[line])
    text = f"line {line}: its sum is {measured:.3g} from 1, {bound:.3g} is allowed"
    check = _check("row sum", bool((off <= allowed).all()), measured, bound, text)
    return check, {"row_sum_error": float(off.max())}


def simplex(cut: Lines, loose: bool) -> Judged:
    """Judge whether every element lies in [0, 1], and every logarithm in [-inf, 0]."""
    top = 0.0 if cut.logarithmic else 1.0
    low = 0.0 if cut.logarithmic else float(np.maximum(-cut.y, 0).max())
    high = float(np.maximum(cut.y - top, 0).max())
    # A LogSoftmax of nearly 0 is a small difference of larger numbers.
    slack = (
        float(cut.allowed.max()) if cut.logarithmic or loose else 4 * cut.u + float(cut.half_spacing.max())
    )
    worst = max(low, high)
    text = f"an element lies {worst:.3g} outside [{'-inf, 0' if cut.logarithmic else '0, 1'}]"
    return _check("simplex", low == 0 and high <= slack, worst, slack, text), {"simplex_violation": worst}


def _logs(cut: Lines) -> tuple[Wide, Doubles]:
    """Return the errors of the logarithms, and how far they may be off: inf where nothing is asked."""
    if cut.logarithmic:
        off = np.where(np.isneginf(cut.exact) & np.isneginf(cut.y), 0, np.abs(cut.y - cut.exact))
        return off, cut.allowed
    relative = (cut.allowed / cut.exact).astype(np.float64)
    allowed = np.where((cut.exact > 0) & (relative < 1), -np.log1p(-np.minimum(relative, 1)), np.inf)
    off = np.where(cut.exact > 0, np.abs(np.log(np.maximum(cut.y, 0)) - np.log(cut.exact)), 0)
    return off, np.asarray(allowed * (1 + 1e-12) + 1e-15)


def log_error(cut: Lines, loose: bool) -> Judged:
    """Judge the logarithm of every element."""
    off, allowed = _logs(cut)
    asked = np.isfinite(allowed)
    worst = float(off[asked].max(initial=0))
    wrong = asked & ~(off <= allowed)
    text, bound = "", None
    if asked.any():
        place = largest_place(np.where(asked, off / allowed, 0))
        y, exact, bound = float(cut.y[place]), float(cut.exact[place]), float(allowed[place])
        text = (
            f"line {place[0]}, place {place[1]}: {y!r} for {exact!r}, its logarithm is "
            f"{float(off[place]):.3g} off, {bound:.3g} is allowed ({int(wrong.sum())} such elements)"
        )
    return _check("log error", not wrong.any(), worst, bound, text), {"max_log": worst}


def kl(cut: Lines, loose: bool) -> Judged:
    """Judge the divergence of each line from the exact one."""
    off, allowed = _logs(cut)
    asked = np.isfinite(allowed)
    p = np.exp(cut.exact) if cut.logarithmic else cut.exact
    q = np.exp(cut.y) if cut.logarithmic else cut.y
    ratio = cut.exact - cut.y if cut.logarithmic else np.log(cut.exact / np.maximum(cut.y, 0))
    # Where nothing is asked of an element, so small is it, it is left out.
    parts = np.where(asked & (p > 0) & (off > 0), p * ratio - p + q, 0)
    a = np.minimum(allowed, 700)
    relative = -np.expm1(-a)
    second = a**2 / 2 * np.exp(a) if cut.logarithmic else relative**2 / 2 / np.maximum(1 - relative, 1e-3)
    limits = np.where(asked & (p > 0), p * second, 0)
    found = parts.sum(axis=1)
    # What the sum here is itself off by.
    limit = limits.sum(axis=1) * (1 + 1e-6) + 16 * float(np.finfo(cut.y.dtype).eps)
    line = int((np.abs(found) / limit).argmax())
    measured, bound = float(found[line]), float(limit[line])
    text = f"line {line}: {measured:.3g} nats from the exact distribution, {bound:.3g} allowed"
    check = _check("kl", bool((np.abs(found) <= limit).all()), measured, bound, text)
    return check, {"kl": float(np.abs(found).max())}


PROBABILITIES: tuple[Law, ...] = (simplex, log_error, row_sum, kl, argmax, top_k, order)
"""The laws of lines of probabilities, and of their logarithms."""
