"""`softops validate --dataset`: do the runtimes give the same labels over a whole evaluation set?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .terminal.bar import Bar
from .terminal.console import Console, cell, shown
from .terminal.tables import NOTHING, share
from .validation import CANNOT_TELL, NOT_RUN, RIGHT, SHOWN_FAILURES, WRONG

if TYPE_CHECKING:
    from softops.conformance import Evaluation
    from softops.conformance.evaluation.agreement import Agreement


def run_evaluation(
    model: Path,
    runtimes: Sequence[str],
    dataset: Path,
    labels: str | None,
    *,
    batch: int | None,
    max_ulp: float | None,
    report: Path | None,
    as_json: bool,
    dask: str | None = None,
) -> int:
    """Evaluate, print what was found, and return the exit code."""
    from softops.conformance import evaluate
    from softops.conformance.reports.evaluation import write_evaluation
    from softops.conformance.reports.files import check_place

    if report is not None:
        check_place(report)
    with Bar() as bar:
        found = evaluate(
            model, dataset, runtimes, labels=labels, batch=batch, max_ulp=max_ulp, dask=dask, progress=bar
        )
    if len(found.not_run) == len(runtimes):
        raise ValueError("; ".join(found.not_run.values()))
    if report is not None:
        write_evaluation(found, report, title=f"{model.name} on {dataset.name}")
    if as_json:
        print(found.to_json())
    else:
        _print(Console(), found, model, dataset)
    if found.wrong:
        return WRONG
    if found.not_run:
        return NOT_RUN
    return RIGHT if found.passed else CANNOT_TELL


def _print(console: Console, found: "Evaluation", model: Path, dataset: Path) -> None:
    for line in found.headings:
        console.print(shown(line), soft_wrap=True)
    console.print("")
    if found.scores:
        console.print(_scores(found), "")
    for agreement in found.agreements:
        _print_agreement(console, agreement)
    for note in found.notes:
        console.print(f"Note: {shown(note)}.", soft_wrap=True)
    for reason in found.wrong[:SHOWN_FAILURES]:
        console.print(f"[red]Wrong:[/red] {shown(reason)}", soft_wrap=True)
    if len(found.wrong) > SHOWN_FAILURES:
        console.print(f"… and {len(found.wrong) - SHOWN_FAILURES} more")
    for reason in found.unsettled[:SHOWN_FAILURES]:
        console.print(f"[yellow]Cannot tell:[/yellow] {shown(reason)}", soft_wrap=True)
    for name, reason in found.not_run.items():
        console.print(f"[red]Not run:[/red] {shown(name)}: {shown(reason)}", soft_wrap=True)
    colour = "green" if found.passed else "red"
    console.print(
        f"{shown(model)} on the {found.rows:,} rows of {shown(dataset)}: "
        f"[{colour}]{found.verdict}[/{colour}].",
        soft_wrap=True,
    )


def _scores(found: "Evaluation") -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in ("runtime", "accuracy", "ECE", "Brier", "seconds"):
        table.add_column(name, justify="left" if name == "runtime" else "right", overflow="fold")
    for name, scores in found.scores.items():
        figures = [NOTHING if x is None else f"{x:.6f}" for x in (scores.ece, scores.brier)]
        accuracy = NOTHING if scores.accuracy is None else f"{100 * scores.accuracy:.2f} %"
        table.add_row(cell(name), accuracy, *figures, f"{found.seconds[name]:.2f}")
    return table


def _print_agreement(console: Console, agreement: "Agreement") -> None:
    from softops.conformance.reports.evaluation import changed_labels

    title = shown(f"{agreement.left} against {agreement.right}")
    console.print(
        f"{title}: {share(agreement.share)} of {agreement.rows:,} labels agree"
        + (f", {agreement.changed:,} change." if agreement.changed else "."),
        soft_wrap=True,
    )
    pairs = changed_labels(agreement)
    for left, right, count in pairs[:SHOWN_FAILURES]:
        console.print(f"  {shown(left)} for {shown(right)}: {count:,}", soft_wrap=True)
    if len(pairs) > SHOWN_FAILURES:
        console.print(f"  … and {len(pairs) - SHOWN_FAILURES} more pairs")
    for change in agreement.changes[:3]:
        close = "" if change.margin is None else f", by {change.margin:.3g}"
        console.print(
            f"  row {change.row}: {shown(change.left)} for {shown(change.right)}{close}",
            soft_wrap=True,
        )
