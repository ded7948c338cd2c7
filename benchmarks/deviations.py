"""``python -m benchmarks.deviations``: the page on known deviations, each with its smallest case run anew."""

from __future__ import annotations

import math
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from softops.conformance.case import Case
from softops.conformance.case_record import CaseRecord
from softops.conformance.examiner import Examiner
from softops.conformance.grid import cases
from softops.conformance.known import NOT_REPORTED, Deviation, Known, known_deviations
from softops.conformance.report_text import worst_table
from softops.conformance.runtimes import RuntimeNotInstalledError, get_runtime, settings_of, version_of

from .results import write_atomically

RUNTIMES = ("onnxruntime", "onnx.reference", "openvino")

_HEAD = """\
# Where runtimes deviate

Made by `python -m benchmarks.deviations`, from the lists in `conformance/data` that `softops conformance` judges by.
Each deviation has its cause, the smallest case that shows it, run when this page was made, and the upstream issue where
there is one. The command of an entry runs its case, and those that differ from it in axis, shape and graph alone; with
`--report DIR` it writes `DIR/reproductions`, a folder for each kind of failure with the model, the inputs, the expected
outputs, a script that needs only the runtime, and a text to be filed upstream.
"""


def run(
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
) -> None:
    """Run the smallest case of every known deviation and write the page."""
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
            every = sorted(cases(settings=settings_of(runtime)), key=_simplicity)
            examiner = Examiner(runtime)
            parts += [
                entry(name, deviation, smallest(examiner, every, deviation))
                for deviation in progress.track(known.deviations, description=name)
            ]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    if docs:
        write_atomically(docs, text)
    else:
        print(text)


def smallest(examiner: Examiner, every: list[Case], deviation: Deviation) -> CaseRecord | None:
    """Return the first case that a deviation explains; None where there is none any more."""
    for case in every:
        if deviation.speaks_of(CaseRecord(case=case, outcome="right")):
            record = examiner.examine(case)
            if deviation.explains(record):
                return record
    return None


def entry(runtime: str, deviation: Deviation, record: CaseRecord | None) -> str:
    """Return the section of a deviation."""
    title = ", ".join(f"`{pattern}`" for pattern in deviation.cases)
    upstream = deviation.issue if deviation.issue != NOT_REPORTED else "not reported"
    outcome = (
        f"{deviation.outcome} ({', '.join(deviation.verdicts)})" if deviation.verdicts else deviation.outcome
    )
    lines = [f"### {deviation.why}", f"- cases: {title}\n- outcome: {outcome}\n- upstream: {upstream}"]
    if record is None:
        return "\n\n".join([*lines, "No case shows it any more."])
    op = f"{record.domain}.{record.op}" if record.domain else record.op
    command = (
        f"softops conformance --runtime {runtime} --ops {op} --opsets {record.opset} "
        f"--dtypes {record.dtype} --families {record.family}"
    )
    lines += [
        f"Smallest case `{record.id}`: {' '.join(record.message.split())}".replace("<", "\\<"),
        f"    {command}",
    ]
    return "\n\n".join([*lines, worst_table(record)] if record.worst else lines)


def _simplicity(case: Case) -> tuple[bool, bool, bool, int]:
    size = math.prod(case.shape)
    return bool(case.setting), case.form != "plain", not size, size


def listed() -> dict[str, Known]:
    """Return the lists that the page is made of, by ``NAME-VERSION``."""
    found = {}
    for name in RUNTIMES:
        for path in (files("softops.conformance") / "data").iterdir():
            if path.name.startswith(f"known-{name}-"):
                version = path.name.removeprefix(f"known-{name}-").removesuffix(".json")
                found[f"{name} {version}"] = known_deviations(name, version)
    return found


if __name__ == "__main__":
    typer.run(run)
