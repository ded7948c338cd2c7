"""The files of a suite's report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from softops.opset.files import write_atomic

if TYPE_CHECKING:
    from .suite_report import SuiteReport


def write_files(report: SuiteReport, directory: str | os.PathLike[str]) -> None:
    """Write ``report.json`` into ``directory``, which is made if need be."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report.json", report.to_json().encode())
