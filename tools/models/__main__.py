"""
``python -m tools.models FOLDER``: every step of softops over the models in a folder, each in a process of its own.

Beside these it takes the networks that come with onnx, and what skl2onnx and torch export where they are installed.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.results import write_atomically

from .made import make
from .page import Entry, holds, page
from .processes import Limits, taken_apart
from .steps import STEPS, Told

_PRINTED = 3


def run(
    folder: Annotated[
        Path, typer.Argument(help="Models of others, in folders of the packages they are from.")
    ],
    *,
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
    only: Annotated[str, typer.Option(help="Models alone whose path has this in it.")] = "",
    steps: Annotated[str, typer.Option(help="The steps, separated by commas.")] = ",".join(STEPS),
    others: Annotated[
        bool, typer.Option(help="Also what comes with onnx, and what skl2onnx and torch export.")
    ] = True,
    kept: Annotated[
        Path | None,
        typer.Option(help="A .json file: what is in it is not done again, what is done is added."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="A step is stopped after these.")] = 60,
    gibibytes: Annotated[float, typer.Option(help="A step is stopped beyond these.")] = 2,
) -> None:
    """Take every step on every model and write the page."""
    limits, chosen = Limits(seconds, gibibytes), steps.split(",")
    if unknown := set(chosen) - set(STEPS):
        message = f"expected steps among {', '.join(STEPS)} (got {', '.join(unknown)}); choose of these"
        raise typer.BadParameter(message)
    with tempfile.TemporaryDirectory() as made:
        entries = [entry for entry in _entries(folder, Path(made), others=others) if only in entry.name]
        results = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
        console = Console(stderr=True, soft_wrap=True)
        with Progress(console=console, transient=True) as progress:
            for entry in progress.track(entries):
                before = results.setdefault(entry.name, {})
                for step in chosen:
                    if step not in before:
                        before[step] = asdict(taken_apart(step, entry.path, limits))
                        progress.console.print(
                            *_lines(entry.name, step, before[step]), sep="\n    ", markup=False
                        )
                entry.told.update({step: Told(**before[step]) for step in STEPS if step in before})
                if kept is not None:
                    write_atomically(kept, json.dumps(results, indent=1))
        command = shlex.join(["python", "-m", "tools.models", "FOLDER", "--docs", "docs/models.md"])
        text = page(entries, limits, command)
    if docs is None:
        print(text)
    else:
        write_atomically(docs, text)


def _lines(name: str, step: str, told: dict[str, object]) -> list[str]:
    said = told["said"]
    assert isinstance(said, list)
    took = f"{told['seconds']:.1f} s, {int(str(told['bytes'])) / 2**30:.2f} GiB"
    return [f"{name}, {step}: {told['verdict']} {told['cell']}, {took}", *map(str, said[:_PRINTED])]


def _entries(folder: Path, made: Path, *, others: bool) -> Iterator[Entry]:
    yield from _named("", folder)
    if others:
        make(made)
        yield from _named("onnx/", Path(onnx.__file__).parent / "backend/test/data/light")
        yield from _named("", made)


def _named(prefix: str, folder: Path) -> Iterator[Entry]:
    """Yield the models of a folder; of those of a package that hold the same nodes the first alone."""
    names, seen = set[str](), set[tuple[str, str]]()
    for path in sorted(folder.rglob("*.onnx")):
        parts = path.relative_to(folder).with_suffix("").parts
        # Of a package the folders within it say little, as long as there is one model of the name.
        name = parts[0] if len(parts) == 1 else f"{parts[0]}/{parts[-1]}"
        alike = (parts[0], holds(path))
        if alike not in seen:
            yield Entry(prefix + (name if name not in names else "/".join(parts)), path)
        names.add(name)
        seen.add(alike)


if __name__ == "__main__":
    typer.run(run)
