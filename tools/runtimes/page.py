"""The page of all runtimes, made from the runs that are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from softops.conformance.reports.suite_markdown import markdown_table
from softops.conformance.reports.summary import STATUSES

from .causes import Cause
from .runs import Run
from .table import ENTRIES, Entry

_HEAD = """\
# The softmax family across runtimes

What each operator comes to in each runtime, judged by `softops conformance{depth}` with its strict bounds
([conformance.md](conformance.md)): every version and dtype of an operator, all of them in one cell. Each runtime was
installed and run in an environment of its own by

    python -m tools.runtimes FOLDER --docs docs/runtimes.md

which also writes below `FOLDER/issues/RUNTIME` the whole report, and in `reproductions` a folder for each deviation:
model, inputs, expected outputs, a script that needs the runtime alone, and an `ISSUE.md` that a person can file as it
is. `--only tract` does it for one runtime. A runtime on your own machine is judged, and its issues are written, by
`softops conformance --runtime NAME --report DIR`.
"""

_LEGEND = """\
Numbers are of cases; the small ones lead to the causes, told under the runtime. **right**: every element is as near to
the exact value as rounding allows, every special value and law is kept. **known**: a deviation that is listed in
[deviations.md](deviations.md). **unsupported**: the runtime, or what reads models into it, says that it does not take
the operator, version or dtype, or has no tensors of that dtype from Python. **crashed**: it raised another error, or
its process died."""


def render(runs: Mapping[str, Run], entries: Sequence[Entry] = ENTRIES) -> str:
    """Return the page of these runs, by the name of their entries."""
    shown = [(entry, runs[entry.name]) for entry in entries if entry.name in runs]
    ran = [(entry, run) for entry, run in shown if not run.problem]
    depths = {run.depth for _, run in ran}
    depth = f" --{depths.pop()}" if len(depths) == 1 and depths != {"default"} else ""
    names = dict.fromkeys(name for _, run in ran for name in run.operators)
    signs = [f"{sign} {status}" for status, (sign, _) in STATUSES.items()]
    parts = [
        _HEAD.format(depth=depth),
        f"Signs: {', '.join(signs)}.",
        markdown_table(
            ["operator", *(_title(entry, run) for entry, run in ran)],
            [[name, *(cell(entry.name, run, name) for entry, run in ran)] for name in names],
        ),
        _LEGEND,
    ]
    if missing := [(entry, run) for entry, run in shown if run.problem]:
        rows = [
            [entry.name, " ".join(entry.packages), run.date, _plain(run.problem)] for entry, run in missing
        ]
        parts += ["## Not run", markdown_table(["runtime", "packages", "date", "why"], rows)]
    parts += [_section(entry, run) for entry, run in ran]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def cell(runtime: str, run: Run, operator: str) -> str:
    """Return what became of an operator: the gravest first, and by number the causes that are told below."""
    counts = run.operators.get(operator)
    if not counts:
        return ""
    if set(counts) <= {"right", "unsupported"}:
        words = "right" if "right" in counts else "unsupported"
        more = f", {counts['unsupported']:,} unsupported" if len(counts) > 1 else ""
        return f"{STATUSES[words][0]} {words}{more}"
    failed = [f"{STATUSES[status][0]} {n:,} {status}" for status, n in counts.items() if status != "right"]
    notes = [n for n, cause in enumerate(run.causes, 1) if operator in cause.operators]
    links = ", ".join(f"[{n}](#{_anchor(runtime, n)})" for n in notes)
    return f"{'<br>'.join(failed)} of {sum(counts.values()):,} <sup>{links}</sup>"


def _title(entry: Entry, run: Run) -> str:
    chosen = f"{entry.dtypes} alone" if entry.dtypes else ""
    return "<br>".join(filter(None, (entry.name, run.version, run.date, chosen)))


def _section(entry: Entry, run: Run) -> str:
    counts: dict[str, int] = {}
    for found in run.operators.values():
        for status, n in found.items():
            counts[status] = counts.get(status, 0) + n
    told = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if status in counts)
    packages = f" (`pip install {' '.join(entry.packages)}`)" if entry.packages else ""
    note = f"{entry.note[0].upper()}{entry.note[1:]}. " if entry.note else ""
    chosen = [f"{what} {value.replace(',', ' and ')}" for what, value in _chosen(entry) if value]
    note += f"Judged {' and '.join(chosen)} alone. " if chosen else ""
    where = f"{run.date}, {run.platform}, in {run.seconds:,.0f} s"
    head = f"## {entry.name} {run.version}\n\n{note}`--runtime {entry.asked}`{packages}: {told}; {where}."
    listed = [_line(entry.name, n, cause) for n, cause in enumerate(run.causes, 1)]
    return "\n\n".join([head, "\n".join(listed)] if listed else [head])


def _chosen(entry: Entry) -> tuple[tuple[str, str], ...]:
    return ("in", entry.dtypes), ("at opsets", entry.opsets)


def _line(runtime: str, number: int, cause: Cause) -> str:
    upstream = f" Upstream: <{cause.issue}>." if cause.issue else ""
    cases = f"{cause.cases:,} {cause.outcome}, such as `{cause.example}`"
    return (
        f'{number}. <a id="{_anchor(runtime, number)}"></a>{", ".join(cause.operators)}: '
        f"{_plain(cause.text).rstrip('.')} ({cases}).{upstream}"
    )


def _anchor(runtime: str, number: int) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '-', runtime)}-{number}"


def _plain(text: str) -> str:
    """Return a text of a runtime's own as Markdown takes it for a text, and no longer than a line or two."""
    short = text if len(text) <= 300 else f"{text[:300]} …"
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", short)
