"""`softops noise`: how far right runtimes may be apart on a model, and which tolerance a test of it should have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal.options import AsJson, Inputs, Model, Report, Shape
from .terminal.words import Dtype
from .validate import parsed_shapes

if TYPE_CHECKING:
    from softops.conformance import NoiseReport

    from .terminal.console import Console

COLUMNS = ("output", "type", "sigma", "largest", "median rel.", "median ULP", "digits")
"""Of those of the reports the first; the worst that a number next to 0 makes enormous are left to these and to JSON."""

LEGEND = """Sigma: the standard deviation of the rounding, where it moves an output most.
Largest: the largest difference to expect, {largest:g} sigma. Median: that of the element
in the middle, relative to its value and in ULP; the worst are in --report."""


def noise(
    model: Model,
    *,
    inputs: Inputs = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            help="For a runtime that computes in this dtype [default: in the model's own].",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=2, help="How many noisy runs the noise is estimated from.")
    ] = 8,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="The seed of the noise and of generated inputs.")
    ] = 0,
    batch: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Rows of generated inputs [default: by the time and memory of a first row, at most 256].",
            show_default=False,
        ),
    ] = None,
    shape: Shape = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Say how far rounding alone may move the outputs of a model, and which tolerance a test needs.

    Runs MODEL in float64, and again with the rounding of a right runtime drawn at random at each node. Says for each
    output the standard deviation sigma of that rounding, the largest difference to expect, and that of a typical
    element relative to its value, how many decimal digits are certain, how many labels rounding may change, and a line
    for a test with rtol and atol.
    """
    from softops.conformance import noise as noise_of
    from softops.conformance.reports.files import check_place
    from softops.conformance.reports.noise import write_noise
    from softops.export.sources.arrays import read_npz

    from .terminal.bar import Bar
    from .terminal.console import Console

    if inputs is not None and (batch is not None or shape):
        message = "expected --batch and --shape for generated inputs (got --inputs as well); leave one out"
        raise ValueError(message)
    if report is not None:
        check_place(report)
    with Bar() as bar:
        found = noise_of(
            model,
            None if inputs is None else read_npz(inputs),
            dtype=dtype,
            samples=samples,
            seed=seed,
            batch=batch,
            shapes=parsed_shapes(shape or ()),
            watch=lambda done, total, _: bar(done, total),
        )
    if report is not None:
        write_noise(found, report, title=f"Rounding noise of {model.name}")
    if as_json:
        print(found.to_json())
    else:
        _print(Console(), found, model)


def _print(console: "Console", found: "NoiseReport", model: Path) -> None:
    from softops.conformance.reports.noise import assertions, rows, sentences
    from softops.conformance.rounding.envelope import LARGEST

    from .terminal.console import shown
    from .terminal.tables import table_that_fits

    computed = "" if not found.dtype else f" computed in {found.dtype}"
    title = f"Rounding noise of {model}{computed}"
    shortened = [row[: len(COLUMNS)] for row in rows(found)]
    console.print(table_that_fits(title, COLUMNS, shortened, console.width), "")
    console.print(LEGEND.format(largest=LARGEST), "", sep="\n", soft_wrap=True)
    for name, tensor in found.outputs.items():
        for sentence in sentences(tensor):
            console.print(f"{shown(name)}: {shown(sentence)}.", soft_wrap=True)
    if lost := found.lost_digits:
        console.print(f"{shown(lost[0].upper() + lost[1:])}.", soft_wrap=True)
    for note in found.notes:
        console.print(f"Note: {shown(note)}.", soft_wrap=True)
    if lines := assertions(found):
        console.print("\nFor a test, with the outputs by name in actual and expected:\n")
        for line in lines:
            console.print(f"    {shown(line)}", soft_wrap=True)
