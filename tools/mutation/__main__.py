"""Put changed models through every entry, in processes of their own, and list the calls that end as they should not."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

SECONDS_MAX = 20
"""For one model and one entry."""

MEMORY_MAX = 6 << 30
"""Bytes of addresses of a process: runtimes take more of them than of memory."""

_STARTING = 120


def content_of(seed: int, index: int) -> tuple[str, bytes]:
    """Return the model of a number: which seed it was made of, and its bytes."""
    from .changes import mutated
    from .seeds import seeds

    random = Random(f"{seed}/{index}")
    name, model = random.choice(list(seeds().items()))
    return name, mutated(model, random)


def work(seed: int, first: int, last: int, names: Sequence[str]) -> None:
    """In a process of its own: say what is done and what came of it, a line of JSON each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told = os.fdopen(os.dup(1), "w")  # runtimes print as they like
    os.dup2(2, 1)
    from .entries import fault_of

    for index in range(first, last):
        with tempfile.TemporaryDirectory() as folder:
            model, out = Path(folder) / "m.onnx", Path(folder) / "o"
            name, content = content_of(seed, index)
            model.write_bytes(content)
            for entry in names:
                out.mkdir()
                print(json.dumps({"index": index, "of": name, "entry": entry}), file=told, flush=True)
                fault = fault_of(entry, model, out)
                print(json.dumps({"fault": fault}), file=told, flush=True)
                shutil.rmtree(out)


def faults(seed: int, first: int, last: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each call with its fault, None for none; a process that hangs or dies is one, and the next goes on."""
    while first < last:
        command = [
            sys.executable,
            "-m",
            "tools.mutation",
            "--worker",
            f"{seed} {first} {last} {','.join(names)}",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout is not None
            watch = _Watch(child)
            call: dict[str, Any] = {}
            for line in child.stdout:
                watch.extend(SECONDS_MAX)
                told = json.loads(line)
                if "fault" in told:
                    yield call | told
                    call = {}
                else:
                    call = told
            child.wait()
            watch.stop()
        if call:
            ended = (
                f"hangs: over {SECONDS_MAX} s" if watch.ran_out else f"ends the process ({child.returncode})"
            )
            yield call | {"fault": ended}
        elif child.returncode:
            message = f"expected a process that works (it ended with {child.returncode} before it began)"
            raise RuntimeError(message)
        first = last if not call else call["index"] + 1


class _Watch:
    """Ends a process that says nothing for too long."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.ran_out = False
        self._child, self._until, self._over = child, time.monotonic() + _STARTING, threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def extend(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def stop(self) -> None:
        self._over.set()

    def _wait(self) -> None:
        while not self._over.wait(0.2):
            if time.monotonic() > self._until:
                self.ran_out = True
                self._child.kill()
                return


def run(
    models: Annotated[int, typer.Option(help="How many models.")] = 4000,
    first: Annotated[int, typer.Option(help="The number of the first.")] = 0,
    seed: Annotated[int, typer.Option(help="What they are drawn from.")] = 0,
    entries: Annotated[
        str, typer.Option(help="Only entries with one of these words, separated by commas.")
    ] = "",
    save: Annotated[Path | None, typer.Option(help="Only write model number FIRST here.")] = None,
    worker: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Say of changed models which calls end in anything but a result or a documented error."""
    from .entries import ENTRIES

    if worker:
        numbers, names = worker.split(maxsplit=3)[:3], worker.split(maxsplit=3)[3]
        work(*map(int, numbers), names.split(","))
        return
    if save is not None:
        save.write_bytes(content_of(seed, first)[1])
        return
    chosen = [name for name in ENTRIES if not entries or any(word in name for word in entries.split(","))]
    calls, found = 0, Counter[str]()
    for call in faults(seed, first, first + models, chosen):
        calls += 1
        if call["fault"]:
            kind = _kind(call["fault"])
            found[kind] += 1
            if found[kind] <= 3:
                print(f"{call['index']} ({call['of']}), {call['entry']}: {call['fault']}", flush=True)
    print(f"{models} models, {calls:,} calls, {found.total()} faults of {len(found)} kinds")
    for fault, count in found.most_common():
        print(f"{count:6} {fault}")
    if found:
        raise typer.Exit(1)


def _kind(fault: str) -> str:
    """Where a fault came to light, without the words of the error, which name the model's own values."""
    *places, said = fault.split(" | ")
    return " | ".join([*places, said.partition(":")[0]])


if __name__ == "__main__":
    typer.run(run)
