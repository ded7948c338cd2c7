"""The accuracy as tables in the terminal and as a page of the documentation."""

import math
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..report.markdown import markdown_table
from ..report.table import DASH
from ..results import OURS, write_atomically
from .plot import save_accuracy_plot
from .results import PROMISED, Score
from .words import BEYOND, CAUSES, METHOD, WHY


@dataclass(frozen=True)
class Accuracy:
    """Everything a run found. `special` holds the name, the promise and each library's outcome of every case."""

    date: str
    command: str
    cpu: str
    quick: bool
    versions: dict[str, str]
    libraries: tuple[str, ...]
    absent: tuple[str, ...]
    scores: tuple[Score, ...]
    special: tuple[tuple[str, str, dict[str, str | None]], ...]

    def score(self, operator: str, dtype: str, library: str) -> Score | None:
        """One library's errors, if it has the operator for the dtype."""
        found = (s for s in self.scores if (s.operator, s.dtype, s.library) == (operator, dtype, library))
        return next((s for s in found if s.count), None)

    @property
    def missed(self) -> list[Score]:
        """Ours where it is off by more than promised."""
        return [score for score in self.scores if score.missed]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The operators and dtypes that were measured."""
        return list(dict.fromkeys((score.operator, score.dtype) for score in self.scores))


def number(error: float) -> str:
    """An error with three digits, rounded up so that a bound is never met by rounding."""
    if math.isinf(error):
        return "∞"
    if error == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(error)) - 2)
    up = math.ceil(error / step - 1e-9) * step
    if up >= 1e5:
        digits, exponent = f"{up:.2e}".split("e")
        return f"{digits}e{int(exponent)}"
    return f"{up:,.0f}" if up >= 100 else f"{up:.3g}"


def _cell(score: Score | None) -> str:
    return f"{number(score.worst)} ({number(score.mean)})" if score else DASH


def _rows(found: Accuracy) -> list[tuple[list[str], bool]]:
    """Operator, dtype, promise and every library's errors; whether ours are too large."""
    rows = []
    for operator, dtype in found.pairs:
        scores = [found.score(operator, dtype, library) for library in found.libraries]
        cells = [operator, dtype, f"{PROMISED[operator][dtype]:g}", *map(_cell, scores)]
        rows.append((cells, any(score is not None and score.missed for score in scores)))
    return rows


def print_accuracy(found: Accuracy, console: Console) -> None:
    """The errors and the special cases."""
    table = Table(title="Worst error (mean error), ULP", title_justify="left")
    for column in ("operator", "dtype", "promised", *found.libraries):
        table.add_column(column, justify="left" if column in ("operator", "dtype") else "right")
    for cells, missed in _rows(found):
        table.add_row(*cells, style="red" if missed else None)
    console.print(table)
    table = Table("case", "promised", *found.libraries, title="Special cases, float32", title_justify="left")
    for name, promised, outcome in found.special:
        table.add_row(name, promised, *(outcome[library] or DASH for library in found.libraries))
    console.print(table)
    for line in _shortfalls(found):
        console.print(line, style="red", markup=False)


def _shortfalls(found: Accuracy) -> list[str]:
    lines = []
    for score in found.missed:
        cause = CAUSES.get((score.operator, score.dtype), "cause not known yet.")
        about = (
            f"{score.operator}, {score.dtype}: {number(score.worst)} ULP where {score.promised:g} is promised"
        )
        lines.append(f"{about} ({score.origin}). Cause: {cause}")
    for name, promised, outcome in found.special:
        if promised and outcome[OURS] != promised:
            lines.append(f"{name}: {outcome[OURS]} (promised: {promised})")
    return lines + [f"{s.library}: {s.operator}, {s.dtype}: {s.failure}" for s in found.scores if s.failure]


def page(found: Accuracy, picture: str) -> str:
    """Markdown; `picture` is the plot's address from the page."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    head = ["operator", "dtype", "promised", *found.libraries]
    table = [[f"**{cell}**" for cell in cells] if missed else cells for cells, missed in _rows(found)]
    places = [
        [operator, dtype, *(score.origin if score else DASH for score in scores)]
        for operator, dtype in found.pairs
        if (scores := [found.score(operator, dtype, library) for library in found.libraries])
    ]
    special = [
        [name, promised or DASH, *(outcome[library] or DASH for library in found.libraries)]
        for name, promised, outcome in found.special
    ]
    short = "\n".join(f"- {line}" for line in _shortfalls(found)) or "Nowhere among these inputs."
    parts = [
        f"<!-- Generated by `{found.command}`; do not edit. -->",
        "# Accuracy",
        f"{found.cpu}, {found.date}. {versions}."
        + (" A quick run: fewer and shorter inputs than described below." if found.quick else ""),
        *([f"Not installed, so not measured: {', '.join(found.absent)}."] if found.absent else []),
        f"![Worst error of softmax and log_softmax in float32 for each spread of the logits]({picture})",
        "## Errors",
        "Worst error, and in brackets the mean, in units in the last place (ULP), rounded up, over all "
        "inputs. *Promised* is the bound that softops gives and that its tests check. An en dash: the library "
        "has no such operator for the dtype. Rows in bold: softops is off by more than promised.",
        markdown_table(head, table),
        "## Where softops falls short",
        short,
        BEYOND.strip(),
        "## Why the difference",
        WHY.strip(),
        "## Where the worst errors are",
        "The input, and after the colon the exact value.",
        markdown_table(["operator", "dtype", *found.libraries], places),
        "## Special cases",
        "In float32. Rows of 3, 17 and 1000 numbers with the special one first, in the middle and last; neighbours are "
        "consecutive float32 numbers around magnitudes from 10⁻⁶ to 10⁴.",
        markdown_table(["case", "promised", *found.libraries], special),
        "## Method",
        METHOD.strip(),
    ]
    return "\n\n".join(parts) + "\n"


def save_accuracy_page(found: Accuracy, path: Path) -> None:
    """Write the page, with the plot beside it under the same name."""
    picture = path.with_suffix(".svg")
    save_accuracy_plot([s for s in found.scores if s.count], picture)
    write_atomically(path, page(found, picture.name))
