"""Programs that are started: their words, their end, and what they said last."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..errors import RuntimeUnusableError

SECONDS_MAX = 60.0
"""A program that takes longer than this for a case is stopped."""

_NOT_STARTED = (126, 127)
"""The exit codes by which shells and `env` say that a program cannot be run, or is not there."""

_SHOWN = 300
_KEPT = 64 * 1024
"""How much of what a program said is shown in a line, and kept at all."""


def words_of(command: str) -> list[str]:
    """Split a command line; ValueError: its quotes do not match."""
    try:
        return shlex.split(command)
    except ValueError as error:
        message = f"expected a command line (got {command!r}: {error}); close its quotes"
        raise ValueError(message) from error


def filled(words: Sequence[str], paths: Mapping[str, Path]) -> list[str]:
    """Put paths where their places stand."""
    result = list(words)
    for place, path in paths.items():
        result = [word.replace(place, str(path)) for word in result]
    return result


def start(words: Sequence[str], **pipes: Any) -> subprocess.Popen[bytes]:
    """Start a program, so that `stop` reaches its children, too; RuntimeUnusableError: it cannot be started."""
    try:
        return subprocess.Popen(words, start_new_session=True, **pipes)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        message = (
            f"expected a program that can be started (got {words[0]!r}: {said}); see to its name and place"
        )
        raise RuntimeUnusableError(message) from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program with its children, unless it has ended."""
    if process.poll() is None:
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    process.wait()


def tail(file: IO[bytes]) -> str:
    """Return what stands at the end of a file of text, behind what was cut out of it."""
    file.seek(max(file.seek(0, os.SEEK_END) - _KEPT, 0))
    return file.read().lstrip(b"\0").decode("utf-8", "replace").strip()


def ending(word: str, code: int, said: str) -> str:
    """
    Say how a program ended, with the last words of what it said.

    RuntimeUnusableError: the exit code says that there was no program.
    """
    how = f"with exit code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"by {signal.Signals(-code).name}"
    shown = " ".join(said.split())[-_SHOWN:]
    message = f"{word} ended {how}: {shown or 'nothing on stderr'}"
    if code in _NOT_STARTED:
        raise RuntimeUnusableError(message, said)
    return message
