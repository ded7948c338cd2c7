"""
``python -m tools.deviations``: the page on known deviations, each with a case that shows it, run anew.

What the page says of releases (`tools.releases`) stays. With ``--lists`` it also looks for the cases that show each
deviation and writes them into the lists.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.results import write_atomically
from softops.conformance.cases.case import Case
from softops.conformance.cases.grid import cases
from softops.conformance.errors import RuntimeNotInstalledError
from softops.conformance.measure.precision import WORDS
from softops.conformance.reports.suite_markdown import worst_table
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.runtimes.protocol import Runtime, precision_of, settings_of, version_of
from softops.conformance.suite.examiner import Examiner
from softops.conformance.verdicts.known import NOT_REPORTED, Deviation, Known, known_deviations
from softops.conformance.verdicts.record import CaseRecord

from .releases_page import kept_section

RUNTIMES = ("onnxruntime", "onnx.reference", "openvino", "torch")

_HEAD = """\
# Where runtimes deviate

Made by `python -m tools.deviations`, from the lists in `conformance/data` that `softops conformance` judges by.
Each deviation has its cause, a small case that shows it, run when this page was made, and the upstream issue where
there is one. The command of an entry runs its case, and those that differ from it in axis, shape and graph alone; with
`--report DIR` it writes `DIR/reproductions`, a folder for each kind of failure with the model, the inputs, the expected
outputs, a script that needs only the runtime, and a text to be filed upstream.
"""


def run(
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
    *,
    lists: Annotated[bool, typer.Option(help="Write anew into the lists what shows each deviation.")] = False,
) -> None:
    """Run a case of every known deviation and write the page."""
    warnings.simplefilter("ignore")  # runtimes warn of the very cases that are put to them
    parts = [_HEAD]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for name in RUNTIMES:
            try:
                runtime = get_runtime(name)
            except RuntimeNotInstalledError as error:
                message = f"{error}: the page lists all of {', '.join(RUNTIMES)}"
                raise SystemExit(message) from error
            known = known_deviations(name, version_of(runtime))
            parts.append(f"## {name} {known.version}")
            examiners: dict[str, Examiner] = {}
            every = in_order(settings_of(runtime))
            shown: list[list[CaseRecord]] = []
            for deviation in progress.track(known.deviations, description=name):
                wanted = set(deviation.shown_by)
                listed = every if lists else [case for case in every if case.id in wanted]
                setting = precision_setting(runtime, deviation)
                if setting not in examiners:
                    examiners[setting] = Examiner(get_runtime(f"{name}:{setting}" if setting else name))
                shown.append(showing(examiners[setting], listed, deviation))
                if deviation.processors and not shown[-1]:
                    shown[-1] = [untried(case) for case in every if case.id in deviation.shown_by]
                parts.append(entry(f"{name}:{setting}" if setting else name, deviation, simplest(shown[-1])))
            if lists:
                write_shown(name, known, shown)
    if docs is not None and docs.exists():
        parts.append(kept_section(docs.read_text("utf-8")))
    text = "\n\n".join(part.strip() for part in parts if part) + "\n"
    if docs:
        write_atomically(docs, text)
    else:
        print(text)


def precision_setting(runtime: Runtime, deviation: Deviation) -> str:
    """
    Return the setting of the runtime that a deviation is shown in: that of its precision, or else float32.

    Empty where the runtime has no choice, so that the page is the same on every processor that has the precisions.
    """
    full = precision_of(runtime).full
    return f"precision={deviation.precision}" if full and deviation.precision else full


def in_order(settings: tuple[str, ...]) -> list[Case]:
    """Return every case: first those that a quick run has too, and of both the simple ones first."""
    quick = {case.id for case in cases(settings=settings, depth="quick")}
    return sorted(cases(settings=settings), key=lambda case: (case.id not in quick, *_simplicity(case)))


def showing(examiner: Examiner, every: list[Case], deviation: Deviation) -> list[CaseRecord]:
    """Return for each pattern of a deviation the first case that it explains, as far as there is one."""
    found: dict[str, CaseRecord] = {}
    for pattern in deviation.cases:
        one = replace(deviation, cases=(pattern,))
        for case in every:
            if one.speaks_of(CaseRecord(case=case, outcome="right")):
                record = examiner.examine(case)
                if one.explains(record):
                    found.setdefault(record.id, record)
                    break
    return list(found.values())


def untried(case: Case) -> CaseRecord:
    """Return the record of a case that other processors show than the one at hand."""
    return CaseRecord(
        case=case, outcome="right", message="seen on other processors than where this page was made"
    )


def simplest(records: list[CaseRecord]) -> CaseRecord | None:
    """Return the simplest of them; None of none."""
    return min(records, key=lambda record: _simplicity(record.case), default=None)


def write_shown(runtime: str, known: Known, shown: list[list[CaseRecord]]) -> None:
    """Write into the list of a runtime which cases show each of its deviations."""
    path = Path(str(files("softops.conformance") / "data" / f"known-{runtime}-{known.version}.json"))
    content = json.loads(path.read_text("utf-8"))
    for given, records in zip(content["deviations"], shown, strict=True):
        given["shown_by"] = [record.id for record in records]
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def entry(runtime: str, deviation: Deviation, record: CaseRecord | None) -> str:
    """Return the section of a deviation."""
    title = ", ".join(f"`{pattern}`" for pattern in deviation.cases)
    upstream = deviation.issue if deviation.issue != NOT_REPORTED else "not reported"
    outcome = (
        f"{deviation.outcome} ({', '.join(deviation.verdicts)})" if deviation.verdicts else deviation.outcome
    )
    facts = f"- cases: {title}\n- outcome: {outcome}\n- upstream: {upstream}"
    if deviation.precision:
        facts += f"\n- computed in: {WORDS.get(deviation.precision, deviation.precision)}"
    if deviation.processors:
        facts += f"\n- processors: {deviation.processors}"
    lines = [f"### {deviation.why}", facts]
    if record is None:
        return "\n\n".join([*lines, "No case shows it any more."])
    op = f"{record.domain}.{record.op}" if record.domain else record.op
    command = (
        f"softops conformance --runtime {runtime} --ops {op} --opsets {record.opset} "
        f"--dtypes {record.dtype} --families {record.family}"
    )
    lines += [
        f"Shown by `{record.id}`: {' '.join(record.message.split())}".replace("<", "\\<"),
        f"    {command}",
    ]
    return "\n\n".join([*lines, worst_table(record)] if record.worst else lines)


def _simplicity(case: Case) -> tuple[bool, bool, bool, int]:
    size = math.prod(case.shape)
    return bool(case.setting), case.form != "plain", not size, size


if __name__ == "__main__":
    typer.run(run)
