"""The files of a comparison: JSON, which is the source, Markdown and web pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from softops.opset.graph.files import check_target, write_atomic

from ..models.comparison import Comparison, Pair
from ..models.record import Report
from .page import DASH, environment, number, percent
from .validation import render_html

FILES = (".html", ".json", ".md")
"""Endings of the files that a report is written to."""


def is_file(path: Path) -> bool:
    """Whether a report goes into one file of that name, by its ending; else the name is a folder's."""
    return path.suffix.lower() in FILES and not path.is_dir()


def check_place(path: str | os.PathLike[str]) -> None:
    """
    Look before the work whether a report can be written.

    Raises
    ------
    OSError
        There is no folder to write into, or a file has the folder's name.
    """
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


def write_report(found: Comparison, path: str | os.PathLike[str], *, title: str) -> None:
    """
    Write a comparison to ``path``, each file whole or not at all.

    A name that ends in ``.html``, ``.json`` or ``.md`` is one file; any other is a folder, made if need be, of
    ``report.json``, ``report.md``, ``report.html`` and, where there are several reports, a page for each.

    Raises
    ------
    OSError
        It cannot be written.
    """
    target = Path(path)
    if is_file(target):
        write_atomic(target, _render(found, target.suffix.lower(), title).encode())
        return
    target.mkdir(exist_ok=True)
    pages = dict(_pages(found)) if len(found.reports) > 1 else {}
    for name, report in pages.items():
        write_atomic(target / name, render_html(report, title=f"{title}: {_name(report)}").encode())
    for ending in FILES:
        write_atomic(target / f"report{ending}", _render(found, ending, title, list(pages)).encode())


def render_markdown(found: Comparison, *, title: str) -> str:
    """Return a comparison as Markdown."""
    lines = [f"# {title}", ""]
    lines += [f"- **{name}** was not run: {reason}" for name, reason in found.not_run.items()]
    for report in found.reports:
        lines += [f"## {_name(report)}: {_verdict(report)}", ""]
        lines += [f"- {note}" for note in report.notes]
        if report.departure is not None:
            lines.append(
                f"- the first node to depart is {report.departure.tensor} ({report.departure.operator})"
            )
        lines += [f"- wrong: {failure}" for failure in report.failures]
        lines += ["", *_outputs(report.apart), ""]
    for pair in found.pairs:
        lines += [f"## {_heading(pair)}", "", *_outputs(pair.apart), ""]
        lines += [f"- {reason}" for reason in pair.apart.unlike]
        if pair.apart.first_node is not None:
            node = pair.apart.first_node
            lines.append(
                f"- the first node with other bits is {node.tensor} ({node.operator}): {number(node.before_ulp)} ULP "
                f"before it, {number(node.after_ulp)} behind it"
            )
    return "\n".join(lines).rstrip() + "\n"


def _outputs(apart: Any) -> Iterator[str]:
    yield "| output | worst ULP | mean ULP | worst relative | equal | decisions changed |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, output in apart.outputs.items():
        decided = apart.decisions.get(name)
        changed = DASH if decided is None else f"{decided.changed:,} of {decided.count:,}"
        cells = (
            number(output.max_ulp),
            number(output.mean_ulp),
            number(output.max_rel),
            percent(output.equal),
        )
        yield f"| {_cell(name)} | {' | '.join(cells)} | {changed} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _render(found: Comparison, ending: str, title: str, pages: Sequence[str] = ()) -> str:
    if ending == ".json":
        return found.to_json()
    if ending == ".md":
        return render_markdown(found, title=title)
    if len(found.reports) == 1 and not found.not_run:
        return render_html(found.reports[0], title=title)
    page = environment().get_template("comparison.html")
    links = [*pages, *[""] * (len(found.reports) - len(pages))]
    rows = [
        (_name(report), _verdict(report), report, link)
        for report, link in zip(found.reports, links, strict=True)
    ]
    return page.render(
        title=title, found=found, rows=rows, pairs=[(_heading(pair), pair) for pair in found.pairs]
    )


def _pages(found: Comparison) -> Iterator[tuple[str, Report]]:
    for place, report in enumerate(found.reports, 1):
        yield f"{place:02d}-{re.sub(r'[^A-Za-z0-9.]+', '-', _name(report)).strip('-')}.html", report


def _name(report: Report) -> str:
    name = f"{report.runtime} {report.runtime_version}".strip()
    return f"{name}, {report.family}" if report.family else name


def _heading(pair: Pair) -> str:
    return f"{pair.left} against {pair.right}" + (f", {pair.inputs}" if pair.inputs else "")


def _verdict(report: Report) -> str:
    if not report.compared:
        return "nothing compared"
    return "right" if report.passed else "wrong"
