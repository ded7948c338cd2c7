"""The command `softops`.

Only what `--help` needs is imported here: each command imports its own part when it runs, so that the command
line answers at once.
"""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .conformance.command import conformance_app
from .errors import explain, repeat_lost_interrupt
from .export.head import head
from .export.surgery import add_commands
from .noise import noise
from .terminal.groups import CommandGroup
from .terminal.options import AsJson, Model
from .terminal.output import Output, OutputError, give_up_output
from .validate import validate

FAILED = 1  # never from an error: outputs of the model are wrong, or there are warnings, with --strict
UNUSABLE = 2  # a file, an option or an argument with which nothing could be done; or a defect of softops
UNTOLD = 74  # all was done, but standard output took no more: EX_IOERR of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells count
READER_GONE = 141  # 128 + SIGPIPE

# Plain help pages: drawing them with rich would more than double the time `--help` takes.
app = typer.Typer(
    cls=CommandGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
export_app = typer.Typer(cls=CommandGroup, rich_markup_mode=None, help="Write ONNX models.")
app.add_typer(export_app, name="export")
app.add_typer(conformance_app, name="conformance")


def main() -> None:
    """Run the command line and leave with its exit code: the console script `softops`."""
    sys.unraisablehook = repeat_lost_interrupt
    sys.stdout = Output(sys.stdout)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; what a user can mend takes one line of stderr."""
    try:
        code: int | None = app(arguments, prog_name="softops", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OutputError as error:
        give_up_output()
        if error.reader_is_gone:
            return READER_GONE
        print(f"softops: {explain(error)}", file=sys.stderr)
        return UNTOLD
    except Exception as error:
        line = explain(error)
        if line is None:
            traceback.print_exc()
            line = "this is a defect of softops; please report it with the lines above"
        print(f"softops: {line}", file=sys.stderr)
        return UNUSABLE
    if code == INTERRUPTED:
        print("softops: interrupted", file=sys.stderr)
    return code or 0


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"softops {version('softops')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _softops(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """The softmax family of operators for ONNX: export classifier heads, validate what runtimes compute."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@export_app.callback(invoke_without_command=True)
def _export(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the model and the report.")] = Path(
        "softops-demo"
    ),
) -> None:
    """Train, export and validate a classifier of handwritten digits.

    Fits a softmax regression on 1797 handwritten digits with softops' own kernels, exports it as digits.onnx,
    runs it in onnxruntime and in softops, and writes report.html, which says whether the two agree.
    """
    from .demo.command import run_demo

    if not run_demo(out):
        raise typer.Exit(FAILED)


app.command()(validate)
app.command()(noise)


@app.command(name="inspect")
def inspect_model(
    model: Model,
    *,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when there are warnings.")] = False,
    for_runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME==VERSION",
            help="Also say whether that release reads the model, such as onnxruntime==1.17.",
            show_default=False,
        ),
    ] = None,
    fusions: Annotated[
        bool,
        typer.Option("--fusions", help="Also list what softops' backend computes as one, and why not."),
    ] = False,
) -> None:
    """List the softmax-family nodes of a model, with warnings.

    Shows the version, the axis rule and the axis each node really works along, and warns of what is likely
    meant otherwise, with the cure. The exit code is 0, with --strict 1 when there are warnings, and 2 when the
    model could not be read.
    """
    from .inspection import run_inspection

    good = run_inspection(model, as_json=as_json, for_runtime=for_runtime, fusions=fusions)
    if not good and strict:
        raise typer.Exit(FAILED)


@app.command()
def convert(
    model: Model,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="The model to write.", show_default=False)
    ],
    opset: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The ONNX opset to convert to [default: the model's own].", show_default=False
        ),
    ] = None,
    ir_version: Annotated[
        int | None,
        typer.Option("--ir-version", metavar="N", help="The IR version to write.", show_default=False),
    ] = None,
    for_runtime: Annotated[
        str | None,
        typer.Option(
            "--for-runtime",
            metavar="NAME[==VERSION]",
            help="A release that must be able to read it, such as onnxruntime==1.17.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Convert a model to another opset or IR version, or to what a runtime reads.

    Softmax, LogSoftmax and Hardmax keep their meaning in both directions across opset 13, where their axis
    changed its own; so do operators in subgraphs and functions. What cannot be said at the target is refused.
    """
    from .convert import run_conversion

    run_conversion(model, opset, out, ir_version=ir_version, for_runtime=for_runtime, force=force)


@app.command()
def operators(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these [default: all].", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: everything, as JSON.")] = False,
) -> None:
    """Print the table of operators: versions, axis, dtypes, and the kernels that onnxruntime has.

    With a NAME also the attributes, and where ONNX leaves a meaning open what softops does and why.
    """
    from .operators import print_operators

    print_operators(names or [], as_json=as_json)


export_app.command()(head)
add_commands(export_app)
