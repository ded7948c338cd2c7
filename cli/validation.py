"""`softops validate`: is a model computed right by the runtimes?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .terminal.bar import Bar
from .terminal.console import Console, shown
from .terminal.tables import apart_table, outputs_table, steps_table, ulp

if TYPE_CHECKING:
    from softops.conformance import Comparison, Pair, Report

RIGHT, WRONG, NOT_RUN, CANNOT_TELL = 0, 1, 2, 3

SHOWN_FAILURES = 10


def run_validation(
    model: Path,
    runtimes: Sequence[str],
    inputs_path: Path | None,
    families: Sequence[str] | None,
    *,
    batch: int | None,
    shapes: Mapping[str, Sequence[int]],
    seed: int,
    max_ulp: float | None,
    report_path: Path | None,
    as_json: bool,
) -> int:
    """Validate, print the tables and a closing sentence for each runtime; return the exit code."""
    from softops.conformance import compare_runtimes
    from softops.conformance.cases.families import FAMILIES
    from softops.conformance.reports.comparison import write_report
    from softops.conformance.reports.files import check_place
    from softops.export.sources.arrays import read_npz

    if report_path is not None:
        check_place(report_path)
    with Bar() as bar:
        found = compare_runtimes(
            model,
            runtimes,
            None if inputs_path is None else read_npz(inputs_path),
            families=list(FAMILIES) if families == ["all"] else families,
            seed=seed,
            batch=batch,
            shapes=shapes,
            max_ulp=max_ulp,
            progress=bar,
        )
    if not found.reports:
        raise ValueError("; ".join(found.not_run.values()))
    if report_path is not None:
        write_report(found, report_path, title=model.name)
    if as_json:
        print(found.to_json())
    else:
        _print(Console(), found, model)
    return exit_code(found)


def exit_code(found: "Comparison") -> int:
    """Return the worst of what was found: wrong before not run, and that before what cannot be told."""
    if found.wrong:
        return WRONG
    if found.not_run:
        return NOT_RUN
    return RIGHT if found.passed else CANNOT_TELL


def _print(console: Console, found: "Comparison", model: Path) -> None:
    # Of many the right ones in a sentence.
    brief = len(found.reports) > len({report.runtime for report in found.reports})
    for line in found.headings:
        console.print(shown(line), soft_wrap=True)
    console.print("")
    for report in found.reports:
        if not brief or not report.passed:
            _print_tables(console, report)
    for pair in found.pairs:
        _print_pair(console, pair, brief=brief)
    notes: set[str] = set()
    for report in found.reports:
        _print_verdict(console, report, model, [note for note in report.notes if note not in notes])
        notes.update(report.notes)
    for name, reason in found.not_run.items():
        console.print(f"[red]Not run:[/red] {shown(name)}: {shown(reason)}", soft_wrap=True)


def _print_tables(console: Console, report: "Report") -> None:
    if report.outputs:
        console.print(outputs_table(report, console.width), "")
    if report.steps:
        console.print(steps_table(report, console.width), "")


def _print_pair(console: Console, pair: "Pair", *, brief: bool) -> None:
    on = f" on {pair.inputs}" if pair.inputs else ""
    title = f"{pair.left} against {pair.right}{on}"
    if not brief:
        console.print(apart_table(title, pair.apart, console.width), "")
    for reason in pair.apart.unlike:
        console.print(f"{shown(title)}: {shown(reason)}", soft_wrap=True)
    node = pair.apart.first_node
    if node is not None:
        console.print(
            f"{shown(title)}: other bits from {shown(node.tensor)} ({shown(node.operator)}) on, "
            f"{ulp(node.before_ulp)} ULP before it and {ulp(node.after_ulp)} behind it.",
            soft_wrap=True,
        )
    for name, decided in pair.apart.decisions.items():
        if decided.changed:
            console.print(
                f"{shown(title)}: {_changed(name, decided.changed, decided.count)}.", soft_wrap=True
            )


def _print_verdict(console: Console, report: "Report", model: Path, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"Note: {shown(note)}.", soft_wrap=True)
    mark = "[red]Wrong:[/red]" if report.compared else "Note:"
    _print_some(console, mark, report.failures)
    _print_some(console, "[yellow]Cannot tell:[/yellow]", report.unsettled)
    _print_some(console, "Known:", report.known)
    _print_some(console, "[yellow]But:[/yellow]", report.caveats)
    if report.departure is not None:
        console.print(
            f"The first wrong node of the softmax family is {shown(report.departure.tensor)} "
            f"({shown(report.departure.operator)}).",
            soft_wrap=True,
        )
    for name, decided in report.apart.decisions.items():
        if decided.changed:
            console.print(
                f"Against softops {_changed(name, decided.changed, decided.count)}.", soft_wrap=True
            )
    made_up = "" if report.seed is None else f" on generated inputs{_family(report)}"
    name, file = shown(f"{report.runtime} {report.runtime_version}".strip()), shown(model)
    computes = f"{name} computes {file}"
    sentences = {
        "right": f"{computes} [green]right[/green]{made_up}.",
        "right but for known deviations": f"{computes} [green]right[/green] but for known deviations{made_up}.",
        "wrong": f"{computes} [red]wrong[/red]{made_up}.",
        "cannot tell": f"Whether {name} computes {file} right [yellow]cannot be told[/yellow]{made_up}.",
        "nothing compared": f"{name}: no verdict on {file}.",
    }
    console.print(sentences[report.verdict], soft_wrap=True)


def _print_some(console: Console, mark: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:SHOWN_FAILURES]:
        console.print(f"{mark} {shown(sentence)}", soft_wrap=True)
    if len(sentences) > SHOWN_FAILURES:
        console.print(f"… and {len(sentences) - SHOWN_FAILURES} more")


def _family(report: "Report") -> str:
    return f" ({report.family})" if report.family else ""


def _changed(name: str, changed: int, count: int) -> str:
    return f"{changed:,} of {count:,} decisions of {shown(name)} change"
