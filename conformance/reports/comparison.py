"""A comparison in all forms: JSON, which is the source, Markdown and web pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..models.compared import Comparison, Pair
from ..models.differences import Differences
from ..models.report import Report
from .files import is_file, write_forms, write_text
from .page import DASH, beside, environment, finite, first_line, number, percent
from .validation import render_html


def write_report(found: Comparison, path: str | os.PathLike[str], *, title: str) -> None:
    """
    Write a comparison to ``path``, each file whole or not at all.

    A name that ends in ``.html``, ``.json`` or ``.md`` is one file; any other is a folder, made if need be, of
    ``report.json``, ``report.md``, ``report.html`` and, where there are several reports, a page for each.
    """
    target, pages = Path(path), list[str]()
    if not is_file(target) and len(found.reports) > 1:
        target.mkdir(exist_ok=True)
        for name, report in _pages(found):
            write_text(target / name, render_html(report, title=f"{title}: {_name(report)}"))
            pages.append(name)
    write_forms(
        target,
        {
            ".html": lambda: _render_page(found, title, pages),
            ".json": found.to_json,
            ".md": lambda: render_markdown(found, title=title),
        },
    )


def render_markdown(found: Comparison, *, title: str) -> str:
    """Return a comparison as Markdown."""
    lines = [first_line(title, found.headings), ""]
    lines += [f"- **{name}** was not run: {reason}" for name, reason in found.not_run.items()]
    for report in found.reports:
        lines += [f"## {_name(report)}: {report.verdict}", ""]
        lines += [f"- {note}" for note in report.notes]
        if report.departure is not None:
            lines.append(
                f"- the first wrong node of the family is {report.departure.tensor} ({report.departure.operator})"
            )
        lines += [f"- wrong: {failure}" for failure in report.failures]
        lines += [f"- cannot tell: {reason}" for reason in report.unsettled]
        lines += [f"- known: {deviation}" for deviation in report.known]
        lines += [f"- but: {caveat}" for caveat in report.caveats]
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


def _outputs(differences: Differences) -> Iterator[str]:
    columns = "furthest apart, ULP | apart on average, ULP | largest relative difference | equal | decisions changed"
    yield f"| output | {columns} |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, output in differences.outputs.items():
        decided = differences.decisions.get(name)
        cells = (
            name.replace("|", "\\|").replace("\n", " "),
            number(output.max_ulp),
            number(beside(output.mean_ulp, output.max_ulp)),
            number(finite(output.max_rel)),
            percent(output.equal),
            DASH if decided is None else f"{decided.changed:,} of {decided.count:,}",
        )
        yield f"| {' | '.join(cells)} |"


def _render_page(found: Comparison, title: str, pages: Sequence[str]) -> str:
    if len(found.reports) == 1 and not found.not_run:
        return render_html(found.reports[0], title=title)
    links = pages or [""] * len(found.reports)
    rows = [
        (_name(report), report.verdict, report, link)
        for report, link in zip(found.reports, links, strict=True)
    ]
    pairs = [(_heading(pair), pair) for pair in found.pairs]
    return (
        environment().get_template("comparison.html").render(title=title, found=found, rows=rows, pairs=pairs)
    )


def _pages(found: Comparison) -> Iterator[tuple[str, Report]]:
    for place, report in enumerate(found.reports, 1):
        yield f"{place:02d}-{re.sub(r'[^A-Za-z0-9.]+', '-', _name(report)).strip('-')}.html", report


def _name(report: Report) -> str:
    name = f"{report.runtime} {report.runtime_version}".strip()
    return f"{name}, {report.family}" if report.family else name


def _heading(pair: Pair) -> str:
    return f"{pair.left} against {pair.right}" + (f", {pair.inputs}" if pair.inputs else "")
