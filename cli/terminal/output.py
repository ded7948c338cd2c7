"""Standard output that may be full, closed, or of an encoding without most characters."""

import io
import os
import sys
from typing import TextIO


class OutputError(Exception):
    """What a command says cannot be written; whatever files it writes are written all the same, or not there.

    Not an OSError, which others take for one of theirs.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"standard output: {(cause.strerror or str(cause)).lower()}")
        self.reader_is_gone = isinstance(cause, BrokenPipeError)


class Output(io.TextIOWrapper):
    """Text whose characters can always be encoded, and whose failures are OutputErrors."""

    def __init__(self, stream: TextIO | None) -> None:
        if stream is None:  # the shell closed it
            stream = open(os.devnull, "w")  # noqa: SIM115
        self._stream = stream  # kept, since it would close what lies below
        super().__init__(
            stream.buffer,
            stream.encoding,
            "backslashreplace",
            line_buffering=stream.isatty(),
        )

    def write(self, text: str) -> int:
        """Write text."""
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


def give_up_output() -> None:
    """Send nowhere what is still to be written, which Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
