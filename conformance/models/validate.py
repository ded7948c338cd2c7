"""Run a model in a runtime and in our backend, and say whether the runtime computes it right."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from softops.opset import ModelSource
from softops.opset.graph.files import serialize

from ..measure.metrics import dtype_name
from ..runtimes.loading import load
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Run, Runtime, name_of, version_of
from ..runtimes.softops import SoftopsRuntime
from .cuts import Plan
from .inputs import Inputs, prepare_inputs
from .judge import Judge
from .record import Report
from .source import Source, open_source
from .trial import Trial

Arrays = dict[str, NDArray[Any]]

_TIMED_SECONDS = 0.5
"""Runs are repeated for their time until they have taken that long, or `_TIMED_RUNS` times."""

_TIMED_RUNS = 5


@dataclass(frozen=True)
class Bounds:
    """
    What a user sets of the bounds: ``max_ulp`` and ``rtol`` of `validate`.

    Raises
    ------
    ValueError
        One is negative.
    """

    max_ulp: float | None = None
    rtol: float = 1e-3

    def __post_init__(self) -> None:
        for name, bound in (("max_ulp", self.max_ulp), ("rtol", self.rtol)):
            if bound is not None and not bound >= 0:
                message = (
                    f"expected {name} of 0 or more (got {bound!r}); pass for instance max_ulp=64, rtol=1e-3"
                )
                raise ValueError(message)


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
    subject = Subject.of(open_source(model))
    feeds = prepare_inputs(subject.source.model, inputs, seed=seed, batch=batch)
    # A fixed seed is part of the finding only where it made the inputs.
    report, _ = examine(subject, chosen, feeds, seed=seed if inputs is None else None, bounds=bounds)
    return report


class Subject(NamedTuple):
    """A model that is validated: where it comes from, how it is cut, and its bytes."""

    source: Source
    plan: Plan
    content: bytes

    @classmethod
    def of(cls, source: Source) -> Subject:
        """Plan a model."""
        return cls(source, Plan(source), serialize(source.model))


def examine(
    subject: Subject,
    runtime: Runtime,
    feeds: Arrays,
    *,
    label: str | None = None,
    seed: int | None = None,
    bounds: Bounds = Bounds(),
) -> tuple[Report, Arrays]:
    """
    Run a model in a runtime and in our backend, and judge it: one report of `validate`.

    Parameters
    ----------
    label
        What the runtime is called in the report; its own name by default.

    Returns
    -------
    tuple
        The report, and the runtime's values by name: inputs, cuts and outputs.
    """
    name, ours, plan = label or name_of(runtime), SoftopsRuntime(), subject.plan
    actual, seconds = _timed(load(runtime, subject.content, plan.folder), feeds)
    expected, our_seconds = _timed(load(ours, subject.content, plan.folder), feeds)
    report = Report(
        runtime=name,
        runtime_version=version_of(runtime),
        softops_version=ours.version,
        opset=plan.opset,
        inputs={key: (dtype_name(array), array.shape) for key, array in feeds.items()},
        seed=seed,
        seconds={ours.name: our_seconds, name: seconds},
        notes=list(plan.notes),
    )
    judge = Judge(plan, max_ulp=bounds.max_ulp, rtol=bounds.rtol)
    trial = Trial(report, plan, runtime, feeds, judge)
    trial.measure(actual, expected)
    if not report.failures and not any(output.size for output in report.outputs.values()):
        report.compared = False
        report.failures.append("nothing was compared: expected an output with elements; pass larger inputs")
    return report, trial.values


def _timed(run: Run, feeds: Mapping[str, NDArray[Any]]) -> tuple[Sequence[NDArray[Any]], float]:
    """Return the outputs of a first run, and the seconds of the fastest further one."""
    outputs = run(feeds)
    best, spent = float("inf"), 0.0
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        run(feeds)
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
        if spent > _TIMED_SECONDS:
            break
    return outputs, best
