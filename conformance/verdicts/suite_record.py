"""What was found in a run of the suite, as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..measure.brief import Brief, Briefed, Table
from ..measure.numbers import DASH
from ..measure.precision import heading
from .cause import Cause
from .record import OUTCOMES, CaseRecord, Outcome


@dataclass(frozen=True, kw_only=True, repr=False)
class SuiteRecord(Briefed):
    """The fields of `softops.conformance.SuiteReport`, which are explained there, and what follows from them."""

    runtime: str
    runtime_version: str
    softops_version: str
    onnx_version: str = ""
    platform: str = ""
    entry: tuple[str, ...] = ()
    command: dict[str, Any] = field(default_factory=dict)
    bound: str = "strict"
    bounds: tuple[str, ...] = ()
    seconds: float = 0.0
    cases: tuple[CaseRecord, ...]
    vanished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def computes_in(self) -> tuple[str, ...]:
        """The precisions that the runtime said it computes in, by their short names, each once."""
        return tuple(dict.fromkeys(record.computes_in for record in self.cases if record.computes_in))

    @property
    def runs_on(self) -> tuple[str, ...]:
        """The devices or providers that it said it ran on, each once."""
        return tuple(dict.fromkeys(record.runs_on for record in self.cases if record.runs_on))

    @property
    def heading(self) -> str:
        """The first line of every form of the report: runtime, version, devices and precision."""
        return heading(self.runtime, self.runtime_version, self.computes_in, self.runs_on)

    @property
    def compared(self) -> int:
        """Number of the cases of which elements were compared, right or wrong."""
        return sum(record.outcome in ("right", "wrong") and record.elements > 0 for record in self.cases)

    @property
    def unexpected(self) -> tuple[CaseRecord, ...]:
        """The cases that keep the report from passing: neither right, nor unsupported, nor known."""
        return tuple(
            record
            for record in self.cases
            if record.outcome not in ("right", "unsupported") and record.known is None
        )

    @property
    def passed(self) -> bool:
        """Whether something was compared, and nothing went wrong that is not known."""
        return self.compared > 0 and not self.unexpected

    @property
    def verdict(self) -> str:
        """What was found in a few words: what is new, and how much is known."""
        if not self.compared:
            return "nothing was compared"
        known = sum(record.known is not None and record.outcome != "right" for record in self.cases)
        listed = f" ({known:,} known)" if known else ""
        if self.passed:
            return f"no new deviations{listed}" if known else "all right"
        counted = Counter(record.outcome for record in self.unexpected)
        return ", ".join(f"{counted[one]:,} {one}" for one in OUTCOMES if counted[one]) + listed

    @property
    def counts(self) -> dict[Outcome, int]:
        """Number of cases of each outcome, in the order of `OUTCOMES`."""
        counted = Counter(record.outcome for record in self.cases)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @property
    def brief(self) -> Brief:
        """How many cases have which outcome, and what is neither right nor known, by operator and kind."""
        counted = Counter(record.outcome for record in self.cases if record.known is None)
        known = len(self.cases) - counted.total()
        parts = [f"{counted[outcome]:,} {outcome}" for outcome in OUTCOMES if counted[outcome]]
        parts += [f"{known:,} known to deviate"] if known else []
        kinds: dict[tuple[str, ...], list[CaseRecord]] = {}
        for record in self.unexpected:
            kind = (record.case.id.partition("/")[0], record.outcome, record.verdict or record.message)
            kinds.setdefault(kind, []).append(record)
        rows = [
            (operator, outcome, found[0].verdict or DASH, f"{len(found):,}", found[0].id)
            for (operator, outcome, _), found in kinds.items()
        ]
        tables = [Table(("operator", "outcome", "fails by", "cases", "the first"), rows)] if rows else []
        verdict = self.verdict if self.passed else "not all right" if self.compared else "nothing compared"
        sentences = [f"{len(self.cases):,} cases: {', '.join(parts) or 'none was run'}"]
        sentences += [f"{cause.where}: {cause.sentence}" for cause in self.causes if cause.new][:3]
        if not self.causes:
            sentences += [f"{found[0].id}: {found[0].message}" for found in list(kinds.values())[:3]]
        return Brief(self.heading, verdict, self.passed, tables, [*sentences, *self.notes])
