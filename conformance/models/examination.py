"""One report: a model run in a runtime and in our backend, cut into steps, each judged once, and what it comes to."""

from __future__ import annotations

from typing import NamedTuple

from softops.opset.backend.plan import Watch

from ..errors import ModelNotRunError, RuntimeNotInstalledError
from ..measure.metrics import dtype_name
from ..measure.precision import Precision
from ..runtimes.protocol import Runtime, name_of, precision_of, settings_of, version_of
from ..runtimes.softops import SoftopsRuntime
from ..steps.excuses import excused
from ..steps.foreign import without
from ..steps.graph import Arrays, ModelGraph
from ..steps.ground import Ground
from ..steps.judge import judged, judged_end_to_end
from ..steps.runs import CutRun, MadeBytes, WholeRun, changed_outputs, run_cut, run_whole
from ..steps.settle import Scene, differing, in_doubt, settled
from ..steps.step import Bounds, Step
from .caveats import caveats
from .differences import Differences, compare_nodes, measure_outputs
from .report import Report

_PLAIN = "level=disabled"
"""The setting of a runtime that rewrites graphs in which it does not."""


class _Asked(NamedTuple):
    """What is asked of a model, whichever part of it is examined; as of `examine`."""

    runtime: Runtime
    bounds: Bounds
    label: str | None
    seed: int | None
    watch: Watch | None


def examine(
    graph: ModelGraph,
    runtime: Runtime,
    feeds: Arrays,
    bounds: Bounds,
    *,
    label: str | None = None,
    seed: int | None = None,
    watch: Watch | None = None,
) -> tuple[Report, Arrays]:
    """
    Run a model in a runtime and in our backend, and judge it: one report of `validate`.

    ``label`` is what the runtime is called in it; ``watch`` is told of the progress of our backend's runs. The
    runtime's values come along, by name: inputs, cuts and outputs.
    """
    asked = _Asked(runtime, bounds, label, seed, watch)
    report, values = _of_any(graph, feeds, asked)
    precision = Precision(report.computes_in, report.runs_on, precision_of(runtime).full)
    cause = precision.cause(name_of(runtime))
    if cause and precision.full and report.verdict == "wrong":
        verdict = _verdict_in(precision.full, graph, feeds, asked)
        cause += f", in which it is {verdict}" if verdict else ""
    report.notes += [cause] if cause else []
    if report.verdict == "wrong" and _PLAIN in settings_of(runtime):
        verdict = _verdict_in(_PLAIN, graph, feeds, asked)
        if verdict not in ("", "wrong"):
            report.notes.append(f"without the runtime's rewriting of the graph ({_PLAIN}) it is {verdict}")
    return report, values


def _verdict_in(setting: str, graph: ModelGraph, feeds: Arrays, asked: _Asked) -> str:
    """Return the verdict on the runtime in another setting; empty where it has it not, or does not run the model so."""
    configured = getattr(asked.runtime, "configured", None)
    if configured is None:
        return ""
    try:
        return _of_any(graph, feeds, asked._replace(runtime=configured(setting)))[0].verdict
    except (ModelNotRunError, RuntimeNotInstalledError):
        return ""


def _of_any(graph: ModelGraph, feeds: Arrays, asked: _Asked) -> tuple[Report, Arrays]:
    """Examine a model, without the nodes that nothing here computes."""
    ground = Ground(graph)
    foreign = ground.unknown()
    if not foreign:
        try:
            return _examined(graph, ground, feeds, asked)
        except ModelNotRunError as error:
            # An implementation that is not verified may stumble, too.
            foreign = [node for node in graph.model.graph.node if ground.is_weak(node)]
            if not foreign or not str(error).startswith(f"expected {SoftopsRuntime.name} to run"):
                raise
    left = without(graph, foreign, asked.runtime, feeds)
    report, values = _examined(left.graph, Ground(left.graph), left.feeds, asked)
    report.inputs = {name: report.inputs[name] for name in feeds}
    report.unsettled.append(left.unsettled)
    report.failures = [failure for failure in report.failures if report.compared]
    return report, {**left.outputs, **values}


def _examined(graph: ModelGraph, ground: Ground, feeds: Arrays, asked: _Asked) -> tuple[Report, Arrays]:
    runtime = asked.runtime
    name = asked.label or name_of(runtime)
    made = MadeBytes(asked.watch)
    whole = run_whole(graph, runtime, feeds, made)
    precision = precision_of(runtime)
    scene = Scene(graph, runtime, feeds, asked.bounds, ground, made.per_node, asked.watch)
    values = {**feeds, **whole.theirs}
    failures, unsettled, notes = list(whole.failures), list[str](), list(graph.notes)
    found, steps, said = Differences(), list[Step](), list[str]()
    if not failures:
        found = measure_outputs(graph, whole.theirs, whole.ours)
        failures, unsettled = differing(scene, found.unlike, graph.compared)
    if not failures and not unsettled:
        cut = run_cut(graph, runtime, feeds, whole.theirs, whole.ours, watch=asked.watch)
        failures, unsettled = differing(scene, cut.failures, [*cut.recomputed])
    if not failures and not unsettled:
        values = {**cut.theirs, **values}
        steps = excused(graph, runtime, {**feeds, **cut.theirs}, _steps(scene, whole, cut))
        failures = [step.message for step in steps if step.verdict == "wrong"]
        unsettled = [f"{step.unsettled} ({step.message})" for step in steps if step.verdict == "cannot tell"]
        found.nodes = compare_nodes(graph, values, {**feeds, **whole.ours})
        said = caveats(graph, runtime, feeds, whole.theirs, values, whole.their_seconds)
        if changed := changed_outputs(whole, cut):
            notes.append(
                f"{name_of(runtime)} gives other bits of {', '.join(changed)} when it is asked for "
                "intermediate values as well; what it gives without is judged end to end"
            )
    compared = bool(failures or unsettled) or any(output.size for output in found.outputs.values())
    if not compared:
        failures.append("nothing was compared: expected an output with elements; pass larger inputs")
    report = Report(
        runtime=name,
        runtime_version=version_of(runtime),
        softops_version=SoftopsRuntime().version,
        opset=graph.opset,
        inputs={key: (dtype_name(array), array.shape) for key, array in feeds.items()},
        seed=asked.seed,
        seconds={SoftopsRuntime.name: whole.our_seconds, name: whole.their_seconds},
        apart=found,
        steps=steps,
        failures=failures,
        unsettled=unsettled,
        known=_known(steps),
        caveats=said,
        notes=notes,
        compared=compared,
        computes_in=precision.computes_in,
        runs_on=precision.runs_on,
    )
    return report, values


def _steps(scene: Scene, whole: WholeRun, cut: CutRun) -> list[Step]:
    """Judge every value of a cut run once, and the outputs that were others in a run of the whole."""
    values = {**scene.feeds, **cut.theirs}
    steps = list(judged(scene.graph, values, cut, scene.bounds, list(cut.theirs)))
    ends = judged_end_to_end(scene.graph, scene.feeds, whole, cut, scene.bounds)
    return [*settled(scene, cut, steps), *(in_doubt(scene, step, scene.feeds) for step in ends)]


def _known(steps: list[Step]) -> list[str]:
    """Name each known deviation once, with the nodes that it was met at."""
    places: dict[str, list[Step]] = {}
    for step in steps:
        if step.verdict == "known":
            places.setdefault(step.known, []).append(step)
    return [
        f"{met[0].operator} that gives {met[0].tensor}{f' and {len(met) - 1} more' if len(met) > 1 else ''}: {why}"
        for why, met in places.items()
    ]
