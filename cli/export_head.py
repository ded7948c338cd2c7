"""`softops export head`: a file of weights to a classifier head."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from softops.export.arrays import read_npz


def export_head(
    weights_path: Path, out: Path, *, labels_path: Path | None, activation: str, opset: int, force: bool
) -> None:
    """Build the head from the arrays `weight` and `bias` of a .npz file, write it and print what it is."""
    refuse_existing(out, force)
    weight, bias = _weight_and_bias(weights_path)
    labels = None if labels_path is None else read_labels(labels_path)

    from softops.export import classifier_head

    model = classifier_head(weight, bias, labels=labels, activation=activation, opset=opset, path=out)
    describe(model, out)


def refuse_existing(out: Path, force: bool) -> None:
    """Raise when ``out`` is there already, unless it may be overwritten."""
    if out.exists() and not force:
        msg = f"{out} exists already; choose another --out, or overwrite it with --force"
        raise FileExistsError(msg)


def _weight_and_bias(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    arrays = read_npz(path)
    if "weight" not in arrays or not arrays.keys() <= {"weight", "bias"}:
        found = ", ".join(arrays) or "none"
        msg = f"{path}: expected the array `weight` and perhaps `bias` (got {found}); rename what it holds"
        raise ValueError(msg)
    return arrays["weight"], arrays.get("bias")


def read_labels(path: Path) -> list[str]:
    """Return the lines of a text file, without empty ones at the end."""
    try:
        return path.read_text("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        msg = (
            f"{path}: expected class labels in UTF-8, one a line (got byte {error.object[error.start]:#04x})"
        )
        raise ValueError(msg) from error


def describe(model: Any, out: Path) -> None:
    """Print size, opset, inputs and outputs of a model that was written."""
    from rich.console import Console
    from rich.markup import escape

    def signature(values: Any) -> str:
        return escape(", ".join(_type_of(value) for value in values))

    console = Console(soft_wrap=True, highlight=False)
    opsets = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in model.opset_import)
    # Old IR versions list the weights among the inputs.
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    console.print(f"[bold]{escape(str(out))}[/bold]  {out.stat().st_size:,} bytes, opset {opsets}")
    console.print(f"  in   {signature(inputs)}")
    console.print(f"  out  {signature(model.graph.output)}")


def _type_of(value: Any) -> str:
    """`features float[batch, 64]` for a value of a graph."""
    from onnx import TensorProto

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"{value.name} {str(kind).removesuffix('_type')}"
    tensor = value.type.tensor_type
    shape = ", ".join(
        str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim
    )
    return f"{value.name} {TensorProto.DataType.Name(tensor.elem_type).lower()}[{shape}]"
