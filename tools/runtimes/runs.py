"""A runtime installed and judged in an environment of its own, and what is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import write_atomically
from softops.conformance import SuiteReport

from ..environments import ROOT, installed, installed_by_npm, interpreter, renewed
from .causes import Cause, causes_of, operators_of
from .table import Entry

RUNS = Path(__file__).parent / "runs"
"""Where the runs are kept that the page was made from, a file for each runtime."""

SECONDS = 120
"""How long a model may take to load or to run."""

_JUDGED = (0, 1, 3)
"""Exit codes of a run that came to an end: right, not right, nothing to compare."""

_SUITE = "from softops.cli.main import main; main()"

_CLANG = """\
#!/bin/sh
# clang for {python}, of the package ziglang, which knows the target by another name and adds debug information.
for word do
    shift
    case "$word" in --target=*-none-unknown-elf) word="${{word%-none-unknown-elf}}-freestanding-none" ;; esac
    set -- "$@" "$word"
done
exec "{python}" -m ziglang cc -g0 -fno-sanitize=undefined "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """
    What is kept of a run.

    Attributes
    ----------
    name, runtime, version, date, depth, platform, seconds
        The column, what `softops conformance` was asked for, and when, how far and where it was run.
    problem
        Why it could not be installed or started, in one line; then there is nothing else.
    operators
        By operator the number of cases of each status, see `softops.conformance.reports.summary.STATUSES`.
    causes
        Why cases are not right, the most frequent first.
    """

    name: str
    runtime: str
    date: str
    version: str = ""
    depth: str = "quick"
    platform: str = ""
    seconds: float = 0.0
    problem: str = ""
    operators: dict[str, dict[str, int]] = field(default_factory=dict)
    causes: list[Cause] = field(default_factory=list)


def write(run: Run, folder: Path = RUNS) -> None:
    """Keep a run."""
    folder.mkdir(exist_ok=True)
    write_atomically(
        folder / f"{run.name}.json", json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n"
    )


def read(name: str, folder: Path = RUNS) -> Run | None:
    """Return the run that is kept of a runtime; None where there is none."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    given = json.loads(path.read_text("utf-8"))
    return Run(**given | {"causes": [Cause(**cause) for cause in given["causes"]]})


def made(entry: Entry, folder: Path, depth: str) -> Run:
    """Install a runtime below a folder, judge it and return what was found, be it that it cannot be run."""
    home, date = folder / "environments" / entry.name, datetime.now(UTC).date().isoformat()
    home.parent.mkdir(exist_ok=True)
    failed = Run(name=entry.name, runtime=entry.asked, date=date, depth=depth, problem="it was not run")
    source = folder / "source"
    done = renewed(home, source) if _is_whole(entry, home) else installed(home, entry.packages, source)
    if done.returncode:
        return replace(failed, problem=f"pip could not install it: {told(done.stderr)}")
    if entry.clang:
        _write_clang(home)
    (home / "packages.json").write_text(json.dumps(entry.packages), "utf-8")
    program = folder / "node" / entry.name
    if entry.node:
        done = installed_by_npm(ROOT / entry.node, program)
        if done.returncode:
            return replace(failed, problem=f"npm could not install it: {told(done.stderr)}")
    report = folder / "issues" / entry.name
    report.parent.mkdir(exist_ok=True)
    command = [str(interpreter(home)), "-c", _SUITE, "conformance", "--runtime", entry.asked, "--jobs", "1"]
    command += ["--time-limit", str(SECONDS), "--report", str(report)]
    command += [] if depth == "default" else [f"--{depth}"]
    for option, value in (("--dtypes", entry.dtypes), ("--opsets", entry.opsets)):
        command += [option, value] if value else []
    done = subprocess.run(
        command,
        cwd=program if entry.node else folder,
        env=_variables(entry, home, folder),
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / f"{entry.name}.log").write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode not in _JUDGED:
        return replace(failed, problem=told(done.stderr) or f"it ended with exit code {done.returncode}")
    return of_report(entry, SuiteReport.from_json((report / "report.json").read_text("utf-8")), date, depth)


def again(entry: Entry, folder: Path, kept: Run) -> Run:
    """Return what is to be kept of the report below a folder, which is there, and was of that run."""
    text = (folder / "issues" / entry.name / "report.json").read_text("utf-8")
    return of_report(entry, SuiteReport.from_json(text), kept.date, kept.depth)


def of_report(entry: Entry, report: SuiteReport, date: str, depth: str) -> Run:
    """Return what is kept of a report."""
    return Run(
        name=entry.name,
        runtime=entry.asked,
        date=date,
        version=report.runtime_version or entry.version,
        depth=depth,
        platform=report.platform,
        seconds=round(report.seconds, 1),
        operators=operators_of(report),
        causes=causes_of(report, entry.like),
    )


def told(text: str) -> str:
    """Return the line of a program's stderr that tells what went wrong: the last error, or else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [""])[-1][:300]


def _is_whole(entry: Entry, home: Path) -> bool:
    """Tell whether an environment was made to its end, with these very packages."""
    kept = home / "packages.json"
    return kept.exists() and json.loads(kept.read_text("utf-8")) == list(entry.packages)


def _write_clang(home: Path) -> None:
    place = interpreter(home).with_name("clang")
    place.write_text(_CLANG.format(python=interpreter(home)), "utf-8")
    place.chmod(0o755)


def _variables(entry: Entry, home: Path, folder: Path) -> dict[str, str]:
    """Return the variables of a run: its programs and caches are its own, and nothing more is installed meanwhile."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(interpreter(home).parent), os.environ.get("PATH", "")]),
        "VIRTUAL_ENV": str(home),
        "PIP_NO_INDEX": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        **entry.variables,
    }
