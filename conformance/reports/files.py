"""Where a report goes: into one file, of the form that its ending names, or into a folder of all forms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from softops.opset.graph.files import check_target, write_atomic

FILES = (".html", ".json", ".md")
"""Endings of the files that a report is written to."""


_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}")
"""Of a file's name; what stands behind the dot of ``onnxruntime-1.32`` is a version, and may be a folder's."""


def is_file(path: Path) -> bool:
    """Whether a report goes into one file of that name, by its ending; else the name is a folder's."""
    return path.suffix.lower() in FILES and not path.is_dir()


def has_ending(path: Path) -> bool:
    """Whether a name is that of a file of some form, and no folder has it."""
    return _ENDING.fullmatch(path.suffix) is not None and not path.is_dir()


def check_place(path: str | os.PathLike[str]) -> None:
    """
    Look before the work whether a report can be written.

    Raises
    ------
    OSError
        There is no folder to write into, or a file of the folder's name.
    ValueError
        The name is that of a file of another form.
    """
    target = Path(path)
    if is_file(target):
        check_target(target)
    elif has_ending(target) and not target.exists():
        message = (
            f"expected a report's name to end in {', '.join(FILES)}, or to be a folder's (got {target}); no report is "
            f"written as {target.suffix}: name {target.with_suffix('.html')}, or leave the ending out for all forms"
        )
        raise ValueError(message)
    elif target.exists() and not target.is_dir():
        message = f"expected a folder, or a file that ends in {', '.join(FILES)} (got {target}); name another"
        raise FileExistsError(message)
    elif not target.absolute().parent.is_dir():
        message = (
            f"expected a folder to make {target} in (no folder {target.absolute().parent}); make it first"
        )
        raise FileNotFoundError(message)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text in UTF-8, whole or not at all; of a file name that is no text, what cannot be written is escaped."""
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def write_forms(path: str | os.PathLike[str], forms: Mapping[str, Callable[[], str]]) -> None:
    """
    Write one file, or a folder, made if need be, of ``report.html``, ``report.json`` and ``report.md``.

    ``forms`` has what renders the report, by each ending of `FILES`.
    """
    target = Path(path)
    if is_file(target):
        write_text(target, forms[target.suffix.lower()]())
        return
    target.mkdir(exist_ok=True)
    for ending in FILES:
        write_text(target / f"report{ending}", forms[ending]())
