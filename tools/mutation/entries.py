"""The entries that a changed model goes through, and which ends of a call are as they should be."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx

from softops.cli.errors import explain
from softops.cli.main import run
from softops.conformance import validate
from softops.export import append_head, decompose, fuse, replace_activation, strip_head
from softops.opset import convert_version, lint, load_model
from softops.opset.backend import prepare

Call = Callable[[Path, Path], Any]
"""Takes the model and an empty folder to write to."""

LIBRARY: dict[str, Call] = {
    "load_model": lambda model, _: load_model(model),
    "lint": lambda model, _: lint(model),
    "convert_version up": lambda model, _: convert_version(str(model), 24),
    "convert_version down": lambda model, _: convert_version(str(model), 9),
    "prepare": lambda model, _: prepare(model),
    "prepare unchecked": lambda model, _: prepare(model, check=False),
    "fuse": lambda model, out: fuse(model, path=out / "o.onnx"),
    "strip_head": lambda model, out: strip_head(model, path=out / "o.onnx"),
    "append_head": lambda model, out: append_head(model, "softmax", path=out / "o.onnx"),
    "replace_activation": lambda model, out: replace_activation(model, "log_softmax", path=out / "o.onnx"),
    "decompose": lambda model, out: decompose(model, ["Softmax", "LogSoftmax"], path=out / "o.onnx"),
    "validate": lambda model, _: validate(model, batch=2),
}

COMMANDS: dict[str, Sequence[str]] = {
    "softops inspect": ("inspect", "MODEL"),
    "softops inspect --json": ("inspect", "MODEL", "--json"),
    "softops inspect --fusions": ("inspect", "MODEL", "--fusions"),
    "softops convert": ("convert", "MODEL", "--opset", "17", "-o", "OUT/o.onnx"),
    "softops validate": ("validate", "MODEL", "--batch", "2", "--report", "OUT/r.html"),
    "softops noise": ("noise", "MODEL", "--batch", "2", "--samples", "2", "--report", "OUT/r.html"),
    "softops export fuse": ("export", "fuse", "MODEL", "-o", "OUT/o.onnx"),
    "softops export strip": ("export", "strip", "MODEL", "-o", "OUT/o.onnx"),
    "softops export append": ("export", "append", "MODEL", "-o", "OUT/o.onnx"),
    "softops export decompose": ("export", "decompose", "MODEL", "-o", "OUT/o.onnx", "--check"),
}

ENTRIES = (*LIBRARY, *COMMANDS)

_MAY_BE_WRONG = ("softops validate", "softops export decompose")
"""Only where outputs are compared is 1 an exit code: they differ."""


def fault_of(entry: str, model: Path, out: Path) -> str | None:
    """Put a model through an entry; None where it ends as it should, or else what is wrong."""
    return _library(entry, model, out) if entry in LIBRARY else _command(entry, model, out)


def _library(entry: str, model: Path, out: Path) -> str | None:
    try:
        LIBRARY[entry](model, out)
    except Exception as error:
        if not _is_documented(error):
            return _last_lines("".join(traceback.format_exception(error)))
        return _left_over(out, written=False)
    return _left_over(out, written=True)


def _command(entry: str, model: Path, out: Path) -> str | None:
    words = [word.replace("MODEL", str(model)).replace("OUT", str(out)) for word in COMMANDS[entry]]
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = run(words)
    if "Traceback" in errors.getvalue():
        return _last_lines(errors.getvalue())
    if "\x1b" in said.getvalue() + errors.getvalue():
        return "a control character reached the terminal"
    if code not in (0, 2, 3) and not (code == 1 and entry in _MAY_BE_WRONG):
        return f"exit code {code}"
    if code == 2 and entry not in _MAY_BE_WRONG and errors.getvalue().count("\n") != 1:
        return f"{errors.getvalue().count(chr(10))} lines of errors"
    return _left_over(out, written=code != 2 or entry in _MAY_BE_WRONG)


def _is_documented(error: BaseException) -> bool:
    """Whether an error says what was expected and what came; of others it is luck that they are of that type."""
    return explain(error) is not None and (
        "expected" in str(error) or type(error).__module__.startswith("softops")
    )


def _left_over(out: Path, *, written: bool) -> str | None:
    files = list(out.iterdir())
    for file in files:
        if not written or file.suffix == ".part":
            return f"left {file.name} behind"
        if file.suffix == ".onnx":
            try:
                onnx.load(file)
            except Exception as error:
                return f"wrote what is no model: {error}"
        elif not file.read_text("utf-8").rstrip().endswith("</html>"):
            return f"wrote half of {file.name}"
    return None


def _last_lines(text: str) -> str:
    lines = text.strip().splitlines()
    ours = [line.strip() for line in lines if "File " in line and "/tools/" not in line]
    return " | ".join([*ours[-2:], *(line for line in lines[-3:] if not line.startswith(" "))])[-700:]
