"""Several runtimes and several sets of inputs on one model: each against our backend, and pair by pair."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from softops.opset import ModelSource

from ..errors import ModelNotRunError
from ..runtimes.names import chosen_runtimes
from ..runtimes.protocol import Runtime
from ..steps.graph import Arrays, ModelGraph
from ..steps.source import open_source
from ..steps.step import Bounds
from .batch import made_up_inputs
from .compared import Comparison, Pair
from .differences import Differences, compare_nodes, measure_outputs
from .examination import examine
from .inputs import Inputs, Shapes, prepare_inputs
from .targets import targeted, targets

_RUNS = 2
"""How often our backend runs a model that is found right at once."""

DEFAULT_FAMILY = "gaussian-3"
"""What the logits are made to be by default, where that takes no cut."""


def compare_runtimes(
    model: ModelSource,
    runtimes: Sequence[str | Runtime] = ("onnxruntime",),
    inputs: Inputs = None,
    *,
    families: Sequence[str] | None = None,
    max_ulp: float | None = None,
    seed: int = 0,
    batch: int | None = None,
    shapes: Shapes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """
    Validate ``model`` in each of ``runtimes`` on the same inputs, and measure how far apart every two of them are.

    Parameters
    ----------
    model, inputs, max_ulp, seed, batch, shapes
        As for `softops.conformance.validate`.
    runtimes
        Names, or runtimes of different names.
    families
        Names of families (`softops.conformance.cases.families.FAMILIES`) that the inputs of the last nodes of the
        softmax family shall hold; see `softops.conformance.models.targets` for how, and `Report.notes` for what it
        took. By default, without ``inputs``, the logits are Gaussian of standard deviation 3 if they can be had so
        without cutting the model, and else what Gaussian inputs make of them.
    progress
        Called with how many nodes our backend has run, and of how many; before that, where the batch is chosen by a
        first row, with those of that row.

    Returns
    -------
    Comparison
        A runtime that is not installed or does not run the model is noted in it, and the others go on; where
        our own backend, to which all are compared, does not run the model, that is noted for each.

    Raises
    ------
    UnknownRuntimeError
        There is no runtime of that name.
    ModelError
        ``model`` is not an ONNX model.
    TypeError, ValueError, OSError
        No runtime or one twice, inputs and families at once, an unknown family, a model with nothing to aim at;
        the inputs do not fit the model or cannot be read.
    """
    bounds = Bounds(max_ulp)
    chosen, not_run = chosen_runtimes(runtimes)
    if families is not None and inputs is not None:
        message = "expected inputs or families of them (got both); leave one out"
        raise ValueError(message)
    found = Comparison(not_run=not_run)
    sets = list(_sets(model, inputs, families, seed, batch, shapes, progress))
    nodes = max(len(given.graph.model.graph.node) for given in sets)
    parts = Parts(progress, len(sets) * len(chosen) * _RUNS, nodes)
    for place, given in enumerate(sets):
        values: dict[str, Arrays] = {}
        for number, (name, runtime) in enumerate(chosen.items()):
            parts.begin((place * len(chosen) + number) * _RUNS, _RUNS)
            if name not in found.not_run:
                try:
                    report, values[name] = examine(
                        given.graph,
                        runtime,
                        given.feeds,
                        bounds,
                        label=name,
                        seed=given.seed,
                        watch=parts.watch,
                    )
                except ModelNotRunError as error:
                    found.not_run[name] = str(error)
                else:
                    report.family = given.family
                    report.notes[:0] = given.notes
                    found.reports.append(report)
            parts.end()
        for left, right in itertools.combinations(values, 2):
            differences = _differences(given.graph, values[left], values[right])
            found.pairs.append(Pair(left, right, given.family or "", differences))
    return found


class Parts:
    """The progress of one part after another, in nodes: each is told of its own alone."""

    def __init__(self, progress: Callable[[int, int], None] | None, count: int, nodes: int) -> None:
        self._progress, self._count, self._nodes = progress, count, max(nodes, 1)
        self._first = self._last = 0

    def begin(self, first: int, count: int) -> None:
        """Begin with some parts."""
        self._first, self._last = first, first + count - 1
        self._tell(0)

    def watch(self, done: int, total: int, _made: int) -> None:
        """Take the progress of the part at hand, and go on to the next when it is done."""
        self._tell(done * self._nodes // total)
        if done == total and self._first < self._last:
            self._first += 1

    def end(self) -> None:
        """Be done with them, whether all was run or not."""
        self._first = self._last + 1
        self._tell(0)

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(self._first * self._nodes + done, self._count * self._nodes)


class _Set(NamedTuple):
    """A model, what it is fed, and where that comes from."""

    graph: ModelGraph
    feeds: Arrays
    seed: int | None
    family: str | None = None
    notes: tuple[str, ...] = ()


def _sets(
    model: ModelSource,
    inputs: Inputs,
    families: Sequence[str] | None,
    seed: int,
    batch: int | None,
    shapes: Shapes | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[_Set]:
    graph = ModelGraph(open_source(model))
    if inputs is not None:
        yield _Set(graph, prepare_inputs(graph.source.model, inputs), None)
        return
    watch = None if progress is None else lambda done, total, _made: progress(done, total)
    feeds, note = made_up_inputs(graph, seed=seed, batch=batch, shapes=shapes, watch=watch)
    notes = (note,) if note else ()
    nodes = targets(graph)
    if families is None:
        made = None
        if len(nodes) == 1:
            with contextlib.suppress(ModelNotRunError):  # of which the report says more
                made = targeted(graph, nodes[0], DEFAULT_FAMILY, feeds, seed=seed, cut=False)
        if made is None:
            yield _Set(graph, feeds, seed, notes=notes)
        else:
            yield _Set(graph, made.feeds, seed, DEFAULT_FAMILY, (made.way, *notes))
        return
    if not nodes:
        message = (
            "expected a node of the softmax family to aim a family at (the model has none before its outputs); "
            "pass inputs"
        )
        raise ValueError(message)
    for family in families:
        for node in nodes:
            made = targeted(graph, node, family, feeds, seed=seed)
            assert made is not None
            yield _Set(made.graph, made.feeds, seed, family, (made.way, *notes))


def _differences(graph: ModelGraph, left: Arrays, right: Arrays) -> Differences:
    missing = [name for name in graph.compared if name not in left or name not in right]
    if missing:
        return Differences(unlike=[f"{', '.join(missing)}: not given by both"])
    found = measure_outputs(graph, left, right)
    found.nodes = compare_nodes(graph, left, right)
    return found
