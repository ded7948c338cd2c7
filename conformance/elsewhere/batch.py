"""
A program that is started once and asked for case after case: the batch protocol of ``cmd:``.

The command has the place ``{folder}``, for the folder in which files are exchanged. For each case the program reads a
line of JSON from its standard input, such as

    {"model": "/tmp/x/model-0.onnx", "inputs": "/tmp/x/inputs.npz", "outputs": "/tmp/x/outputs.npz"}

runs the model (the path is the same as long as the model is), writes the outputs, and answers by a line on its standard
output: ``ok``; ``unsupported``, with a reason if it likes; or ``error`` and what went wrong. Lines that begin otherwise
are its own and passed over. It ends when its input ends. One that dies or takes too long is started again for the next
case.
"""

from __future__ import annotations

import json
import queue
import re
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import onnx
from numpy.typing import NDArray

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError
from ..runtimes.protocol import Feeds, LoadingRuntime, Run
from .programs import SECONDS_MAX, ending, filled, start, stop, tail, words_of
from .saved_arrays import read_outputs, write_arrays

FOLDER = "{folder}"

STARTING_SECONDS = 30.0
"""How much longer the first answer may take than others: until then a program starts."""

_ANSWER = re.compile(r"(ok|unsupported|error)\b[: ]*(.*)")
_KEPT_MODELS = 8
_KEPT_ANSWERS = 4
_LINE_BYTES = 64 * 1024
_GRACE_SECONDS = 2.0
"""How long a program may take to end by itself when its input has ended."""


class BatchRuntime(LoadingRuntime):
    """A command line with the place ``{folder}``; ``seconds`` is the time limit of each case."""

    def __init__(self, command: str, *, seconds: float = SECONDS_MAX) -> None:
        self._words = words_of(command)
        self.name = f"cmd: {command}"
        self._command, self._seconds = command, seconds
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._models: dict[bytes, Path] = {}
        self._count = 0
        self._program: _Program | None = None

    def limited(self, seconds: float) -> BatchRuntime:
        """Return the same program with another time limit."""
        return BatchRuntime(self._command, seconds=seconds)

    def load(self, model: bytes) -> Run:
        """Return what asks the program to run the model."""
        return partial(self._run, model)

    def close(self) -> None:
        """End the program, and take its folder away."""
        self._end()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
            self._models.clear()

    def __del__(self) -> None:
        if hasattr(self, "_program"):
            self.close()

    @property
    def _place(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="softops-")
        return Path(self._folder.name)

    def _run(self, model: bytes, feeds: Feeds) -> list[NDArray[Any]]:
        paths = {"model": self._written(model)}
        paths |= {name: self._place / f"{name}.npz" for name in ("inputs", "outputs")}
        paths["outputs"].unlink(missing_ok=True)
        write_arrays(paths["inputs"], feeds)
        kind, text = self._ask(json.dumps({name: str(path) for name, path in paths.items()}))
        if kind != "ok":
            error = ModelNotSupportedError if kind == "unsupported" else ModelNotRunError
            raise error(text or f"{self._words[0]} answered {kind} without a reason")
        if not paths["outputs"].exists():
            message = "expected the program to write the outputs before it answers ok (there is no such file)"
            raise ModelNotRunError(message)
        return read_outputs(paths["outputs"], onnx.load_from_string(model))

    def _written(self, model: bytes) -> Path:
        """Return the model's file: the same as long as it is among the latest."""
        if model not in self._models:
            for oldest in list(self._models)[: 1 - _KEPT_MODELS]:
                self._models.pop(oldest).unlink(missing_ok=True)
            path = self._place / f"model-{self._count}.onnx"
            path.write_bytes(model)
            self._models[model] = path
            self._count += 1
        return self._models[model]

    def _ask(self, request: str) -> tuple[str, str]:
        if self._program is None or not self._program.alive:
            self._end()
            self._program = _Program(filled(self._words, {FOLDER: self._place}))
        try:
            return self._program.ask(request, self._seconds)
        except BaseException:
            self._end(seconds=0)
            raise

    def _end(self, seconds: float = _GRACE_SECONDS) -> None:
        if self._program is not None:
            self._program.end(seconds)
            self._program = None


class _Program:
    """The program as it runs; whatever is raised, it is of no more use."""

    def __init__(self, words: list[str]) -> None:
        self._word = words[0]
        self._grace = STARTING_SECONDS  # until it has answered once
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the program lives)
        try:
            self._process = start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr)
        except BaseException:
            self._stderr.close()
            raise
        self._answers: queue.Queue[tuple[str, str] | None] = queue.Queue(_KEPT_ANSWERS)
        self._last = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it has not ended, nor its output."""
        return self._reader.is_alive() and self._process.poll() is None

    def ask(self, request: str, seconds: float) -> tuple[str, str]:
        """Return the word and the text of its answer."""
        assert self._process.stdin is not None
        limit = seconds + self._grace
        deadline = time.monotonic() + limit
        self._last = ""
        if not self._grace:  # what it said of cases before; it writes on where it was, behind a hole
            self._stderr.truncate(0)
        while not self._answers.empty():  # what it said unasked is no answer to this
            self._answers.get()
        try:
            self._process.stdin.write(f"{request}\n".encode())
            self._process.stdin.flush()
            answer = self._answers.get(timeout=max(deadline - time.monotonic(), 0))
        except OSError:
            raise self._died() from None
        except queue.Empty:
            said = f"; the last line of its output was {self._last[:100]!r}" if self._last else ""
            message = f"{self._word} did not answer ok, unsupported or error within {limit:g} seconds{said}"
            raise RuntimeHungError(message) from None
        if answer is None:
            raise self._died()
        self._grace = 0.0
        return answer

    def end(self, seconds: float) -> None:
        """End its input, and after so many seconds itself."""
        assert self._process.stdin is not None
        with suppress(OSError):  # what was to be written still
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        stop(self._process)
        self._reader.join(_GRACE_SECONDS)  # a child that is not its group's may hold its output open
        self._stderr.close()

    def _died(self) -> ModelNotRunError:
        try:
            self._process.wait(1)  # its output ended; if it lives on it is of no use
        except subprocess.TimeoutExpired:
            stop(self._process)
        said = tail(self._stderr)
        message = ending(self._word, self._process.returncode, said)
        if not self._process.returncode:
            message = f"{self._word} ended before it answered; it is to read lines until its input ends"
        return ModelNotRunError(message, said)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while line := output.readline(_LINE_BYTES):
                text = line.decode("utf-8", "replace").strip()
                if found := _ANSWER.fullmatch(text):
                    self._put((found[1], found[2]))
                elif text:
                    self._last = text
        self._put(None)

    def _put(self, answer: tuple[str, str] | None) -> None:
        """Keep the latest answers: of a program that says more than it is asked no others are wanted."""
        while True:
            try:
                self._answers.put_nowait(answer)
            except queue.Full:
                with suppress(queue.Empty):
                    self._answers.get_nowait()
            else:
                return
