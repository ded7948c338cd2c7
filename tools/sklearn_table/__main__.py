"""
``python -m tools.sklearn_table``: every classifier exported and compared, alone and behind columns, some minutes.

With ``--docs`` the section of the page is written anew; else it is printed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.results import write_atomically

from .data import SETS, classifiers
from .measure import Outcome, measure
from .page import section, with_section


def run(
    docs: Annotated[Path | None, typer.Option(help="The page to write the section of; else printed.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Classifiers by name; else all.")] = None,
) -> None:
    """Measure the classifiers and write the section of the page."""
    found: dict[str, tuple[Outcome, Outcome]] = {}
    for name, kind in classifiers():
        if not only or name in only:
            typer.echo(name, err=True)
            found[name] = measure(name, kind, SETS, table=False), measure(name, kind, SETS, table=True)
    text = section(found)
    if docs is None:
        typer.echo(text)
    else:
        write_atomically(docs, with_section(docs.read_text("utf-8"), text))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    typer.run(run)
