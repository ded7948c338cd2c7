"""`softops export head`: a file of weights to a classifier head."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softops.export.sources.arrays import read_weights

from ..terminal.console import Console, shown
from ..terminal.words import Activation

if TYPE_CHECKING:
    from softops.export.builder.choice import HeadOptions


def export_head(
    weights_path: Path,
    out: Path,
    *,
    layer: str | None,
    activation: Activation,
    temperature: float | None,
    options: "HeadOptions",
    check: bool,
    inputs: Path | None,
    force: bool,
) -> bool:
    """Build the head of a file's weight and bias, write it and print what it is; False when a check fails.

    With ``check`` nothing is written unless onnxruntime computes it right, on the arrays of ``inputs`` if it is given.
    """
    refuse_inputs_alone(inputs, check)
    refuse_existing(out, force)
    weight, bias = read_weights(weights_path, layer)

    from softops.export import classifier_head, save_model

    model = classifier_head(weight, bias, activation=activation, temperature=temperature, **options)
    console = Console(soft_wrap=True)
    if check and not _is_right(console, model, out, inputs):
        return False
    save_model(model, out)
    describe(console, model, out)
    return True


def refuse_inputs_alone(inputs: Path | None, check: bool) -> None:
    """Raise when inputs are named that nothing would be run on."""
    if inputs is not None and not check:
        msg = f"expected --inputs with --check (got {inputs} alone); add --check, or leave it out"
        raise ValueError(msg)


def refuse_existing(out: Path, force: bool) -> None:
    """Raise when ``out`` is there already, unless it may be overwritten."""
    if out.exists() and not force:
        msg = f"{out} exists already; choose another --out, or overwrite it with --force"
        raise FileExistsError(msg)


def read_labels(path: Path) -> list[str]:
    """Return the lines of a text file, without empty ones at the end."""
    try:
        # Ends of lines alone part them: str.splitlines would at U+2028, U+0085 and others as well.
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        msg = (
            f"{path}: expected class labels in UTF-8, one a line (got byte {error.object[error.start]:#04x})"
        )
        raise ValueError(msg) from error
    while lines and not lines[-1].strip():
        del lines[-1]
    return lines


def read_label(text: str, is_text: bool) -> str | int:
    """Return a label as the others are: text, or an integer."""
    if is_text:
        return text
    try:
        return int(text)
    except ValueError:
        msg = (
            f"expected --abstain-label as an integer, like the labels (got {text!r}); pass --labels for text"
        )
        raise ValueError(msg) from None


def read_pairs(option: str, entries: Sequence[str] | None) -> dict[str, str] | None:
    """Return the values of an option that is repeated, ``KEY=VALUE`` each."""
    if not entries:
        return None
    pairs = [entry.partition("=") for entry in entries]
    if wrong := [entry for entry, (key, sign, _) in zip(entries, pairs, strict=True) if not key or not sign]:
        msg = f"expected {option} with an equals sign between two words (got {wrong[0]!r}); pass {option} a=b"
        raise ValueError(msg)
    found = {key: value for key, _, value in pairs}
    if len(found) < len(pairs):
        keys = [key for key, _, _ in pairs]
        msg = f"expected {option} once for each (got {', '.join(keys)}); leave one out"
        raise ValueError(msg)
    return found


def _is_right(console: Console, model: Any, out: Path, inputs: Path | None) -> bool:
    from softops.conformance import validate

    report = validate(model, "onnxruntime", inputs)
    runtime = shown(f"{report.runtime} {report.runtime_version}")
    if report.passed:
        given = "generated inputs" if inputs is None else shown(inputs.name)
        console.print(f"{runtime} computes it [green]{report.verdict}[/green] on {given}.")
    else:
        for failure in report.failures:
            console.print(f"[red]Wrong:[/red] {shown(failure)}")
        console.print(f"{runtime} computes it [red]{report.verdict}[/red]; {shown(out)} was not written.")
    return report.passed


def describe(console: Console, model: Any, out: Path) -> None:
    """Print size, opset, inputs and outputs of a model that was written."""

    def signature(values: Any) -> str:
        return shown(", ".join(_type_of(value) for value in values))

    opsets = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in model.opset_import)
    # Old IR versions list the weights among the inputs.
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    console.print(
        f"[bold]{shown(out)}[/bold]  {out.stat().st_size:,} bytes, opset {opsets}, IR version {model.ir_version}"
    )
    console.print(f"  in   {signature(inputs)}")
    console.print(f"  out  {signature(model.graph.output)}")


def _type_of(value: Any) -> str:
    """`features float[batch, 64]` for a value of a graph."""
    from softops.opset.graph.types import type_word

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"{value.name} {str(kind).removesuffix('_type')}"
    tensor = value.type.tensor_type
    shape = ", ".join(
        str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim
    )
    return f"{value.name} {type_word(tensor.elem_type)}[{shape}]"
