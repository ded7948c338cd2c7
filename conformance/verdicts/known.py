"""
The deviations that are known: for each version of a runtime a file of its own.

``data/known-NAME-VERSION.json`` lists, under ``deviations``:

- ``cases``: patterns of case names (`Case.id`), ``*`` for anything; the version in a name
  is that of the operator, whichever opset is imported that it holds at, and a seed is not part of it;
- ``outcome``: ``wrong``, ``crashed`` or ``hung``; ``verdicts``: which of `VERDICTS` fail, for ``wrong``;
- ``at_most``: how large the error is at most, in units of the spacing at 1, for a precision that is absolute;
- ``bound``: the bound that it breaks, ``strict`` by default: by another one it is known where it breaks this one too;
- ``precision``: what the runtime computes in where it deviates so, as `CaseRecord.computes_in` has it (``bf16``);
  left out for any;
- ``processors``: those that alone show it, such as ``without bfloat16``, left out for all; such a deviation is never
  said to occur no longer;
- ``why``: one sentence on the cause; ``issue``: the upstream address, or ``not reported yet``;
- ``shown_by``: names of cases that show it, one at least for each pattern. The patterns also match cases that come out
  right, so these show that a deviation no longer occurs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from ..cases.calls import row_of
from ..cases.case import Case
from ..cases.families import dtype_of
from ..measure.ulp import unit_roundoff
from .record import CaseRecord

NOT_REPORTED = "not reported yet"


@dataclass(frozen=True)
class Deviation:
    """A known deviation: an entry of a file as the top of this module describes it."""

    cases: tuple[str, ...]
    outcome: str
    why: str
    issue: str = NOT_REPORTED
    verdicts: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()
    at_most: float | None = None
    bound: str = "strict"
    precision: str = ""
    processors: str = ""

    def holds_in(self, computes_in: str) -> bool:
        """Whether it is about a runtime that computes in that precision."""
        return self.precision in ("", computes_in)

    def speaks_of(self, record: CaseRecord) -> bool:
        """Whether it is about that case, whatever it was computed in."""
        return _expression(self.cases).match(_name_of(record.case)) is not None

    def explains(self, record: CaseRecord) -> bool:
        """Whether it is about that case, and what became of it."""
        if record.outcome != self.outcome or not self.holds_in(record.computes_in):
            return False
        if not self.speaks_of(record):
            return False
        failed = record.failed(self.bound)
        if self.outcome == "wrong" and not failed:
            return False
        listed = not self.verdicts or set(failed) <= set(self.verdicts)
        return listed and self._bounds(record.case, record.max_abs)

    def explains_step(self, case: Case, failed: Iterable[str], error: float | None) -> bool:
        """Whether it is about a node of a model that fails these verdicts, by an error of that size."""
        if self.outcome != "wrong" or not set(failed) <= set(self.verdicts):
            return False
        if not self._bounds(case, error):
            return False
        return _expression(self.cases).match(_name_of(case)) is not None

    def _bounds(self, case: Case, error: float | None) -> bool:
        """Whether an error is no larger than it says."""
        if self.at_most is None:
            return True
        spacing = 2 * unit_roundoff(dtype_of(case.dtype))
        return error is not None and error <= self.at_most * spacing


@dataclass(frozen=True)
class Known:
    """The deviations of one version of a runtime; ``version`` is the one they are listed for."""

    version: str
    deviations: tuple[Deviation, ...] = ()

    def is_of(self, version: str) -> bool:
        """Whether they are listed for that version, whatever build of it."""
        return _numbers(self.version) == _numbers(version)


@lru_cache(maxsize=1)  # it is asked for each deviation
def _name_of(case: Case) -> str:
    return replace(case, opset=row_of(case).since_version, seed=0).id


@cache
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))


def known_deviations(runtime: str, version: str) -> Known:
    """Return what is known of a runtime: of this version, or else of the nearest older, or the oldest one."""
    found = _files(_file_name(runtime))
    if not found:
        return Known(version)
    wanted = _numbers(version)
    older = [number for number in found if number <= wanted]
    number = max(older) if older else min(found)
    listed, text = found[number]
    return Known(listed, _parsed(text))


def marked(records: Iterable[CaseRecord], known: Known) -> tuple[tuple[CaseRecord, ...], tuple[str, ...]]:
    """
    Mark the cases that are known to deviate, and say which deviations no longer occur.

    A deviation no longer occurs as far as the cases that showed it were run, in its precision, and are right now.
    """
    found = list(records)
    result = []
    for record in found:
        mark = next((deviation for deviation in known.deviations if deviation.explains(record)), None)
        result.append(record if mark is None else replace(record, known=mark.issue))
    run_of = {record.id: record for record in found if record.outcome != "unsupported"}
    gone = []
    for deviation in known.deviations:
        if deviation.processors:
            continue
        ran = (run_of[name] for name in deviation.shown_by if name in run_of)
        run = [record.id for record in ran if deviation.holds_in(record.computes_in)]
        right = [name for name in run if run_of[name].keeps(deviation.bound)]
        if right:
            rest = "" if right == run else f" (no longer in {', '.join(right)})"
            gone.append(deviation.why + rest)
    return tuple(result), tuple(gone)


def _files(runtime: str) -> dict[tuple[int, ...], tuple[str, str]]:
    folder = files("softops.conformance") / "data"
    found = {}
    pattern = re.compile(rf"known-{re.escape(runtime)}-([0-9.]+)\.json")
    for entry in folder.iterdir() if folder.is_dir() else ():
        if match := pattern.fullmatch(entry.name):
            found[_numbers(match[1])] = (match[1], entry.read_text("utf-8"))
    return found


def _file_name(runtime: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", runtime.partition(":")[0])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))


def _parsed(text: str) -> tuple[Deviation, ...]:
    return tuple(map(_deviation, json.loads(text)["deviations"]))


def _deviation(entry: dict[str, Any]) -> Deviation:
    fields: dict[str, Any] = {
        name: tuple(part) if isinstance(part, list) else part for name, part in entry.items()
    }
    return Deviation(**fields)
