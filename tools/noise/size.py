"""What the noise of a model as large as BERT base takes: seconds and memory, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .large import BATCH, DEPTH, HEADS, LENGTH, WIDTH, WORDS

SECONDS_MAX = 60.0
BYTES_MAX = 4 * 2**30

_TEXT = """\
A model of the size of BERT base ({depth} layers of {width}, {heads} heads, {words:,} words; {megabytes:.0f} MB),
{batch} rows of {length} tokens, {samples} noisy runs: {seconds:.1f} s, {processors:.1f} s of its {cores} processors,
and {gibibytes:.2f} GiB at most, with all that the process holds. The aim is under {aim:g} s and {most:g} GiB.
"""


def measured(samples: int, told: Callable[[int, int], None]) -> dict[str, Any]:
    """
    Make the model and take its noise, each in a process of its own; ``told`` hears how much is done, and of how much.

    RuntimeError: a process failed; its last words are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bert_base.onnx"
        _run("make", str(path))
        size = path.stat().st_size
        last: dict[str, Any] = {}
        for line in _run("measure", str(path), str(samples), told=told):
            last = line
    return {**last, "model": size, "samples": samples}


def _run(*arguments: str, told: Callable[[int, int], None] | None = None) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tools.noise.large", *arguments]
    lines = []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if "done" in said and told is not None:
                told(said["done"], said["total"])
            lines.append(said)
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [f"exit {process.returncode}"])[-1]
            message = (
                f"expected the step {arguments[0]!r} to end well (got {last}); run it by itself: {command}"
            )
            raise RuntimeError(message)
    return lines


def section(found: dict[str, Any]) -> str:
    """Return the section of the page."""
    return _TEXT.format(
        depth=DEPTH,
        width=WIDTH,
        heads=HEADS,
        words=WORDS,
        batch=BATCH,
        length=LENGTH,
        megabytes=found["model"] / 1e6,
        samples=found["samples"],
        seconds=found["seconds"],
        processors=found["processors"],
        gibibytes=found["bytes"] / 2**30,
        cores=os.cpu_count(),
        aim=SECONDS_MAX,
        most=BYTES_MAX / 2**30,
    )
