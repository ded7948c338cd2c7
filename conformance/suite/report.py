"""The report of the suite: every judged case as JSON of a versioned schema, and in all forms of `FORMS`."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cases.case import Case
from ..measure.plain import as_json, plain
from ..reports.files import write_text
from ..reports.reproduction import write_reproductions
from ..reports.suite_html import render_html
from ..reports.suite_junit import render_junit
from ..reports.suite_markdown import render_markdown
from ..verdicts.cause import Cause
from ..verdicts.record import OUTCOMES, CaseRecord, Check, Fit, Worst
from ..verdicts.suite_record import SuiteRecord

FORMS = {"report.md": render_markdown, "junit.xml": render_junit, "report.html": render_html}
"""The files that `SuiteReport.write` makes of a report, besides ``report.json``, which is the source."""

SCHEMA = 1
"""Number of the JSON form that `SuiteReport.to_json` writes."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SuiteReport(SuiteRecord):
    """
    What `softops.conformance.run` found.

    Attributes
    ----------
    runtime, runtime_version
        What was run.
    entry
        Of a runtime of one's own: its module, what of it is the runtime, and the folder that it is imported from.
    softops_version, onnx_version, platform
        What it was judged by, and the system and processor it ran on.
    command
        What was asked for: the arguments of `run` by name.
    bound
        Whose bounds were applied: ``exact`` (what softops promises), ``strict`` (the derived ones), ``webnn`` or
        ``onnx``.
    bounds
        The bounds that the cases were judged by besides, so that their ``beyond`` speaks of them.
    seconds
        How long it took.
    cases
        A record of each case, in the order of the table of operators.
    vanished
        Known deviations, by the sentence they are listed with, of which cases that showed them were run and came
        out right.
    notes
        What a reader should know besides.
    causes
        What the failures look as if, new ones first (`softops.conformance.causes.likely`).
    """

    def write(self, directory: str | os.PathLike[str]) -> None:
        """
        Write all forms of the report into ``directory``, which is made if need be.

        Raises
        ------
        OSError
            The folder cannot be made or written to.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "report.json", self.to_json())
        write_reproductions(self, folder / "reproductions")
        # After these, whose folders they name.
        for name, render in FORMS.items():
            write_text(folder / name, render(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in what JSON knows; NaN and infinities as ``"nan"``, ``"inf"`` and ``"-inf"``."""
        own = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        own["cases"] = [record.to_dict() for record in self.cases]
        own["causes"] = [cause.to_dict() for cause in self.causes]
        result: dict[str, Any] = plain(
            {
                "schema": SCHEMA,
                "heading": self.heading,
                "computes_in": self.computes_in,
                "runs_on": self.runs_on,
                "passed": self.passed,
                "counts": self.counts,
                **own,
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON, a line for each case."""
        content = self.to_dict()
        cases = content.pop("cases")
        lines = ",\n".join(json.dumps(case, ensure_ascii=False, allow_nan=False) for case in cases)
        head = as_json(content, indent=1).removesuffix("\n}")
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
            own["causes"] = tuple(map(Cause.from_dict, own.get("causes", ())))
            own["seconds"] = float(own["seconds"])
            return cls(
                **own
                | {name: tuple(own[name]) for name in ("vanished", "notes", "bounds", "entry") if name in own}
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            found = f"one with a part missing or wrong: {error!r}"
            raise _unreadable(found) from error


def platform_here() -> str:
    """Return system, processor and Python of this process, as reports have them."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _unreadable(got: str) -> ValueError:
    return ValueError(
        f"expected a conformance report of schema {SCHEMA} as JSON (got {got}); "
        "write one with this version's softops conformance --report"
    )


def _record(given: dict[str, Any]) -> CaseRecord:
    case = {entry.name: given[entry.name] for entry in dataclasses.fields(Case)}
    own = {entry.name: given[entry.name] for entry in dataclasses.fields(CaseRecord) if entry.name in given}
    own |= _numbers(own, _NUMBERS)
    if own["outcome"] not in OUTCOMES:
        message = f"an outcome {own['outcome']!r}"
        raise ValueError(message)
    histogram = [(float(edge), int(count)) for edge, count in own.get("ulp_histogram", ())]
    checks = [Check(**check | _numbers(check, ("measured", "bound"))) for check in own.get("checks", ())]
    beyond = tuple((bound, tuple(failed)) for bound, failed in dict(own.get("beyond", {})).items())
    fits = tuple(Fit(**fit | _numbers(fit, ("low", "high"))) for fit in own.get("fits", ()))
    own |= {"ulp_histogram": tuple(histogram), "checks": tuple(checks), "beyond": beyond, "fits": fits}
    if "worst" in own:
        worst = own["worst"]
        names = ("error_ulp", "bound_ulp", *(("expected", "actual") if worst["dtype"] != "string" else ()))
        own["worst"] = Worst(**worst | _numbers(worst, names) | {"index": tuple(worst["index"])})
    return CaseRecord(case=Case(**case | {"shape": tuple(case["shape"])}), **own)


_NUMBERS = [entry.name for entry in dataclasses.fields(CaseRecord) if entry.type == "float | None"]


def _numbers(given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the numbers among these fields; "nan" and "inf" stand in JSON as texts."""
    found = {name: given[name] for name in names if name in given}
    return {name: float(value) if isinstance(value, str) else value for name, value in found.items()}
