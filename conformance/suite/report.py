"""The report of the suite: every judged case, as Python values and as JSON of a versioned schema."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..cases.case import Case
from ..verdicts.case_record import OUTCOMES, CaseRecord, Check, Outcome, Worst

SCHEMA = 1
"""Number of the JSON form that `SuiteReport.to_json` writes."""


@dataclass(frozen=True, kw_only=True)
class SuiteReport:
    """
    What `softops.conformance.run` found.

    Attributes
    ----------
    runtime, runtime_version
        What was run.
    softops_version, onnx_version, platform
        What it was judged by, and the system and processor it ran on.
    command
        What was asked for: the arguments of `run` by name.
    bound
        Whose bounds were applied: ``strict`` (the derived ones), ``webnn`` or ``onnx``.
    seconds
        How long it took.
    cases
        A record of each case, in the order of the table of operators.
    vanished
        Known deviations, by the sentence they are listed with, of which cases that showed them were run and came
        out right.
    notes
        What a reader should know besides.
    """

    runtime: str
    runtime_version: str
    softops_version: str
    onnx_version: str = ""
    platform: str = ""
    command: dict[str, Any] = dataclasses.field(default_factory=dict)
    bound: str = "strict"
    seconds: float = 0.0
    cases: tuple[CaseRecord, ...]
    vanished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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

    def write(self, directory: str | os.PathLike[str]) -> None:
        """
        Write all forms of the report into ``directory``, which is made if need be.

        Raises
        ------
        OSError
            The folder cannot be made or written to.
        """
        from ..reports.suite import write_files

        write_files(self, directory)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in what JSON knows; NaN and infinities as ``"nan"``, ``"inf"`` and ``"-inf"``."""
        own = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        own["cases"] = [record.to_dict() for record in self.cases]
        plain: dict[str, Any] = _json({"schema": SCHEMA, "passed": self.passed, "counts": self.counts, **own})
        return plain

    def to_json(self) -> str:
        """Return `to_dict` as JSON, a line for each case."""
        content = self.to_dict()
        cases = content.pop("cases")
        lines = ",\n".join(json.dumps(case, ensure_ascii=False, allow_nan=False) for case in cases)
        head = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
        return f'{head},\n "cases": [\n{lines}\n]\n}}'

    @classmethod
    def from_json(cls, text: str) -> SuiteReport:
        """
        Read what `to_json` wrote.

        Raises
        ------
        ValueError
            It is no JSON, or not a report of this schema.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            found = f"no JSON: {error}"
            raise _unreadable(found) from error
        if not isinstance(given, dict) or given.get("schema") != SCHEMA:
            found = f"schema {given.get('schema')!r}" if isinstance(given, dict) else "something else"
            raise _unreadable(found)
        try:
            known = {entry.name for entry in dataclasses.fields(cls)}
            own = {name: value for name, value in given.items() if name in known}
            own["cases"] = tuple(_record(entry) for entry in own["cases"])
            own["seconds"] = float(own["seconds"])
            return cls(**own | {name: tuple(own[name]) for name in ("vanished", "notes")})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found = f"one with a part missing or wrong: {error!r}"
            raise _unreadable(found) from error


def _unreadable(got: str) -> ValueError:
    return ValueError(
        f"expected a conformance report of schema {SCHEMA} as JSON (got {got}); "
        "write one with this version's softops conformance --report"
    )


def _record(given: dict[str, Any]) -> CaseRecord:
    case = {entry.name: given[entry.name] for entry in dataclasses.fields(Case)}
    case["shape"] = tuple(case["shape"])
    own: dict[str, Any] = {}
    for entry in dataclasses.fields(CaseRecord):
        if entry.name in given and entry.name != "case":
            value = given[entry.name]
            own[entry.name] = _number(value) if entry.name in _NUMBERS else value
    if own["outcome"] not in OUTCOMES:
        message = f"an outcome {own['outcome']!r}"
        raise ValueError(message)
    if "ulp_histogram" in own:
        own["ulp_histogram"] = tuple((float(edge), int(count)) for edge, count in own["ulp_histogram"])
    if "checks" in own:
        own["checks"] = tuple(
            Check(**check | {name: _number(check.get(name)) for name in ("measured", "bound")})
            for check in own["checks"]
        )
    if "worst" in own:
        worst = own["worst"]
        text = worst["dtype"] == "string"
        values = {name: worst[name] if text else _number(worst[name]) for name in ("expected", "actual")}
        numbers = {name: _number(worst[name]) for name in ("error_ulp", "bound_ulp")}
        own["worst"] = Worst(**worst | values | numbers | {"index": tuple(worst["index"])})
    return CaseRecord(case=Case(**case), **own)


_NUMBERS = {entry.name for entry in dataclasses.fields(CaseRecord) if entry.type == "float | None"}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
