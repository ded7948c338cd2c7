"""Results as tables in the terminal, and the cells that the page shares."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..results import MARK, OURS, Figure, Results, Row, summary

DASH = "\N{EN DASH}"


def duration(seconds: float | None) -> str:
    """Microseconds with three digits."""
    if seconds is None:
        return DASH
    microseconds = seconds * 1e6
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.3g}"


def long_duration(seconds: float) -> str:
    """A duration with the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def time_cell(row: Row, name: str) -> str:
    """A library's time in a row; ``✗`` where it failed or was wrong, as the notes say."""
    return "✗" if name in row.notes else duration(row.seconds.get(name))


def ratio_cell(row: Row) -> str:
    """Best peer over ours."""
    return DASH if row.ratio is None else f"{row.ratio:.2f}"


def share_cell(row: Row) -> str:
    """Percent of the speed of a copy."""
    return DASH if row.copy_share is None else f"{100 * row.copy_share:.0f} %"


def marked(text: str, what: Row | Figure) -> str:
    """The text, with the mark of a busy machine."""
    return f"{text} {MARK}" if what.busy else text


def notes(rows: Sequence[Row]) -> list[str]:
    """What kept a library out of a row, each reason once with the rows it is about."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, text in row.notes.items():
            about = found.setdefault((name, text), [])
            if row.workload not in about:
                about.append(row.workload)
    return [f"{name}: {text} ({'; '.join(about)})" for (name, text), about in found.items()]


def summary_line(rows: Sequence[Row], threads: int) -> str:
    """The sentence under a table."""
    found = summary(rows, threads)
    mean, count = found["geometric_mean"], found["compared"]
    if mean is None:
        return f"{_threads(threads)}: nothing to compare."
    lost = len(found["lost"])
    return (
        f"{_threads(threads)}: best peer / softops has a geometric mean of {mean:.2f} over {count} rows, "
        f"{lost or 'none'} of them lost."
    )


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def print_results(results: Results, console: Console) -> None:
    """One table a thread count, the figures, the summary."""
    for threads in results.threads:
        rows = [row for row in results.rows if row.threads == threads]
        if not rows:
            continue
        table = Table(title=f"{_threads(threads)}: µs a call", title_justify="left")
        for column in ("workload", OURS, *results.peers, "best peer / ours", "share of copy"):
            table.add_column(column, justify="left" if column == "workload" else "right")
        for row in rows:
            cells = [time_cell(row, name) for name in (OURS, *results.peers)]
            name = f"{row.workload} {MARK}" if row.busy else row.workload
            table.add_row(name, *cells, ratio_cell(row), share_cell(row), style="red" if row.lost else None)
        console.print(table)
        console.print(summary_line(rows, threads))
        lost = summary(rows, threads)["lost"]
        if lost:
            console.print("Lost: " + escape("; ".join(lost)))
    _print_figures(results.figures, console)
    for note in notes(results.rows):
        console.print(escape(note), style="yellow")


def _print_figures(figures: Sequence[Figure], console: Console) -> None:
    if not figures:
        return
    table = Table(title="Calls and first calls", title_justify="left")
    for column in ("what", "time", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for figure in figures:
        target = DASH if figure.target is None else f"< {long_duration(figure.target)}"
        style = "red" if figure.missed else None
        table.add_row(marked(figure.name, figure), long_duration(figure.seconds), target, style=style)
    console.print(table)
