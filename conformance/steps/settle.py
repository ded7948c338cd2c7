"""
What becomes of a step that is beyond its bound: wrong, a known deviation, or nothing that can be told.

A step of several nodes is run anew with each of them cut from the others: so roundings that add up are told from a node
that is wrong, and the node is named. Whatever then rests on an implementation that is not verified is not settled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray

from softops.opset.backend.plan import Watch
from softops.opset.nodes.node import described

from ..errors import ModelNotRunError
from ..runtimes.protocol import Runtime, name_of
from .graph import Arrays, ModelGraph
from .ground import Ground
from .judge import judged
from .noise import known_noise
from .runs import CutRun, run_cut
from .step import Bounds, Step

_DERIVED = ("exact value", "sum of 1")
"""The rules that compare with an oracle, and with nothing of our backend."""

_DROWNED = 2.0
"""A tensor of fewer significant digits is looked into node by node."""

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
    open_ends = {step.tensor: step for step in steps if _is_open(cut, step)}
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
                found.append(_added_up(scene, cut, step, theirs.get(step.tensor)))
            # Otherwise what follows from a node that is named is not wrong a second time.
        else:
            found.append(in_doubt(scene, step, known))
    return [*found, *_named_once(scene, inner, found)]


def _is_open(cut: CutRun, step: Step) -> bool:
    """Whether a step is beyond its bound, or within a noise in which a wrong node would drown."""
    if not step.passed:
        return step.rule not in _DERIVED
    noise = known_noise(cut.noises, step.tensor) if step.rule == "noise" else None
    return noise is not None and noise.digits < _DROWNED


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


def _added_up(scene: Scene, cut: CutRun, step: Step, stepwise: NDArray[Any] | None) -> Step:
    """A step beyond its bound of which each node is right by itself: compared with what the runtime makes in these."""
    actual, noise = cut.theirs[step.tensor], known_noise(cut.noises, step.tensor)
    if stepwise is not None and stepwise.shape == actual.shape and noise is not None:
        explained = step.passed or noise.around(stepwise).judge(actual).explained
        if explained:
            rule = f"{step.rule}, node by node"
            return replace(step, passed=True, rule=rule, wrong=0, kinds=(), unsettled="")
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
        steps += judged(scene.graph, values, run, scene.bounds, names, brief=True)
        ends |= {name: array for name, array in run.theirs.items() if name in between}
    return steps, ends


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
