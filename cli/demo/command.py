"""`softops demo`: train, export and validate a classifier of handwritten digits."""

import os
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ..terminal.console import Console, shown
from ..terminal.tables import outputs_table, ulp
from .digits import PIXEL_MAX, Digits, load_digits, split_digits
from .findings import Findings
from .page import digits_section, training_section
from .training import Fit, fit_softmax_regression

EPOCHS = 60
# A split of ordinary difficulty: over the seeds 0 to 11 between 95.1 % and 98.0 % are right, 96.8 % on average.
SEED = 6
RUNTIME = "onnxruntime"


def run_demo(folder: Path) -> bool:
    """Write digits.onnx and report.html into ``folder``, print a summary; True when the runtimes agree."""
    console = Console()
    _make_writable(folder)
    model_path, page_path = folder / "digits.onnx", folder / "report.html"
    train, held_out = split_digits(load_digits(), seed=SEED)
    fit = _train(console, train)
    with console.status("exporting, running and validating"):
        findings = _export_and_validate(fit, held_out, model_path, page_path)
    _print_summary(console, findings)
    for path, what in ((model_path, "the model"), (page_path, "open it in a browser")):
        console.print(f"  {shown(path)}  [dim]{what}[/dim]", soft_wrap=True)
    return findings.agree


def _make_writable(folder: Path) -> None:
    """Make the folder, or say that it cannot be written to before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        msg = f"expected --out to be a folder (got {folder}, where there is a file); choose another"
        raise NotADirectoryError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"expected --out to be a folder that can be written to (got {folder}); choose another"
        raise PermissionError(msg)


def _train(console: Console, train: Digits) -> Fit:
    console.print(f"Softmax regression on {len(train.labels)} handwritten digits, with softops' own kernels")
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("epochs, {task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("getting the kernels ready", total=EPOCHS)
        return fit_softmax_regression(
            train.features / np.float32(PIXEL_MAX),
            train.labels,
            int(train.labels.max()) + 1,
            epochs=EPOCHS,
            on_epoch=lambda loss: progress.update(task, advance=1, description=f"loss {loss:.3f}"),
        )


def _export_and_validate(fit: Fit, held_out: Digits, model_path: Path, page_path: Path) -> Findings:
    """Write the model, then the page about it."""
    from softops.conformance import validate
    from softops.conformance.reports.validation import write_html
    from softops.conformance.runtimes.names import get_runtime
    from softops.export import classifier_head

    # Pixels were divided by 16 for the training. To divide the weight instead is exact, and lets the model
    # take them as they are.
    model = classifier_head(fit.weight / np.float32(PIXEL_MAX), fit.bias, path=model_path)
    feeds = {"features": held_out.features}
    theirs, ours = validate(model, RUNTIME, feeds), validate(model, "softops", feeds)
    label, probabilities = get_runtime(RUNTIME).run(model.SerializeToString(), feeds)
    findings = Findings(int((label == held_out.labels).sum()), len(label), theirs, ours)
    sections = (
        ("Digits that it was not trained on", digits_section(held_out, probabilities, findings)),
        ("The training", training_section(fit.losses, findings)),
    )
    write_html(theirs, page_path, title="softops demo: handwritten digits", sections=sections)
    return findings


def _print_summary(console: Console, findings: Findings) -> None:
    report, right, count = findings.theirs, findings.right, findings.count
    times = {name: f"{1000 * seconds:.2f} ms" for name, seconds in report.seconds.items()}
    errors = {name: f"{ulp(error)} ULP" for name, error in findings.softmax_errors().items()}
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "held-out accuracy", f"[bold]{100 * right / count:.1f} %[/bold]", f"{right} of {count} digits"
    )
    facts.add_row("largest error of softmax", *(f"{name} {error}" for name, error in errors.items()))
    facts.add_row(f"time for {count} digits", *(f"{name} {time}" for name, time in times.items()))
    console.print("", outputs_table(report, console.width), "", facts, "")
    for failure in (*report.failures, *findings.ours.failures):
        console.print(f"[red]Wrong:[/red] {shown(failure)}", soft_wrap=True)
    if findings.agree:
        console.print(
            f"[green]{report.runtime} and softops agree:[/green] the same label for every held-out digit, "
            "and probabilities that differ by rounding alone."
        )
    else:
        console.print(f"[red]{report.runtime} and softops do not agree.[/red]")
