"""The options of `softops validate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .terminal.options import AsJson, Dask, Inputs, Model, Report, Shape
from .terminal.words import Dtype

_FILE = "FILE.npz"


def validate(
    model: Model,
    *,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A runtime under test, as for softops conformance; repeat for more [default: onnxruntime].",
            show_default=False,
        ),
    ] = None,
    inputs: Inputs = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Generate inputs that give the logits this family's values, such as gaps or ties; repeat for more, "
            "all for all.",
            show_default=False,
        ),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option(
            metavar=_FILE,
            help="Outputs made elsewhere from --inputs, by name: run no runtime, and say whether rounding explains how "
            "they differ. Intermediate tensors may be among them.",
        ),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Run a whole evaluation set, in batches, and compare the labels: a .npz file, a folder of .npy files, "
            "a .zarr group, or .parquet; all but the first may be larger than memory.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The true labels: an array of the dataset, or a .npy file [default: labels, label or y].",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Rows in a batch [default: by the time and memory of a first row, at most 256].",
            show_default=False,
        ),
    ] = None,
    shape: Shape = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="The seed of inputs, and of the noise for --expected."),
    ] = 0,
    max_ulp: Annotated[
        float | None,
        typer.Option(metavar="ULP", help="A bound for the softmax family in place of the derived ones."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help="With --expected: how many noisy runs the noise is estimated from [default: 8].",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            help="With --expected: the dtype that the outputs were computed in [default: in the model's own].",
            show_default=False,
        ),
    ] = None,
    dask: Dask = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Say whether runtimes compute a model correctly.

    Runs MODEL in each runtime and in softops, compares every output, also between the runtimes, and names the
    first node of the softmax family that is wrong. The exit code is 0 if everything is right but for known deviations,
    which are named; 1 if something is wrong; 2 if something could not be run; and 3 if there is no verdict: the runtime
    differs from onnx.reference at a node that softops cannot verify, or nothing was compared.

    With --expected no runtime is run. The exit code is 0 if outputs are equal or explained by rounding; 1 if they are
    not, or decide differently; 2 if they do not fit the model; and 3 if it cannot be decided.
    """
    names = runtime or ["onnxruntime"]
    if expected is None:
        _refuse("runtimes", {"--samples": samples, "--dtype": dtype}, "add --expected, or leave it out")
    if expected is not None:
        from .expected import run_expected

        others = {
            "--runtime": runtime,
            "--family": family,
            "--dataset": dataset,
            "--labels": labels,
            "--dask": dask,
        }
        _refuse("--expected", {**others, "--batch": batch, "--shape": shape, "--max-ulp": max_ulp})
        code = run_expected(
            model,
            inputs,
            expected,
            samples=samples or 8,
            seed=seed,
            dtype=dtype,
            report=report,
            as_json=as_json,
        )
    elif dataset is not None:
        from .evaluation import run_evaluation

        _refuse("--dataset", {"--inputs": inputs, "--family": family, "--shape": shape})
        code = run_evaluation(
            model,
            names,
            dataset,
            labels,
            batch=batch,
            max_ulp=max_ulp,
            report=report,
            as_json=as_json,
            dask=dask,
        )
    else:
        from .validation import run_validation

        _refuse(
            "generated or given inputs",
            {"--labels": labels, "--dask": dask},
            "add --dataset, or leave it out",
        )
        if inputs is not None:
            _refuse("--inputs", {"--shape": shape})
        code = run_validation(
            model,
            names,
            inputs,
            family,
            batch=batch,
            shapes=parsed_shapes(shape or ()),
            seed=seed,
            max_ulp=max_ulp,
            report_path=report,
            as_json=as_json,
        )
    if code:
        raise typer.Exit(code)


def parsed_shapes(given: Sequence[str]) -> dict[str, list[int]]:
    """Return the shapes of ``NAME=1,3,96,96`` by name; the name may hold a = itself."""
    shapes = {}
    for text in given:
        name, _, lengths = text.rpartition("=")
        parts = [part.strip() for part in lengths.split(",")] if lengths else []
        if not name or not all(part.isdecimal() for part in parts):
            message = f"expected a shape as NAME=1,3,96,96 (got {text!r}); name an input and its lengths"
            raise ValueError(message)
        shapes[name] = [int(part) for part in parts]
    return shapes


def _refuse(beside: str, options: dict[str, object], cure: str = "leave one out") -> None:
    for name, value in options.items():
        if value is not None:
            message = f"expected no {name} with {beside} (got {value}); {cure}"
            raise ValueError(message)
