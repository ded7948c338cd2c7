"""A model run by a runtime and by our backend: from end to end, and cut into steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.backend.plan import Watch
from softops.opset.graph.files import serialize

from ..errors import ModelNotRunError
from ..measure.metrics import unlike
from ..runtimes.loading import load, named
from ..runtimes.protocol import Run, Runtime
from ..runtimes.softops import SoftopsRuntime
from .cuts import Cuts, Variant
from .graph import Arrays, ModelGraph
from .noise import LazyNoises, Noises, whole


class MadeBytes:
    """Watches a run of our backend: counts what its nodes make, and hands on what it is told."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch, self.count, self._nodes = watch, 0, 0

    def __call__(self, done: int, total: int, made: int) -> None:
        self.count, self._nodes = self.count + made, self._nodes + 1
        if self._watch is not None:
            self._watch(done, total, made)

    @property
    def per_node(self) -> float:
        """How many bytes a node makes, on average."""
        return self.count / max(self._nodes, 1)


_TIMED_SECONDS = 0.5
"""Runs are repeated for their time until they have taken that long, or `_TIMED_RUNS` times."""

_TIMED_RUNS = 5


class WholeRun(NamedTuple):
    """
    The outputs that are compared, by name, the seconds of the fastest runs, and what is wrong with their number.

    ``ours`` has our backend's values at the cuts as well, and ``noises`` gives the noise of all of these, with
    what decisions do that rounding may change.
    """

    theirs: Arrays
    ours: Arrays
    their_seconds: float
    our_seconds: float
    failures: list[str]
    noises: Noises


class CutRun(NamedTuple):
    """
    The values at the cuts and outputs of a model, by name.

    ``theirs`` is what the runtime gives when it is asked for all of them, ``recomputed`` what our backend makes of the
    runtime's own values, for each from those before it, and ``noises`` gives the noise of these. ``failures`` says why
    they cannot be judged: another number, dtype or shape.
    """

    theirs: Arrays
    recomputed: Arrays
    failures: list[str]
    noises: Noises


def run_whole(graph: ModelGraph, runtime: Runtime, feeds: Arrays, watch: Watch | None = None) -> WholeRun:
    """
    Run a model in both; ours gives the values at the cuts as well.

    Ours first, which refuses a loop that would never end; but what the runtime cannot load at all it says before.
    """
    learn_types(graph, runtime, feeds)
    folder, names = graph.source.folder, graph.outputs
    run_theirs = load(runtime, graph.content, folder)
    variant = whole(graph)
    start = time.perf_counter()
    expected = run_variant(graph, SoftopsRuntime(watch, fuse=False), variant, feeds)
    our_seconds = time.perf_counter() - start
    if our_seconds < _TIMED_SECONDS:
        _, our_seconds = _timed(load(SoftopsRuntime(), graph.content, folder), feeds)
    actual, their_seconds = _timed(run_theirs, feeds)
    ours = _by_name(variant.outputs, expected, {*graph.compared, *variant.outputs[len(names) :]})
    runs = dict.fromkeys(variant.outputs, (variant, feeds))
    noises = LazyNoises(graph, runs, ours, watch, free=True)
    if len(actual) != len(names):
        failure = f"expected {len(names)} outputs, {', '.join(names)} (got {len(actual)})"
        return WholeRun({}, ours, their_seconds, our_seconds, [failure], noises)
    return WholeRun(_by_name(names, actual, graph.compared), ours, their_seconds, our_seconds, [], noises)


def run_cut(
    graph: ModelGraph,
    runtime: Runtime,
    feeds: Arrays,
    theirs: Arrays,
    ours: Arrays,
    nodes: Sequence[onnx.NodeProto] | None = None,
    watch: Watch | None = None,
) -> CutRun:
    """
    Run a model cut into steps in both.

    ``theirs`` are the runtime's outputs in a run of the whole, which are all there is to cut at in some models, and
    ``ours`` what our backend gave then: what follows from the inputs alone it need not compute again.
    ``nodes`` are those to be judged by themselves, and computed again; by default the whole is cut into steps.
    """
    if nodes is not None:
        learn_types(graph, runtime, feeds, nodes)
    cuts = Cuts(graph, nodes)
    given, resumed = cuts.given(), cuts.resumed()
    wanted = {*graph.compared, *cuts.names, *cuts.sources}
    if given is not None:
        outputs = run_variant(graph, runtime, given, feeds)
        if len(outputs) != len(given.outputs):
            asked = ", ".join(given.outputs)
            failure = f"expected {len(given.outputs)} outputs when asked for {asked} (got {len(outputs)})"
            return CutRun({}, {}, [failure], LazyNoises(graph, {}, {}))
        theirs = _by_name(given.outputs, outputs, wanted)
    known = {**feeds, **{name: theirs[name] for name in cuts.names}}
    outputs = run_variant(graph, SoftopsRuntime(watch, fuse=False), resumed, known)
    recomputed = _by_name(resumed.outputs, outputs, wanted)
    from_runs = dict.fromkeys(resumed.outputs, (resumed, known))
    if nodes is None:
        fresh = {name: ours[name] for name in cuts.fresh() if name in ours}
        recomputed |= fresh
        from_runs |= dict.fromkeys(fresh, (whole(graph), feeds))
    reasons = [unlike(name, theirs[name], array) for name, array in recomputed.items() if name in theirs]
    noises = LazyNoises(graph, from_runs, recomputed, watch)
    return CutRun(theirs, recomputed, [reason for reason in reasons if reason], noises)


def learn_types(
    graph: ModelGraph, runtime: Runtime, feeds: Arrays, nodes: Sequence[onnx.NodeProto] | None = None
) -> None:
    """Have the runtime tell the types at the cuts that inference does not; where it does not say, these are no cuts."""
    variant = Cuts(graph, nodes).asking()
    if variant is None:
        return
    try:
        outputs = run_variant(graph, runtime, variant, feeds)
    except ModelNotRunError:  # not every runtime gives out what is declared without a type
        return
    for name, array in list(zip(variant.outputs, outputs, strict=False))[len(graph.outputs) :]:
        graph.learn(name, array)


def changed_outputs(whole: WholeRun, cut: CutRun) -> list[str]:
    """Return the outputs of which a runtime gives other bits when it is asked for the cuts as well."""
    return [name for name, array in whole.theirs.items() if array.size and not _same(array, cut.theirs[name])]


def run_variant(
    graph: ModelGraph, runtime: Runtime, variant: Variant, feeds: Arrays
) -> Sequence[NDArray[Any]]:
    """Run a variant of a model; its outputs in their order."""
    if type(runtime) is SoftopsRuntime and graph.source.folder is None:
        # Not by way of bytes, which large models would take some more times their memory for.
        outputs: Sequence[NDArray[Any]] = named(
            runtime, lambda: runtime.prepared(variant.model, check=False)(feeds)
        )
        return outputs
    return load(runtime, serialize(variant.model), graph.source.folder)(feeds)


def _by_name(names: Sequence[str], outputs: Sequence[Any], wanted: Sequence[str] | set[str]) -> Arrays:
    pairs = zip(names, outputs, strict=True)
    return {name: np.asarray(output) for name, output in pairs if name in wanted}


def _timed(run: Run, feeds: Arrays) -> tuple[Sequence[NDArray[Any]], float]:
    """Return the outputs of a first run, and the seconds of the fastest further one, if that is worth the time."""
    start = time.perf_counter()
    outputs = run(feeds)
    first = time.perf_counter() - start
    if first > _TIMED_SECONDS:
        return outputs, first
    best, spent = float("inf"), 0.0
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        run(feeds)
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
        if spent > _TIMED_SECONDS:
            break
    return outputs, best


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    if left.dtype.kind == "O":
        return np.array_equal(left, right)
    return left.tobytes() == right.tobytes()
