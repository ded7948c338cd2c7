"""Outputs that were made elsewhere, judged, in all forms: JSON, which is the source, Markdown and a web page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ..rounding.outputs_report import JudgedTensor, OutputsReport
from .files import write_forms
from .page import DASH, digits, environment, number


def write_outputs(found: OutputsReport, path: str | os.PathLike[str], *, title: str) -> None:
    """Write a report to a ``.html``, ``.json`` or ``.md`` file, or to a folder of all three."""
    write_forms(
        path,
        {
            ".html": lambda: environment().get_template("outputs.html").render(title=title, found=found),
            ".json": found.to_json,
            ".md": lambda: render_markdown(found, title=title),
        },
    )


def render_markdown(found: OutputsReport, *, title: str) -> str:
    """Return a report as Markdown."""
    lines = [f"# {title}: {found.verdict}", "", *_table(found.outputs.values()), ""]
    first = found.first_departure
    if found.between:
        lines += ["## Tensors in between", "", *_table(found.between.values()), ""]
        if first is not None:
            lines.append(f"- the first tensor to leave the noise is {first.name} ({first.node})")
    lines += [f"- {tensor.name}: {tensor.reason}" for tensor in found.outputs.values() if tensor.reason]
    lines += [f"- {note}" for note in found.notes]
    return "\n".join(lines).rstrip() + "\n"


def _table(tensors: Iterable[JudgedTensor]) -> Iterator[str]:
    yield "| tensor | made by | verdict | largest, in sigma | rms, in sigma | where | given | of the model |"
    yield "|---|---|---|--:|--:|---|--:|--:|"
    for tensor in tensors:
        where = DASH if tensor.worst_index is None else str(list(tensor.worst_index))
        values = [
            DASH if x is None else digits(x) if isinstance(x, float) else str(x)
            for x in (tensor.worst_actual, tensor.worst_expected)
        ]
        cells = (
            *(
                tensor.name,
                tensor.node,
                tensor.verdict,
                number(tensor.ratio or None),
                number(tensor.rms or None),
            ),
            *(where, *values),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"
