"""The files of a suite's report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from softops.opset.graph.files import write_atomic

if TYPE_CHECKING:
    from ..suite.report import SuiteReport


def write_files(report: SuiteReport, directory: str | os.PathLike[str]) -> None:
    """
    Write every form of the report into ``directory``, which is made if need be.

    ``report.json`` is the source; ``report.md``, ``report.html`` and ``junit.xml`` are made from it, and
    ``reproductions/`` has a folder for each kind of failure.
    """
    from ..cases.build import material
    from .reproduction import write_reproductions
    from .suite_html import render_html
    from .suite_text import render_junit, render_markdown
    from .summary import kinds

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report.json", report.to_json().encode())
    write_atomic(folder / "report.md", render_markdown(report).encode())
    write_atomic(folder / "junit.xml", render_junit(report).encode())
    write_reproductions(report, kinds(report), folder / "reproductions", material)
    # Last, as it names the folders of the reproductions.
    write_atomic(folder / "report.html", render_html(report).encode())
