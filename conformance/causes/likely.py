"""What the failures of a run look as if: the hypotheses that enough of its cases support, and none refutes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..cases.case import Case
from ..verdicts.cause import Cause
from ..verdicts.record import CaseRecord, Fit
from .hypotheses import HYPOTHESES, fit_of_right
from .numbers import between
from .words import axis_of, listed, natural, operator_of, size_of, where

Records = Sequence[CaseRecord]

_MOST_RIGHT = 200
"""So many right cases of an operator in a dtype are asked whether they speak against what explains its wrong ones."""


_NARROWED: tuple[tuple[str, ...], ...] = ((), ("setting",), ("form",), ("setting", "form"), ("variant",))
"""What a hypothesis may hold for alone, where it does not hold throughout."""

_SAID = ("outputs", "dtype", "shape", "determinism", "threads", "inputs")
"""Verdicts that say themselves what is wrong."""

_UNWRAPPED = re.compile(r"expected .+ to run the model \(got (.*)\); look at its operators and opset")
"""What a runtime said, without what is said around it."""

_PLACES = {name: place for place, name in enumerate(HYPOTHESES)}


@dataclass(frozen=True)
class _Claim:
    """A hypothesis with its number, and the cases of one operator in one dtype that it explains."""

    name: str
    number: str
    only: str
    records: tuple[CaseRecord, ...]
    failing: int
    tested: int


def likely_causes(records: Iterable[CaseRecord]) -> tuple[Cause, ...]:
    """
    Return what the failures of a run look as if, new ones before known ones, each the most frequent first.

    A hypothesis is claimed for an operator in a dtype where it explains at least half of the cases that are wrong in
    its manner and not explained before, and where no case that came out right would have come out otherwise. The same
    hypothesis for several operators and dtypes is one cause; what no hypothesis explains stands by operator and
    verdict, and what crashed by what was said.
    """
    groups: dict[tuple[str, str], list[CaseRecord]] = {}
    rest: dict[tuple[str, ...], list[CaseRecord]] = {}
    for record in records:
        groups.setdefault((operator_of(record), record.dtype), []).append(record)
        if record.outcome not in ("right", "wrong", "unsupported"):
            rest.setdefault((record.outcome, _pattern(record.message)), []).append(record)
    claims: dict[tuple[str, str, str], list[_Claim]] = {}
    for group in groups.values():
        found = _claims(group)
        for claim in found:
            claims.setdefault((claim.name, claim.number, claim.only), []).append(claim)
        explained = {id(record) for claim in found for record in claim.records}
        for record in group:
            if record.outcome == "wrong" and id(record) not in explained:
                rest.setdefault((operator_of(record), record.verdict), []).append(record)
    causes = [_cause(*key, parts) for key, parts in claims.items()]
    causes += [_unexplained(found) for found in rest.values()]
    return tuple(sorted(causes, key=lambda cause: (not cause.new, not cause.name, -cause.cases)))


def _claims(group: Records) -> list[_Claim]:
    """Return what explains the wrong cases of one operator in one dtype."""
    left = [record for record in group if record.outcome == "wrong"]
    right = [record for record in group if record.outcome == "right"] if left else []
    right = right[:: len(right) // _MOST_RIGHT + 1]
    asked = _Asked()
    claims: list[_Claim] = []
    refused: set[str] = set()
    while True:
        fitting: dict[str, list[CaseRecord]] = {}
        for record in left:
            for fit in record.fits:
                if fit.name in HYPOTHESES and fit.name not in refused:
                    fitting.setdefault(fit.name, []).append(record)
        if not fitting:
            return claims
        name = min(fitting, key=lambda name: (-len(fitting[name]), _PLACES[name]))
        claim = _claimed(name, fitting[name], left, right, asked)
        refused.add(name)
        if claim is not None:
            claims.append(claim)
            taken = {id(record) for record in claim.records}
            left = [record for record in left if id(record) not in taken]


def _claimed(name: str, explained: Records, left: Records, right: Records, asked: _Asked) -> _Claim | None:
    opsets, verdicts = ({getattr(record, part) for record in explained} for part in ("opset", "verdict"))
    alike = [record for record in left if record.opset in opsets and record.verdict in verdicts]
    weak = sum(fit.weak for record in explained for fit in record.fits if fit.name == name)
    if 2 * len(explained) < len(alike) or 2 * weak > len(explained):
        return None
    beside = [record for record in right if record.opset in opsets]
    # Where nothing is right, what explains a few cases alone explains them by chance.
    if not beside and 2 * len(explained) < sum(record.opset in opsets for record in left):
        return None
    for parts in _NARROWED:
        inside = {part: {getattr(record, part) for record in explained} for part in parts}
        near = [r for r in beside if all(getattr(r, part) in values for part, values in inside.items())]
        found = _number(name, explained, [asked.fit(name, record.case) for record in near])
        if found is not None:
            only = "; ".join(
                f"{part} {listed(value or 'none' for value in sorted(inside[part]))}" for part in parts
            )
            return _Claim(name, found[0], only, tuple(explained), len(alike), found[1])
    return None


def _number(name: str, explained: Records, told: list[Fit | bool | None]) -> tuple[str, int] | None:
    """Return the open number in words, and how many right cases are asked; None where one speaks against it."""
    if any(fit is False for fit in told):
        return None
    agreeing = [fit for fit in told if isinstance(fit, Fit)]
    found = [fit for record in explained for fit in record.fits if fit.name == name]
    low = max((fit.low for fit in found if fit.low is not None), default=None)
    if low is None:
        return "", len(agreeing)
    high = min(fit.high for fit in (*found, *agreeing) if fit.high is not None)
    return (between(low, high), len(agreeing)) if low <= high else None


class _Asked:
    """How hypotheses fit the right outputs of cases; each is asked once, whatever its graph and setting."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Case], Fit | bool | None] = {}

    def fit(self, name: str, case: Case) -> Fit | bool | None:
        """Return what `fits_of_right` says of one hypothesis."""
        alone = replace(case, form="plain", setting="")
        if (name, alone) not in self._known:
            self._known[name, alone] = fit_of_right(name, alone)
        return self._known[name, alone]


def _cause(name: str, number: str, only: str, claims: list[_Claim]) -> Cause:
    records = [record for claim in claims for record in claim.records]
    failing, tested = sum(claim.failing for claim in claims), sum(claim.tested for claim in claims)
    against = f", and none of {tested:,} right ones speaks against it" if tested else ""
    evidence = f"Explains {len(records):,} of {failing:,} such wrong cases{against}."
    words = HYPOTHESES[name].words.format(number)
    more = {"name": name, "evidence": evidence, "failing": failing, "tested": tested}
    return _of(records, f"as if {words}" + (f" ({only} only)" if only else ""), **more)


def _unexplained(records: list[CaseRecord]) -> Cause:
    first = min(records, key=size_of)
    message = _UNWRAPPED.sub(r"\1", " ".join(first.message.split()))
    if first.outcome == "wrong":
        sentence = message if first.verdict in _SAID else f"no cause recognised; {message}"
    else:
        sentence = f"{first.outcome}: {message}" if message else first.outcome
    return _of(records, sentence, name="", failing=len(records))


def _of(records: list[CaseRecord], sentence: str, **more: Any) -> Cause:
    first = min(records, key=size_of)
    return Cause(
        outcome=first.outcome,
        sentence=sentence,
        where=where(records),
        operators=tuple(dict.fromkeys(map(operator_of, records))),
        opsets=tuple(sorted({record.opset for record in records})),
        dtypes=tuple(dict.fromkeys(record.dtype for record in records)),
        axes=tuple(sorted({axis_of(record) for record in records}, key=natural)),
        families=tuple(dict.fromkeys(record.family for record in records)),
        cases=len(records),
        known=sum(record.known is not None for record in records),
        example=first.id,
        **more,
    )


def _pattern(message: str) -> str:
    """Return a message without its numbers and quoted names, for those that say the same."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|0x[0-9a-f]+|\d+", "*", " ".join(message.split()))[:200]
