"""
What becomes of a step that is beyond its bound: wrong, a known deviation, or nothing that can be told.

A step of several nodes is run anew with each of them cut from the others: so roundings that add up are told from a node
that is wrong, and the node is named. Whatever then rests on an implementation that is not verified is not settled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.backend.plan import Watch
from softops.opset.nodes.node import described

from ..errors import ModelNotRunError
from ..measure.bounds import largest_of_rows, loosely
from ..measure.ulp import is_float, unit_roundoff
from ..runtimes.loading import load
from ..runtimes.protocol import Runtime, name_of
from ..runtimes.softops import SoftopsRuntime
from .cuts import Cuts
from .graph import Arrays, ModelGraph
from .ground import Ground
from .judge import Bounds, is_discrete, judged
from .runs import CutRun, WholeRun, run_cut, run_variant
from .step import Step

_DERIVED = ("exact value", "matrix product", "sum of 1")
"""The rules that compare with an oracle, or with twice the precision, and with nothing of our backend."""

_ROW = 16
"""How many numbers a row has at least, by the largest of which the others are measured."""

_SUMS = frozenset(
    (
        *(
            "AveragePool",
            "BatchNormalization",
            "Conv",
            "ConvTranspose",
            "CumSum",
            "DFT",
            "Einsum",
            "GRU",
            "Gemm",
        ),
        *(
            "GlobalAveragePool",
            "GlobalLpPool",
            "GridSample",
            "GroupNormalization",
            "InstanceNormalization",
            "LRN",
        ),
        *(
            "LSTM",
            "LayerNormalization",
            "LpNormalization",
            "LpPool",
            "MatMul",
            "Mean",
            "MeanVarianceNormalization",
        ),
        *("RMSNormalization", "RNN", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceMean", "ReduceSum"),
        *("ReduceSumSquare", "Resize", "STFT", "Sum", "SVMClassifier", "SVMRegressor", "TreeEnsemble"),
        *("TreeEnsembleClassifier", "TreeEnsembleRegressor"),
    )
)
"""Operators that add up terms, of which little may be left; all others make one number of one, or of two."""

_ASKED_BYTES = 2**28
"""Of as many bytes at most a runtime is asked for all values at once."""


class Scene(NamedTuple):
    """A model in a runtime, what it is fed, the bounds it is judged by, and how many bytes one of its nodes makes."""

    graph: ModelGraph
    runtime: Runtime
    feeds: Arrays
    bounds: Bounds
    ground: Ground
    node_bytes: float
    watch: Watch | None = None


def settled(scene: Scene, cut: CutRun, steps: Sequence[Step]) -> list[Step]:
    """Return the steps of a cut run, those beyond their bounds looked into; further ones are of nodes between cuts."""
    open_ends = {step.tensor: step for step in steps if not step.passed and step.rule not in _DERIVED}
    known = {*scene.feeds, *cut.theirs}
    between = {name: scene.ground.between(name, known) for name in open_ends}
    inner, theirs = _each_alone(scene, cut, between)
    found = list[Step]()
    for step in steps:
        if step.tensor not in open_ends:
            found.append(step)
            continue
        made = {name for node in between[step.tensor] for name in node.output}
        wrong = [part for part in inner if part.tensor in made and not part.passed]
        if inner:
            if not wrong:
                found.append(_added_up(scene, step, cut.theirs[step.tensor], theirs.get(step.tensor)))
            # Otherwise what follows from a node that is named is not wrong a second time.
        else:
            found.append(in_doubt(scene, step, known))
    return [*found, *_named_once(scene, inner, found)]


def shaken(scene: Scene, whole: WholeRun, steps: Sequence[Step]) -> list[Step]:
    """
    Return steps from end to end, those right that are no further off than a small change of the inputs moves our own.

    A network may make much of the last bits. The inputs are changed by 2^-18 of themselves: 64 roundings of float32.
    """
    beyond = [step for step in steps if not step.passed and step.rule == "end to end"]
    if not beyond:
        return list(steps)
    run = load(SoftopsRuntime(scene.watch), scene.graph.content, scene.graph.source.folder)
    moved = dict(zip(scene.graph.outputs, run(_moved(scene.feeds)), strict=True))
    found = []
    for step in steps:
        if step in beyond and _moved_as_far(
            whole.theirs[step.tensor], whole.ours[step.tensor], moved[step.tensor]
        ):
            step = replace(step, passed=True, rule="end to end, inputs moved", wrong=0, kinds=())  # noqa: PLW2901
        found.append(step)
    return found


def _moved_as_far(actual: NDArray[Any], ours: NDArray[Any], moved: NDArray[Any]) -> bool:
    """Whether a result is no further off than ours moves with its inputs: up to four times as far in its row."""
    if actual.shape != moved.shape or not is_float(actual.dtype):
        return False
    theirs, own, other = (x.astype(np.float64) for x in (actual, ours, moved))
    with np.errstate(invalid="ignore"):
        far, near = np.abs(other - own), np.abs(theirs - own)
    if not (np.isfinite(far) == np.isfinite(near)).all():
        return False
    far = largest_of_rows(np.where(np.isfinite(far), far, 0), _ROW)
    return bool((near <= 4 * far)[np.isfinite(near)].all())


def _moved(values: Arrays) -> Arrays:
    """Return arrays of floats moved by 2^-18 of themselves, of 16 bits by 8 roundings; others as they are."""
    random = np.random.default_rng(0)
    found = {}
    for name, x in values.items():
        if is_float(x.dtype):
            step = 2.0**-18 if x.dtype.itemsize >= 4 else 8 * unit_roundoff(x.dtype)
            moved = x.astype(np.float64) * (1 + step * random.choice([-1, 1], x.shape))
            found[name] = np.asarray(moved.astype(x.dtype))
        else:
            found[name] = x
    return found


def in_doubt(scene: Scene, step: Step, known: Collection[str]) -> Step:
    """Return a step beyond its bound, not settled where a node on the way from what is known is not verified."""
    doubt = "" if step.rule in _DERIVED else scene.ground.doubt(step.tensor, known)
    if step.passed or not doubt:
        return step
    return replace(
        step,
        unsettled=f"{name_of(scene.runtime)} differs from onnx.reference at {doubt}, which is not verified",
    )


def _named_once(scene: Scene, inner: Sequence[Step], found: Sequence[Step]) -> Iterator[Step]:
    named = {step.tensor for step in found}
    for part in inner:
        if not part.passed and part.tensor not in named:
            node = scene.graph.producers[part.tensor]
            yield in_doubt(
                scene,
                part,
                {name for name in (*scene.feeds, *scene.graph.producers) if name not in node.output},
            )


def _added_up(scene: Scene, step: Step, actual: NDArray[Any], stepwise: NDArray[Any] | None) -> Step:
    """A step beyond its bound of which each node is right by itself: compared with what the runtime makes in these."""
    if stepwise is not None and stepwise.shape == actual.shape:
        if is_discrete(actual):
            same = np.array_equal(actual, stepwise)
        elif is_float(actual.dtype):
            wide, other = actual.astype(np.float64), stepwise.astype(np.float64)
            with np.errstate(invalid="ignore"):
                near = np.abs(wide - other) <= loosely(stepwise, scene.bounds.rtol, _ROW)
            same = bool((near | (wide == other) | (np.isnan(wide) & np.isnan(other))).all())
        else:
            same = False
        if same:
            return replace(step, passed=True, rule=f"{step.rule}, node by node", wrong=0, kinds=())
    return replace(
        step,
        unsettled=f"{name_of(scene.runtime)} gives another {step.tensor} than softops, and yet another when it is "
        "asked for the values before it, of which each is right",
    )


def _each_alone(
    scene: Scene, cut: CutRun, between: dict[str, list[onnx.NodeProto]]
) -> tuple[list[Step], Arrays]:
    """Judge every node of some steps by itself, and return what the runtime gave for the steps' tensors then."""
    wanted = {"/".join(node.output) for nodes in between.values() for node in nodes}
    nodes = [node for node in scene.graph.model.graph.node if "/".join(node.output) in wanted]
    size = max(4, int(_ASKED_BYTES / max(scene.node_bytes, 1)))
    steps, ends = list[Step](), Arrays()
    for start in range(0, len(nodes), size):
        part = nodes[start : start + size]
        try:
            run = run_cut(scene.graph, scene.runtime, scene.feeds, cut.theirs, {}, part, scene.watch)
        except ModelNotRunError:  # not every runtime gives out everything
            return [], {}
        if run.failures:
            return [], {}
        values = {**scene.feeds, **run.theirs}
        names = [name for name in run.recomputed if name in values]
        judgements = list(judged(scene.graph, values, run.recomputed, scene.bounds, names, brief=True))
        steps += _as_inputs_move(scene, judgements, run)
        ends |= {name: array for name, array in run.theirs.items() if name in between}
    return steps, ends


def _as_inputs_move(scene: Scene, steps: Sequence[Step], run: CutRun) -> list[Step]:
    """
    Return steps of single nodes, those right that are no further off than a small change of what they got moves ours.

    Near 0 the sums of a convolution, say, are what their terms leave: a thousandth of them is less than a rounding.
    """
    beyond = {step.tensor for step in steps if step.rule == "rtol" and not step.passed}
    nodes = [
        node
        for node in scene.graph.model.graph.node
        if node.op_type in _SUMS and not beyond.isdisjoint(node.output)
    ]
    if not nodes:
        return list(steps)
    cuts = Cuts(scene.graph, nodes)
    resumed = cuts.resumed()
    given = _moved({**scene.feeds, **{name: run.theirs[name] for name in cuts.names}})
    outputs = run_variant(scene.graph, SoftopsRuntime(scene.watch), resumed, given)
    moved = dict(zip(resumed.outputs, outputs, strict=True))
    return [
        replace(step, passed=True, rule="rtol, inputs moved", wrong=0, kinds=())
        if step.tensor in beyond
        and step.tensor in moved
        and _moved_as_far(run.theirs[step.tensor], run.recomputed[step.tensor], moved[step.tensor])
        else step
        for step in steps
    ]


def differing(scene: Scene, failures: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split failures to compare at all, of these tensors, into what is wrong and what is not settled."""
    weak = [node for node in scene.graph.model.graph.node if scene.ground.is_weak(node)]
    if not weak:
        return list(failures), []
    wrong, open_ends = [], []
    for failure in failures:
        name = next((name for name in names if failure.startswith(f"{name}: ")), None)
        doubt = described(weak[0]) if name is None else scene.ground.doubt(name, scene.feeds)
        if doubt:
            open_ends.append(
                f"{name_of(scene.runtime)} differs from onnx.reference at {doubt}, which is not verified ({failure})"
            )
        else:
            wrong.append(failure)
    return wrong, open_ends
