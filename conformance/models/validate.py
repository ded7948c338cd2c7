"""
Run a model in a runtime and in our backend, and say whether the runtime computes it right.

Opened → run from end to end → run cut into steps → each step judged once → report.
"""

from __future__ import annotations

from softops.opset import ModelSource

from ..measure.metrics import dtype_name
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Runtime, name_of, version_of
from ..runtimes.softops import SoftopsRuntime
from ..steps.graph import Arrays, ModelGraph
from ..steps.judge import Bounds, changed_outputs, judged
from ..steps.runs import run_cut, run_whole
from ..steps.source import open_source
from ..steps.step import Step
from .differences import Differences, compare_nodes, compare_outputs
from .inputs import Inputs, prepare_inputs
from .report import Report


def validate(
    model: ModelSource,
    runtime: str | Runtime = "onnxruntime",
    inputs: Inputs = None,
    *,
    max_ulp: float | None = None,
    rtol: float = 1e-3,
    seed: int = 0,
    batch: int = 256,
) -> Report:
    """
    Tell whether ``runtime`` computes ``model`` right.

    The model is run in the runtime and in our backend, and each output is compared (`Report.outputs`). What
    passes is decided step by step (`Report.steps`), each step on the runtime's own values:

    - the output of every node of the softmax family against the exact value for the input that the runtime
      gave it, within the bound that the textbook formula keeps (`softops.conformance.measure.bounds`), or within
      ``max_ulp``;
    - matrix products and sums against their value in twice the precision, within the rounding bound of a
      sum in any order;
    - labels and other integers or strings against what follows from the runtime's own logits: equal, or
      wrong;
    - what no rule is known for (a convolution, say) against our backend, within ``rtol`` of the largest
      magnitude in the row, or a ULP where that is more.

    So two runtimes that sum in another order may both pass, although their probabilities differ, and none
    passes for a softmax that is off by more than its own rounding.

    Parameters
    ----------
    model
        Path, bytes or ``onnx.ModelProto``. Models of more than 2 GiB by path: their tensors stay in their files
        for runtimes that read them there, such as onnxruntime.
    runtime
        Name (see `runtimes`) or an object with ``supports(op, opset, dtype)`` and ``run(model, feeds)``.
    inputs
        An array for a model of one input, arrays by name, or the path of an ``.npz`` file of such. By
        default they are made up from ``seed``: Gaussian of standard deviation 3, ``batch`` rows where the
        model leaves the number open.
    max_ulp
        A bound for the softmax family in ULP of the exact value, in place of the derived ones.
    rtol
        The tolerance of the last rule; 1e-3 is that of ONNX's own tests.

    Returns
    -------
    Report
        A runtime that is wrong is reported, not raised, and so are outputs of a wrong number, shape or
        dtype. A comparison of nothing does not pass.

    Raises
    ------
    UnknownRuntimeError, RuntimeNotInstalledError
        There is no such runtime here.
    ModelNotRunError
        The runtime, or our backend, does not run the model.
    ModelError
        ``model`` is not an ONNX model.
    TypeError, ValueError, OSError
        The inputs do not fit the model or cannot be read; a bound is negative.
    """
    bounds = Bounds(max_ulp, rtol)
    chosen = get_runtime(runtime)
    graph = ModelGraph(open_source(model))
    feeds = prepare_inputs(graph.source.model, inputs, seed=seed, batch=batch)
    # A fixed seed is part of the finding only where it made the inputs.
    report, _ = examine(graph, chosen, feeds, bounds, seed=seed if inputs is None else None)
    return report


def examine(
    graph: ModelGraph,
    runtime: Runtime,
    feeds: Arrays,
    bounds: Bounds,
    *,
    label: str | None = None,
    seed: int | None = None,
) -> tuple[Report, Arrays]:
    """
    Run a model in a runtime and in our backend, and judge it: one report of `validate`.

    ``label`` is what the runtime is called in it. The runtime's values come along, by name: inputs, cuts and outputs.
    """
    name = label or name_of(runtime)
    whole = run_whole(graph, runtime, feeds)
    values = {**feeds, **whole.theirs}
    failures, notes, found, steps = list(whole.failures), list(graph.notes), Differences(), list[Step]()
    if not failures:
        found = compare_outputs(graph, whole.theirs, whole.ours)
        failures += found.unlike
    if not failures:
        cut = run_cut(graph, runtime, feeds, whole)
        failures += cut.failures
    if not failures:
        steps = list(judged(graph, feeds, whole, cut, bounds))
        failures += [step.message for step in steps if not step.passed]
        values = {**cut.theirs, **values}
        found.nodes = compare_nodes(graph, values, {**feeds, **cut.ours, **whole.ours})
        if changed := changed_outputs(whole, cut):
            notes.append(
                f"{name_of(runtime)} gives other bits of {', '.join(changed)} when it is asked for "
                "intermediate values as well; what it gives without is judged end to end"
            )
    compared = bool(failures) or any(output.size for output in found.outputs.values())
    if not compared:
        failures.append("nothing was compared: expected an output with elements; pass larger inputs")
    report = Report(
        runtime=name,
        runtime_version=version_of(runtime),
        softops_version=SoftopsRuntime().version,
        opset=graph.opset,
        inputs={key: (dtype_name(array), array.shape) for key, array in feeds.items()},
        seed=seed,
        seconds={SoftopsRuntime.name: whole.our_seconds, name: whole.their_seconds},
        apart=found,
        steps=steps,
        failures=failures,
        notes=notes,
        compared=compared,
    )
    return report, values
