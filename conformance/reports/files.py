"""Where a report goes: into one file, of the form that its ending names, or into a folder of all forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from softops.opset.graph.files import check_target, write_atomic

FILES = (".html", ".json", ".md")
"""Endings of the files that a report is written to."""


def is_file(path: Path) -> bool:
    """Whether a report goes into one file of that name, by its ending; else the name is a folder's."""
    return path.suffix.lower() in FILES and not path.is_dir()


def check_place(path: str | os.PathLike[str]) -> None:
    """Look before the work whether a report can be written: OSError where there is no folder, or a file of its name."""
    target = Path(path)
    if is_file(target):
        check_target(target)
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
