"""`softops conformance dump` and `check`: for a runtime that is elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from ..terminal.bar import Bar
from .choice import Bound, Dtypes, Families, Full, Ops, Opsets, Quick, Report, Seed, numbers, parts
from .findings import CountingBar, check_folder, finish


def dump(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.", show_default=False)],
    ops: Ops = None,
    opsets: Opsets = None,
    dtypes: Dtypes = None,
    families: Families = None,
    seed: Seed = 0,
    layout: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="npz, arrays by name; or onnx, the test data that the harnesses of runtimes read.",
        ),
    ] = "npz",
    *,
    quick: Quick = False,
    full: Full = False,
) -> None:
    """Write the models and inputs of the cases, for a runtime that is elsewhere.

    Run each model there on its inputs, save the outputs beside them, and bring the folder back for
    `softops conformance check DIR`. README.txt in the folder says how. With --layout onnx the exact outputs
    are written, too, as onnx_test_runner and its like compare with; what draws samples is left out.
    """
    from softops.conformance.cases.grid import cases, depth_of
    from softops.conformance.elsewhere.saved import dump as dump_cases

    listed = cases(
        ops=parts(ops),
        opsets=numbers(opsets),
        dtypes=parts(dtypes),
        families=parts(families),
        depth=depth_of(quick=quick, full=full),
        seed=seed,
    )
    with Bar() as bar:
        done = iter(range(1, len(listed) + 1))
        count = dump_cases(listed, directory, layout=layout, advance=lambda: bar(next(done), len(listed)))
    typer.echo(f"{count} cases in {directory}; README.txt there says what to do with them.")
    if count < len(listed):
        typer.echo(
            f"{len(listed) - count} that draw samples are left out: they have no single expected output."
        )


def check(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of `dump`, with outputs in it.", show_default=False),
    ],
    report: Report = None,
    bound: Bound = "strict",
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME VERSION",
            help="What made the outputs, such as 'onnxruntime-web 1.24 wasm'; known deviations are looked up by it "
            "[default: saved:DIR].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Judge the outputs that were saved in a folder of `dump`. Exit codes are those of `conformance`."""
    from softops.conformance.elsewhere.saved import SavedRuntime, saved_cases
    from softops.conformance.suite.suite import run_cases

    check_folder(report)
    runtime, listed = SavedRuntime(directory, name), saved_cases(directory)
    bar = CountingBar()
    with bar:
        found = run_cases(runtime, listed, bound=bound, progress=bar.add)
    finish(found, report)
