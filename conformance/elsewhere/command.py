"""Any program as a runtime: it is given a model and inputs, and writes outputs."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError
from ..runtimes.protocol import Feeds
from .saved_arrays import read_outputs, write_arrays

PLACES = ("{model}", "{inputs}", "{outputs}")

SECONDS_MAX = 60.0
"""A program that takes longer than this is stopped."""

NOT_SUPPORTED = 77
"""The exit code by which a program says that it does not take the model, as in automake's tests."""

_SHOWN = 300


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
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            message = f"expected a command line (got {command!r}: {error}); close its quotes"
            raise ValueError(message) from error
        missing = [place for place in PLACES if not any(place in word for word in self._words)]
        if missing:
            message = (
                f"expected a command with {', '.join(PLACES)} (got {command!r}); "
                f"say where {' and '.join(missing)} go, as in cmd: ./mytool {' '.join(PLACES)}"
            )
            raise ValueError(message)
        self.name = f"cmd: {command}"
        self._seconds = seconds

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
            self._call([_filled(word, paths) for word in self._words])
            if not paths["{outputs}"].exists():
                message = (
                    "expected the program to write {outputs} (there is no such file); correct the program"
                )
                raise ModelNotRunError(message)
            return read_outputs(paths["{outputs}"], onnx.load_from_string(model))

    def _call(self, words: list[str]) -> None:
        try:
            done = subprocess.run(
                words, capture_output=True, timeout=self._seconds, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            message = f"{words[0]} did not finish within {self._seconds:g} seconds"
            raise RuntimeHungError(message) from error
        except OSError as error:
            message = f"expected a program that can be started (got {words[0]!r}: {error.strerror})"
            raise ModelNotRunError(message) from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-_SHOWN:]
            reason = f"{words[0]} ended with exit code {done.returncode}: {said or 'nothing on stderr'}"
            raise (ModelNotSupportedError if done.returncode == NOT_SUPPORTED else ModelNotRunError)(reason)


def _filled(word: str, paths: dict[str, Path]) -> str:
    for place, path in paths.items():
        word = word.replace(place, str(path))
    return word


def from_options(options: str) -> CommandRuntime:
    """Make the runtime from a command line."""
    return CommandRuntime(options)
