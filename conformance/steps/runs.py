"""A model run by a runtime and by our backend: from end to end, and cut into steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset.graph.files import serialize

from ..measure.metrics import unlike
from ..runtimes.loading import load
from ..runtimes.protocol import Run, Runtime
from ..runtimes.softops import SoftopsRuntime
from .cuts import Cuts, Variant
from .graph import Arrays, ModelGraph

_TIMED_SECONDS = 0.5
"""Runs are repeated for their time until they have taken that long, or `_TIMED_RUNS` times."""

_TIMED_RUNS = 5


class WholeRun(NamedTuple):
    """The outputs that are compared, by name, the seconds of the fastest runs, and what is wrong with their number."""

    theirs: Arrays
    ours: Arrays
    their_seconds: float
    our_seconds: float
    failures: list[str]


class CutRun(NamedTuple):
    """
    The values at the cuts and outputs of a model, by name.

    ``theirs`` is what the runtime gives when it is asked for all of them, ``recomputed`` what our backend makes of the
    runtime's own values, for each from those before it, ``ours`` what our backend gives in a run of its own; empty
    where these are the outputs alone. ``failures`` says why they cannot be judged: another number, dtype or shape.
    """

    theirs: Arrays
    recomputed: Arrays
    ours: Arrays
    failures: list[str]


def run_whole(graph: ModelGraph, runtime: Runtime, feeds: Arrays) -> WholeRun:
    """Run a model in both."""
    folder, names = graph.source.folder, graph.outputs
    actual, their_seconds = _timed(load(runtime, graph.content, folder), feeds)
    expected, our_seconds = _timed(load(SoftopsRuntime(), graph.content, folder), feeds)
    ours = _by_name(names, expected, graph.compared)
    if len(actual) != len(names):
        failure = f"expected {len(names)} outputs, {', '.join(names)} (got {len(actual)})"
        return WholeRun({}, ours, their_seconds, our_seconds, [failure])
    return WholeRun(_by_name(names, actual, graph.compared), ours, their_seconds, our_seconds, [])


def run_cut(graph: ModelGraph, runtime: Runtime, feeds: Arrays, whole: WholeRun) -> CutRun:
    """Run a model cut into steps in both."""
    cuts, backend = Cuts(graph), SoftopsRuntime()
    given, resumed = cuts.given(), cuts.resumed()
    wanted = {*graph.compared, *cuts.names}
    theirs, ours = whole.theirs, Arrays()
    if given is not None:
        outputs = _run(graph, runtime, given, feeds)
        if len(outputs) != len(given.outputs):
            asked = ", ".join(given.outputs)
            failure = f"expected {len(given.outputs)} outputs when asked for {asked} (got {len(outputs)})"
            return CutRun({}, {}, {}, [failure])
        theirs = _by_name(given.outputs, outputs, wanted)
    at_cuts = {name: theirs[name] for name in cuts.names}
    recomputed = _by_name(resumed.outputs, _run(graph, backend, resumed, {**feeds, **at_cuts}), wanted)
    reasons = [unlike(name, array, recomputed[name]) for name, array in theirs.items()]
    failures = [reason for reason in reasons if reason]
    if given is not None and not failures:
        ours = _by_name(given.outputs, _run(graph, backend, given, feeds), wanted)
    return CutRun(theirs, recomputed, ours, failures)


def _run(graph: ModelGraph, runtime: Runtime, variant: Variant, feeds: Arrays) -> Sequence[NDArray[Any]]:
    return load(runtime, serialize(variant.model), graph.source.folder)(feeds)


def _by_name(names: Sequence[str], outputs: Sequence[Any], wanted: Sequence[str] | set[str]) -> Arrays:
    pairs = zip(names, outputs, strict=True)
    return {name: np.asarray(output) for name, output in pairs if name in wanted}


def _timed(run: Run, feeds: Arrays) -> tuple[Sequence[NDArray[Any]], float]:
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
