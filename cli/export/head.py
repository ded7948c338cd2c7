"""`softops export head`: a classifier head from a file of weights."""

from pathlib import Path
from typing import Annotated

import typer

from ..terminal.words import Activation, Dtype

FAILED = 1  # --check found it wrong

Names = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="OLD=NEW", help="Rename an input or output; may be repeated."),
]


def head(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS",
            help="A .npz or .safetensors file with the arrays `weight` (classes, features) and, if there is one, "
            "`bias` (classes,).",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="The model to write.", show_default=False)
    ],
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Take the arrays NAME.weight and NAME.bias of the file."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text file, one class label a line [default: 0, 1, …]."),
    ] = None,
    activation: Annotated[
        Activation, typer.Option(help="How scores are computed from the logits.")
    ] = "softmax",
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="Divide the logits by T before the activation.")
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Among label, probabilities, log_probabilities, logits and top_k, with commas between "
            "[default: the label, the activation's, top_k with --top-k].",
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(metavar="K", help="Also give the K best classes and their scores.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="P", help="Give no label where the best class is less probable than this."),
    ] = None,
    abstain_label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="The label in that case [default: -1, or an empty one]."),
    ] = None,
    zipmap: Annotated[
        bool, typer.Option("--zipmap", help="Give the scores as maps from label to number.")
    ] = False,
    opset: Annotated[
        int | None, typer.Option(metavar="N", help="The ONNX opset to write for [default: 17].")
    ] = None,
    for_runtime: Annotated[
        str | None,
        typer.Option(metavar="NAME==VERSION", help="A runtime that must load it, such as onnxruntime==1.17."),
    ] = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            help="What the model takes and gives [default: that of the weights].", show_default=False
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="NAME|N", help="Name of the batch axis, or its length [default: batch]."),
    ] = None,
    names: Names = None,
    doc_string: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Description kept in the model.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An entry of the model's metadata; may be repeated."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write it only if onnxruntime computes it right.")
    ] = False,
    inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="What --check runs on: the features, by the input's name [default: generated].",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a classifier head: features in, labels and probabilities out.

    The exit code is 0 when it was written, 1 when --check found it wrong, and 2 when it could not be made.
    """
    from .head_file import export_head, read_label, read_labels, read_pairs

    table = None if labels is None else read_labels(labels)
    options = {
        "labels": table,
        "outputs": None if outputs is None else [name.strip() for name in outputs.split(",")],
        "top_k": top_k,
        "threshold": threshold,
        "abstain_label": None if abstain_label is None else read_label(abstain_label, table is not None),
        "zipmap": zipmap or None,
        "opset": opset,
        "for_runtime": for_runtime,
        "dtype": dtype,
        "batch": int(batch) if batch is not None and batch.isdecimal() else batch,
        "names": read_pairs("--name", names),
        "doc_string": doc_string,
        "metadata": read_pairs("--metadata", metadata),
    }
    written = export_head(
        weights,
        out,
        layer=layer,
        activation=activation,
        temperature=temperature,
        options={name: value for name, value in options.items() if value is not None},  # type: ignore[arg-type]
        check=check,
        inputs=inputs,
        force=force,
    )
    if not written:
        raise typer.Exit(FAILED)
