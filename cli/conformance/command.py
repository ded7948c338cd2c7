"""`softops conformance`: does a runtime compute the softmax family right?"""

from typing import Annotated

import typer

from ..terminal.groups import CommandGroup, typed_options
from ..terminal.options import Dask
from .choice import Bound, Dtypes, Families, Full, Ops, Opsets, Quick, Report, Seed, numbers, parts
from .elsewhere import check, dump
from .findings import CountingBar, check_folder, finish

conformance_app = typer.Typer(
    cls=CommandGroup, rich_markup_mode=None, help="Say whether a runtime computes the family correctly."
)


@conformance_app.callback(invoke_without_command=True)
def _conformance(
    context: typer.Context,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The runtime under test: onnxruntime, openvino, onnx.reference, torch, softops, with options "
            "as in onnxruntime:level=basic; backend:MODULE; or cmd: PROGRAM {model} {inputs} {outputs}.",
            show_default=False,
        ),
    ] = None,
    ops: Ops = None,
    opsets: Opsets = None,
    dtypes: Dtypes = None,
    families: Families = None,
    report: Report = None,
    bound: Bound = "strict",
    seed: Seed = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Run the runtime in a separate process, and stop it if a model takes longer.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="How many processes to use; 0 for one per processor."),
    ] = 0,
    dask: Dask = None,
    *,
    quick: Quick = False,
    full: Full = False,
) -> None:
    """Say whether a runtime computes the softmax family right.

    Runs every operator at every version in every dtype on every family of inputs, and judges the outputs by
    the exact values. The exit code is 0 when all is right or known, 1 when something is not, 2 when nothing
    could be run, and 3 when nothing was compared.
    """
    if context.invoked_subcommand is not None:
        return
    if runtime is None:
        if given := " ".join(typed_options(context)):
            message = (
                f"expected a runtime (got {given} alone); add --runtime NAME, such as --runtime onnxruntime"
            )
            raise ValueError(message)
        typer.echo(context.get_help())
        return
    from softops.conformance import run

    check_folder(report)
    bar = CountingBar()
    with bar:
        found = run(
            runtime,
            ops=parts(ops),
            opsets=numbers(opsets),
            dtypes=parts(dtypes),
            families=parts(families),
            quick=quick,
            full=full,
            seed=seed,
            bound=bound,
            time_limit=time_limit,
            jobs=jobs,
            dask=dask,
            progress=bar.add,
        )
    finish(found, report)


conformance_app.command()(dump)
conformance_app.command()(check)
