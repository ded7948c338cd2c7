"""`softops validate`: is a model computed right by a runtime?"""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from .tables import outputs_table, steps_table

if TYPE_CHECKING:
    from softops.conformance import Report

SHOWN_FAILURES = 10


def run_validation(model: Path, runtime: str, inputs_path: Path | None, report_path: Path | None) -> bool:
    """Validate, print the tables and one closing sentence; True when the runtime computes the model right."""
    from softops.conformance import validate
    from softops.export.arrays import read_npz

    inputs = None if inputs_path is None else read_npz(inputs_path)
    report = validate(model, runtime, inputs)
    if report_path is not None:
        from softops.conformance.report import write_html

        write_html(report, report_path, title=model.name)
    _print_report(Console(highlight=False), report, model)
    return report.passed


def _print_report(console: Console, report: "Report", model: Path) -> None:
    if report.outputs:
        console.print(outputs_table(report, console.width), "")
    if report.steps:
        console.print(steps_table(report, console.width), "")
    for note in report.notes:
        console.print(f"Note: {escape(note)}.", soft_wrap=True)
    for failure in report.failures[:SHOWN_FAILURES]:
        console.print(f"[red]Wrong:[/red] {escape(failure)}", soft_wrap=True)
    if len(report.failures) > SHOWN_FAILURES:
        console.print(f"… and {len(report.failures) - SHOWN_FAILURES} more")
    made_up = "" if report.seed is None else " on generated inputs"
    verdict = "[green]right[/green]" if report.passed else "[red]wrong[/red]"
    console.print(
        f"{escape(report.runtime)} {escape(report.runtime_version)} computes {escape(str(model))} "
        f"{verdict}{made_up}.",
        soft_wrap=True,
    )
