"""An evaluation in all forms: JSON, which is the source, Markdown and a web page."""

from __future__ import annotations

import os

from ..evaluation.agreement import Agreement
from ..evaluation.evaluation import Evaluation
from ..measure.metrics import Scalar
from .files import write_forms
from .page import environment, first_line, number, percent

_LABELS_MAX = 12
"""The confusion of more labels than this is shown as a list."""


def write_evaluation(found: Evaluation, path: str | os.PathLike[str], *, title: str) -> None:
    """Write an evaluation to a ``.html``, ``.json`` or ``.md`` file, or to a folder of all three."""
    write_forms(
        path,
        {
            ".html": lambda: _render_page(found, title),
            ".json": found.to_json,
            ".md": lambda: render_markdown(found, title=title),
        },
    )


def render_markdown(found: Evaluation, *, title: str) -> str:
    """Return an evaluation as Markdown."""
    lines = [first_line(title, found.headings), "", f"**{found.verdict}**, {found.rows:,} rows.", ""]
    lines += [f"- {note}" for note in found.notes]
    lines += [f"- wrong: {reason}" for reason in found.wrong]
    lines += [f"- cannot tell: {reason}" for reason in found.unsettled]
    lines += [f"- **{name}** was not run: {reason}" for name, reason in found.not_run.items()]
    lines += ["", "| runtime | accuracy | ECE | Brier | seconds |", "|---|--:|--:|--:|--:|"]
    for name, scores in found.scores.items():
        cells = (percent(scores.accuracy), number(scores.ece), number(scores.brier))
        lines.append(f"| {name} | {' | '.join(cells)} | {found.seconds[name]:.3g} |")
    for agreement in found.agreements:
        lines += ["", f"## {agreement.left} against {agreement.right}", ""]
        rest = f"; {agreement.changed:,} do not" if agreement.changed else ""
        lines.append(f"{percent(agreement.share)} of the labels agree{rest}.")
        pairs = changed_labels(agreement)
        if pairs:
            lines += ["", f"| {agreement.left} | {agreement.right} | rows |", "|---|---|--:|"]
            lines += [f"| {left} | {right} | {count:,} |" for left, right, count in pairs]
    return "\n".join(lines).rstrip() + "\n"


def changed_labels(agreement: Agreement) -> list[tuple[Scalar, Scalar, int]]:
    """Return the pairs of labels that are not the same, the most frequent first."""
    pairs = agreement.confusion.most_common()
    return [(left, right, count) for (left, right), count in pairs if left != right]


def table(agreement: Agreement) -> tuple[list[Scalar], list[list[int]]] | None:
    """Return the labels and the matrix of counts, a row for each label of the left; None where they are many."""
    labels = sorted(
        {label for pair in agreement.confusion for label in pair}, key=lambda x: (str(type(x)), x)
    )
    if len(labels) > _LABELS_MAX:
        return None
    return labels, [[agreement.confusion[left, right] for right in labels] for left in labels]


def _render_page(found: Evaluation, title: str) -> str:
    pairs = [(agreement, table(agreement), changed_labels(agreement)) for agreement in found.agreements]
    page = environment().get_template("evaluation.html")
    return page.render(title=title, found=found, verdict=found.verdict, pairs=pairs)
