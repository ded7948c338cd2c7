"""
Run a model in a runtime and in our backend, and say whether the runtime computes it right.

Opened → run from end to end → run cut into steps → each step judged once → report.
"""

from __future__ import annotations

from softops.opset import ModelSource

from ..runtimes.names import get_runtime
from ..runtimes.protocol import Runtime
from ..steps.graph import ModelGraph
from ..steps.source import open_source
from ..steps.step import Bounds
from .batch import Made, made_up_inputs
from .examination import examine
from .inputs import Inputs, Shapes, prepare_inputs
from .report import Report


def validate(
    model: ModelSource,
    runtime: str | Runtime = "onnxruntime",
    inputs: Inputs = None,
    *,
    max_ulp: float | None = None,
    seed: int = 0,
    batch: int | None = None,
    shapes: Shapes | None = None,
) -> Report:
    """
    Tell whether ``runtime`` computes ``model`` right.

    The model is run in the runtime and in our backend, and each output is compared (`Report.outputs`). What
    passes is decided step by step (`Report.steps`), each step on the runtime's own values:

    - the output of every node of the softmax family against the exact value for the input that the runtime
      gave it, within the bound that the textbook formula keeps (`softops.conformance.measure.bounds`), or within
      ``max_ulp``;
    - labels and other integers or strings against what follows from the runtime's own logits: equal, or
      wrong;
    - what is quantised within half a step of what was rounded: beside a tie the next step is right, too;
    - all other floats against a run in float64, within the noise of right runtimes (`softops.conformance.noise`): no
      element further off than ten standard deviations, nor all together further than two in the root mean square.
      Where several nodes together are beyond that, or their noise leaves fewer than two digits, each is judged by
      itself.

    Wrong is only what departs from an oracle or from an implementation of ours that is verified. Where onnx's
    reference implementation stands in for one, and where nothing here computes a node, the verdict is ``cannot
    tell`` (`Report.unsettled`); known deviations of a runtime are named and pass (`Report.known`).

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
        model leaves the number open, which is chosen by the time and memory of a first row (see `Report.notes`), and
        at most 256. ``shapes`` has the shapes of inputs whose dimensions are open, by name.
    max_ulp
        A bound for the softmax family in ULP of the exact value, in place of the derived ones.

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

    Examples
    --------
    >>> from softops.export import classifier_head
    >>> report = validate(classifier_head(np.eye(3, dtype=np.float32)), "onnxruntime")
    >>> report.passed
    True
    """
    bounds = Bounds(max_ulp)
    chosen = get_runtime(runtime)
    graph = ModelGraph(open_source(model))
    if inputs is None:
        made = made_up_inputs(graph, seed=seed, batch=batch, shapes=shapes)
    else:
        made = Made(prepare_inputs(graph.source.model, inputs))
    # A fixed seed is part of the finding only where it made the inputs.
    report, _ = examine(graph, chosen, made.feeds, bounds, seed=seed if inputs is None else None)
    report.notes += [made.note] if made.note else []
    return report
