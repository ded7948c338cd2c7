"""
``python -m tools.models FOLDER``: `softops validate` over the models in a folder, each in a process of its own.

Beside these it takes the networks that come with onnx, and what skl2onnx and torch export where they are installed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import onnx
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.results import write_atomically

from .models_made import make
from .models_one import holds

_PAUSE = 0.05
_SAID = 160
_PRINTED = 4

_HEAD = """\
# Models of others

Made by `{command}`: `softops validate` with {runtime} over models that
others made, each in a process of its own on {cores} cores, stopped after {seconds} seconds or beyond {gigabytes} GB.
[conformance.md](conformance.md) says what the verdicts mean.

{count} models: {verdicts}. The longest took {longest:.1f} s, the largest {largest:.2f} GB.

| model | what it holds | verdict | seconds | GB |
|---|---|---|--:|--:|
"""


class Found(NamedTuple):
    """What became of a model: a row of the page."""

    name: str
    holds: str
    verdict: str
    said: list[str]
    seconds: float
    gigabytes: float


def run(
    folder: Annotated[
        Path, typer.Argument(help="Models of others, in folders of the packages they are from.")
    ],
    *,
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
    only: Annotated[str, typer.Option(help="Models alone whose path has this in it.")] = "",
    others: Annotated[
        bool, typer.Option(help="Also what comes with onnx, and what skl2onnx and torch export.")
    ] = True,
    runtime: Annotated[str, typer.Option(help="The runtime.")] = "onnxruntime",
    seconds: Annotated[float, typer.Option(help="A model is stopped after these.")] = 60,
    gigabytes: Annotated[float, typer.Option(help="A model is stopped beyond these.")] = 2,
) -> None:
    """Validate every model and write the page."""
    with tempfile.TemporaryDirectory() as made:
        listed = [*_named("", folder)]
        if others:
            make(Path(made))
            light = Path(onnx.__file__).parent / "backend/test/data/light"
            listed += [*_named("onnx/", light), *_named("", Path(made))]
        found, console = [], Console(stderr=True, soft_wrap=True)
        with Progress(console=console, transient=True) as progress:
            for name, path in progress.track([entry for entry in listed if only in entry[0]]):
                result = _examined(path, runtime, seconds, gigabytes)
                said = [str(text) for text in result.get("said", [])]
                found.append(
                    Found(
                        name, holds(path), result["verdict"], said, result["seconds"], result["bytes"] / 1e9
                    )
                )
                entry = found[-1]
                took = f"{entry.seconds:.1f} s, {entry.gigabytes:.2f} GB"
                lines = [f"{name}: {entry.verdict}, {took}", *said[:_PRINTED]]
                progress.console.print(*lines, sep="\n    ", markup=False)
    text = page(found, runtime, seconds, gigabytes)
    if docs is None:
        print(text)
    else:
        write_atomically(docs, text)


def page(found: list[Found], runtime: str, seconds: float, gigabytes: float) -> str:
    """Return the page."""
    verdicts = list(dict.fromkeys(sorted(entry.verdict for entry in found)))
    counts = {verdict: sum(entry.verdict == verdict for entry in found) for verdict in verdicts}
    package = runtime.partition(":")[0]
    version = importlib.metadata.version(package) if package in ("onnxruntime", "openvino") else ""
    head = _HEAD.format(
        command=shlex.join(["python", "-m", "tools.models", "FOLDER", "--docs", "docs/models.md"]),
        runtime=f"{runtime} {version}".strip(),
        cores=os.cpu_count(),
        seconds=f"{seconds:g}",
        gigabytes=f"{gigabytes:g}",
        count=len(found),
        verdicts=", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        longest=max((entry.seconds for entry in found), default=0),
        largest=max((entry.gigabytes for entry in found), default=0),
    )
    details = "".join(map(_details, found))
    return head + "".join(map(_row, found)) + (f"\n## What is not right\n\n{details}" if details else "")


def _details(entry: Found) -> str:
    """Return all that was said of a model that is not right."""
    if entry.verdict.startswith("right"):
        return ""
    said = "".join(f"  - {' '.join(text.split())}\n" for text in entry.said)
    return f"- **{entry.name}**: {entry.verdict}\n{said}"


def _row(entry: Found) -> str:
    # Of what is not right all is said below.
    more = f": {_short(entry.said[0])}" if entry.said and entry.verdict.startswith("right") else ""
    cells = (entry.name, entry.holds, entry.verdict + more, f"{entry.seconds:.1f}", f"{entry.gigabytes:.2f}")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _short(text: str) -> str:
    return text if len(text) <= _SAID else text[: _SAID - 2].rsplit(" ", 1)[0] + " …"


def _named(prefix: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.onnx")):
        parts = path.relative_to(folder).with_suffix("").parts
        # Of a package the folders within it say little.
        name = parts[0] if len(parts) == 1 else f"{parts[0]}/{parts[-1]}"
        yield prefix + name, path


def _examined(path: Path, runtime: str, seconds: float, gigabytes: float) -> dict[str, Any]:
    """Validate a model in a process of its own; one that takes too long or too much is stopped."""
    start, most = time.perf_counter(), 0
    command = [sys.executable, "-m", "tools.models_one", str(path), runtime]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        why = ""
        while process.poll() is None and not why:
            most = max(most, _resident(process.pid))
            if time.perf_counter() - start > seconds:
                why = f"stopped after {seconds:g} s"
            elif most > gigabytes * 1e9:
                why = f"stopped beyond {gigabytes:g} GB"
            time.sleep(_PAUSE)
        if why:
            process.kill()
        out, err = process.communicate()
    spent = time.perf_counter() - start
    try:
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        last = (err.strip().splitlines() or [""])[-1]
        return {"verdict": why or "crashed", "said": [] if why else [last], "seconds": spent, "bytes": most}
    return {**result, "seconds": spent}


def _resident(pid: int) -> int:
    """How many bytes a process has in memory; 0 where that cannot be asked."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    typer.run(run)
