"""`--check`: what a model gives in onnxruntime before surgery and after."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..terminal.console import Console

Outputs = Mapping[str, Any]

ROWS = 8
# The tolerance of the official ONNX node tests (onnx.backend.test) for other operators that mean the same, and of
# `softops validate`: of the largest number in the row.
RTOL = 1e-3
# A row has at least as many numbers: by itself a number near 0 is what its terms leave.
ROW = 16


def run_both(
    before: "ModelProto", after: "ModelProto", folder: Path, inputs: Path | None = None
) -> tuple[Outputs, Outputs]:
    """
    Run two models in onnxruntime on the same inputs; their tensors lie in ``folder``.

    ``inputs`` is an .npz file of arrays by name; None to make them up for the first model.

    Without onnxruntime's own rewriting of graphs: it depends on the nodes around, and changes roundings.
    """
    from softops.conformance.models.inputs import made_up, prepare_inputs

    feeds = made_up(before, batch=ROWS) if inputs is None else prepare_inputs(before, inputs)
    return _run(before, feeds, folder, "before"), _run(after, feeds, folder, "after")


def _run(model: "ModelProto", feeds: Mapping[str, NDArray[Any]], folder: Path, when: str) -> Outputs:
    from softops.conformance import ModelNotRunError
    from softops.conformance.runtimes.onnxruntime import OnnxRuntime
    from softops.opset.graph.files import serialize

    runtime = OnnxRuntime(level="disabled")  # raises where it is not installed
    try:
        values = runtime.load_beside(serialize(model), folder)(feeds)
    except Exception as error:  # onnxruntime's errors have no base of their own
        message = (
            f"expected a model that onnxruntime runs {when} the change ({' '.join(str(error).split())}); "
            "leave out --check, and try it elsewhere"
        )
        raise ModelNotRunError(message) from error
    return dict(zip([value.name for value in model.graph.output], values, strict=True))


def compare_outputs(
    console: "Console", before: Outputs, after: Outputs, kept: str, inputs: Path | None = None
) -> bool:
    """
    Print how the outputs compare; True when all that had to stay stayed.

    Parameters
    ----------
    console
        Where to print.
    before, after
        Outputs by name.
    kept
        How outputs of the same name compare: all the ``"same"`` bits, all ``"but one"``, or ``"close"``: within a
        thousandth of the largest number in the row, or a ULP where that is more, as `softops validate` compares.
    inputs
        The file that the inputs are from; None where they were made up.
    """
    from ..terminal.console import shown

    allowed = 1 if kept == "but one" else 0
    good = True
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before or name not in after:
            word = "new" if name in after else "gone"
        elif _same(before[name], after[name]):
            word = "same bits"
        elif kept == "close" and _close(before[name], after[name]):
            word = f"within {_rtol(after[name].dtype):g} of before ({_apart(before[name], after[name])})"
        elif allowed:
            allowed -= 1
            word = "replaced"
        else:
            good = False
            word = f"[red]changed[/red] ({_apart(before[name], after[name])})"
        console.print(f"  {shown(name)}: {word}")
    verdict = "[green]as it should be[/green]" if good else "[red]not as before[/red]"
    given = f"{ROWS} rows of made up input" if inputs is None else shown(inputs.name)
    console.print(f"In onnxruntime, on {given}: {verdict}.")
    return good


def judge_appended(
    console: "Console", before: "ModelProto", after: "ModelProto", output: str | None, values: Outputs
) -> bool:
    """
    Print whether onnxruntime computes what was appended right; True when it does.

    Parameters
    ----------
    console
        Where to print.
    before, after
        The model, and with a head at ``output``, or at its only one.
    output
        Name of the output.
    values
        What onnxruntime gives for the outputs of ``before``.
    """
    from softops.conformance import validate

    from ..terminal.console import shown

    source = output if output is not None else before.graph.output[0].name
    report = validate(_appended(before, after, source), "onnxruntime", {source: values[source]})
    for failure in report.failures:
        console.print(f"[red]Wrong:[/red] {shown(failure)}")
    for deviation in report.known:
        console.print(f"Known: {shown(deviation)}")
    verdict = "[green]right[/green]" if report.passed else f"[red]{report.verdict}[/red]"
    runtime = shown(f"{report.runtime} {report.runtime_version}")
    console.print(f"{runtime} computes what was appended {verdict}.")
    return report.passed


def _appended(before: "ModelProto", after: "ModelProto", source: str) -> "ModelProto":
    """Return a model of the new nodes alone, whose input is what they were appended to."""
    from onnx import helper

    from softops.opset.graph.domains import IR_WITH_PLAIN_INITIALIZERS

    old = {tensor.name for tensor in before.graph.initializer}
    known = {value.name for value in before.graph.output}
    graph = helper.make_graph(
        after.graph.node[len(before.graph.node) :],
        "appended",
        [value for value in before.graph.output if value.name == source][:1],
        [value for value in after.graph.output if value.name not in known],
        [tensor for tensor in after.graph.initializer if tensor.name not in old],
    )
    if after.ir_version < IR_WITH_PLAIN_INITIALIZERS:
        graph.input.extend(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            for tensor in graph.initializer
        )
    return helper.make_model(graph, opset_imports=after.opset_import, ir_version=after.ir_version)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):  # a sequence
        return len(left) == len(right) and all(map(_same, left, right))
    if not isinstance(left, np.ndarray) or not isinstance(right, np.ndarray):
        return bool(left == right)
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return left.tolist() == right.tolist() if left.dtype == object else left.tobytes() == right.tobytes()


def _close(left: Any, right: Any) -> bool:
    if not _comparable(left, right):
        return False
    from softops.conformance.measure.bounds import loosely

    # Where the expression overflowed or divided by zero the operator has nothing to agree with.
    known = np.isfinite(left)
    with np.errstate(invalid="ignore"):
        apart = np.abs(right.astype(np.float64) - left.astype(np.float64))
    return bool((apart <= loosely(left, _rtol(left.dtype), ROW))[known].all())


def _rtol(dtype: np.dtype[Any]) -> float:
    """A unit in the last place of bfloat16 is more than the tolerance."""
    return 2.0**-7 if dtype == ml_dtypes.bfloat16 else RTOL


def _apart(left: Any, right: Any) -> str:
    if not _comparable(left, right):
        return "another type, shape or value"
    from softops.conformance.measure.metrics import compare

    report = compare("output", right, left)
    return f"at most {report.max_ulp:,} ULP apart"


def _comparable(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return (
        isinstance(left, np.ndarray)
        and isinstance(right, np.ndarray)
        and left.dtype == right.dtype
        and left.shape == right.shape
        and (left.dtype.kind == "f" or left.dtype == ml_dtypes.bfloat16)
    )
