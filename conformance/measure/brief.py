"""A report in a few lines: as text, which `print` shows, and as a piece of HTML, which notebooks show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_MOST = 10
"""So many rows of a table are shown, and so many sentences."""
_LONGEST = 48
"""Characters of a cell."""

_CELL = "padding: .15em .9em .15em 0; text-align: left; vertical-align: top; background: none; border: 0"
_MARKS = {True: "#2e9e5b", False: "#d64545", None: "#8a8f98"}


@dataclass(frozen=True)
class Table:
    """Rows of texts below their columns' names; of many rows the first are shown."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Brief:
    """
    What is shown of a report.

    Attributes
    ----------
    heading
        What it is of.
    verdict
        What was found, in a few words.
    passed
        Whether that is good; None where it is neither.
    tables, sentences
        The figures, and what is to be said besides.
    """

    heading: str
    verdict: str
    passed: bool | None = None
    tables: Sequence[Table] = ()
    sentences: Sequence[str] = ()


class Briefed:
    """A report that `print` and notebooks show in a few lines; the class says which by `brief`."""

    @property
    def brief(self) -> Brief:
        """What is shown of it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return as_text(self.brief)

    def _repr_html_(self) -> str:
        return as_html(self.brief)


def as_text(brief: Brief) -> str:
    """Return what is shown as lines; what would move a terminal's cursor is escaped."""
    lines = [f"{brief.heading}: {brief.verdict}"]
    for table in brief.tables:
        shown = [table.columns, *(map(_short, row) for row in table.rows[:_MOST])]
        cells = [[_visible(text) for text in row] for row in shown]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["", *("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)]
        lines += [f"  … and {left:,} more"] if (left := len(table.rows) - _MOST) > 0 else []
    lines += [""] if brief.tables and brief.sentences else []
    lines += [f"  {sentence}" for sentence in _first(brief.sentences)]
    return "\n".join(map(_visible, lines))


def as_html(brief: Brief) -> str:
    """Return what is shown as one element with styles of its own alone: nothing of it reaches the page around it."""
    parts = [f"<p style='margin: 0'>{escape(brief.heading)}: <strong>{escape(brief.verdict)}</strong></p>"]
    for table in brief.tables:
        rows = [("th", table.columns), *(("td", row) for row in table.rows[:_MOST])]
        lines = [
            "<tr style='background: none'>"
            + "".join(f"<{tag} style='{_CELL}'>{escape(_short(text))}</{tag}>" for text in row)
            + "</tr>"
            for tag, row in rows
        ]
        parts.append(f"<table style='margin: .5em 0; border: 0'>{''.join(lines)}</table>")
        if (left := len(table.rows) - _MOST) > 0:
            parts.append(f"<p style='margin: 0'>… and {left:,} more</p>")
    parts += [f"<p style='margin: .2em 0'>{escape(sentence)}</p>" for sentence in _first(brief.sentences)]
    style = f"padding-left: .8em; border-left: .25em solid {_MARKS[brief.passed]}; overflow-x: auto"
    return f"<div style='{style}'>{''.join(parts)}</div>"


def type_of(dtype: str, shape: Sequence[int]) -> str:
    """Return dtype and shape as ``float32[8,10]``."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def _first(sentences: Sequence[str]) -> list[str]:
    left = len(sentences) - _MOST
    return [*sentences[:_MOST], *([f"… and {left:,} more"] if left > 0 else [])]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2 - 1]}…{text[-_LONGEST // 2 :]}"


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
