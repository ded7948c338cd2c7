"""Any program as a runtime: given a model and inputs it writes outputs; started for each case, or once for all."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError
from ..runtimes.protocol import Feeds, Runtime
from .batch import FOLDER, BatchRuntime
from .programs import SECONDS_MAX, ending, filled, start, stop, tail, words_of
from .saved_arrays import read_outputs, write_arrays

PLACES = ("{model}", "{inputs}", "{outputs}")

NOT_SUPPORTED = 77
"""The exit code by which a program says that it does not take the model, as in automake's tests."""


class CommandRuntime:
    """
    A command line with the places ``{model}``, ``{inputs}`` and ``{outputs}``: paths of files.

    The model is an .onnx file, inputs and outputs are .npz files of arrays by name, bfloat16 as its bits in
    uint16. Exit code 0 means that the outputs are written, 77 that the model is not supported; with any
    other the last words on stderr are reported.

    Raises
    ------
    ValueError
        A place is missing, or the quotes do not match.
    """

    version = ""

    def __init__(self, command: str, *, seconds: float = SECONDS_MAX) -> None:
        self._words = words_of(command)
        missing = [place for place in PLACES if not any(place in word for word in self._words)]
        if missing:
            message = (
                f"expected a command with {', '.join(PLACES)}, or with {FOLDER} (got {command!r}); "
                f"say where {' and '.join(missing)} go, as in cmd: ./mytool {' '.join(PLACES)}"
            )
            raise ValueError(message)
        self.name = f"cmd: {command}"
        self._command, self._seconds = command, seconds

    def limited(self, seconds: float) -> CommandRuntime:
        """Return the same program, stopped when it takes longer."""
        return CommandRuntime(self._command, seconds=seconds)

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """A program says what it does not take by its exit code."""
        return None

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run the program once, in a folder of its own for the files."""
        with tempfile.TemporaryDirectory(prefix="softops-") as name:
            folder = Path(name)
            paths = {
                "{model}": folder / "model.onnx",
                "{inputs}": folder / "inputs.npz",
                "{outputs}": folder / "outputs.npz",
            }
            paths["{model}"].write_bytes(model)
            write_arrays(paths["{inputs}"], feeds)
            self._call(filled(self._words, paths))
            if not paths["{outputs}"].exists():
                message = (
                    "expected the program to write {outputs} (there is no such file); correct the program"
                )
                raise ModelNotRunError(message)
            return read_outputs(paths["{outputs}"], onnx.load_from_string(model))

    def _call(self, words: list[str]) -> None:
        # A file and no pipe, which a child that lives on would keep open.
        with tempfile.TemporaryFile() as stderr:
            process = start(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                code = process.wait(self._seconds)
            except subprocess.TimeoutExpired as error:
                message = f"{words[0]} did not finish within {self._seconds:g} seconds"
                raise RuntimeHungError(message) from error
            finally:
                stop(process)
            if code:
                said = tail(stderr)
                kind = ModelNotSupportedError if code == NOT_SUPPORTED else ModelNotRunError
                raise kind(ending(words[0], code, said), said)


def from_options(options: str) -> Runtime:
    """Make the runtime from a command line: one with {folder} is started once and asked for case after case."""
    batch = any(FOLDER in word for word in words_of(options))
    return BatchRuntime(options) if batch else CommandRuntime(options)
