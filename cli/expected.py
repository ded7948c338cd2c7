"""`softops validate --expected`: does rounding explain what outputs from elsewhere differ in from the model?"""

from pathlib import Path
from typing import TYPE_CHECKING

from softops.conformance.rounding.envelope import FEW, LARGEST, LARGEST_RMS, LARGEST_RMS_OF_FEW

from .terminal.bar import Bar
from .terminal.console import Console, shown
from .terminal.tables import NOTHING, table_that_fits, type_of
from .terminal.words import Dtype
from .validation import CANNOT_TELL, RIGHT, SHOWN_FAILURES, WRONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from softops.conformance import OutputsReport
    from softops.conformance.rounding.outputs_report import JudgedTensor

LEGEND = (
    "Sigma: the standard deviation of an element's rounding in a right runtime.\nRounding explains "
    f"{LARGEST:g} sigma, and {LARGEST_RMS:g} in the root mean square of a tensor "
    f"({LARGEST_RMS_OF_FEW:g} of fewer than {FEW} numbers)."
)
COLUMNS = ("tensor", "type", "largest", "rms", "verdict")


def run_expected(
    model: Path,
    inputs: Path | None,
    expected: Path,
    *,
    samples: int,
    seed: int,
    dtype: Dtype | None,
    report: Path | None,
    as_json: bool,
) -> int:
    """Compare, print what was found, and return the exit code."""
    from softops.conformance import compare_outputs
    from softops.conformance.reports.files import check_place
    from softops.conformance.reports.outputs import write_outputs

    if report is not None:
        check_place(report)
    with Bar() as bar:
        found = compare_outputs(
            model,
            inputs,
            expected,
            samples=samples,
            seed=seed,
            dtype=dtype,
            watch=lambda done, total, _: bar(done, total),
        )
    if report is not None:
        write_outputs(found, report, title=f"{expected.name} beside {model.name}")
    if as_json:
        print(found.to_json())
    else:
        _print(Console(), found, model, expected)
    return WRONG if found.wrong else RIGHT if found.passed else CANNOT_TELL


def _print(console: Console, found: "OutputsReport", model: Path, expected: Path) -> None:
    title = f"{expected} beside {model}, differences in sigma"
    console.print(_table(title, found.outputs.values(), console.width), "")
    if found.between:
        console.print(_table("Tensors in between", found.between.values(), console.width), "")
    console.print(f"{LEGEND}\n", soft_wrap=True)
    for note in found.notes:
        console.print(f"Note: {shown(note)}.", soft_wrap=True)
    told = [tensor for tensor in found.outputs.values() if tensor.wrong or tensor.reason]
    for tensor in told[:SHOWN_FAILURES]:
        console.print(f"{_mark(tensor)} {shown(tensor.sentence)}.", soft_wrap=True)
    if len(told) > SHOWN_FAILURES:
        console.print(f"… and {len(told) - SHOWN_FAILURES} more")
    _print_departure(console, found)
    console.print(_closing(found, shown(model), shown(expected)), soft_wrap=True)


def _print_departure(console: Console, found: "OutputsReport") -> None:
    first = found.first_departure
    if not found.between:
        return
    if first is None:
        console.print("Every intermediate tensor is within the noise.")
        return
    console.print(
        f"The first tensor to leave the noise, of those given, is {shown(first.name)} ({shown(first.node)}).",
        soft_wrap=True,
    )


def _table(title: str, tensors: "Iterable[JudgedTensor]", width: int) -> "Table":
    rows = [
        (
            tensor.name,
            type_of(tensor.dtype, tensor.shape),
            f"{tensor.ratio:.3g}" if tensor.ratio else NOTHING,
            f"{tensor.rms:.2g}" if tensor.rms else NOTHING,
            tensor.verdict,
        )
        for tensor in tensors
    ]
    return table_that_fits(title, COLUMNS, rows, width)


def _mark(tensor: "JudgedTensor") -> str:
    if tensor.wrong:
        return "[red]Wrong:[/red]"
    return "[yellow]Cannot tell:[/yellow]" if tensor.verdict == "not decidable" else "Note:"


def _closing(found: "OutputsReport", model: str, expected: str) -> str:
    differs = f"How {expected} differs from {model}"
    return {
        "equal": f"{expected} is [green]equal[/green] to the outputs of {model} for these inputs.",
        "explained by rounding": f"{differs} is [green]explained by rounding[/green].",
        "not explained": f"{differs} is [red]not explained[/red] by rounding.",
        "decisions differ": f"{expected} and {model} [red]decide differently[/red], and rounding does not explain it.",
        "not decidable": f"Whether rounding explains how {expected} differs from {model} [yellow]cannot be "
        "told[/yellow].",
        "nothing compared": f"Nothing of {expected} could be compared with {model}.",
    }[found.verdict]
