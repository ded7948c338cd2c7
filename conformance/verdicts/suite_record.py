"""What was found in a run of the suite, as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..measure.precision import heading
from .record import OUTCOMES, CaseRecord, Outcome


@dataclass(frozen=True, kw_only=True)
class SuiteRecord:
    """The fields of `softops.conformance.SuiteReport`, which are explained there, and what follows from them."""

    runtime: str
    runtime_version: str
    softops_version: str
    onnx_version: str = ""
    platform: str = ""
    command: dict[str, Any] = field(default_factory=dict)
    bound: str = "strict"
    bounds: tuple[str, ...] = ()
    seconds: float = 0.0
    cases: tuple[CaseRecord, ...]
    vanished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
    def counts(self) -> dict[Outcome, int]:
        """Number of cases of each outcome, in the order of `OUTCOMES`."""
        counted = Counter(record.outcome for record in self.cases)
        return {outcome: counted[outcome] for outcome in OUTCOMES}
