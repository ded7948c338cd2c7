"""Several runtimes and several sets of inputs on one model: each against our backend, and pair by pair."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from softops.opset import ModelSource

from ..runtimes.names import chosen_runtimes
from ..runtimes.protocol import ModelNotRunError, Runtime
from .aim import aimed, targets
from .inputs import Inputs, prepare_inputs
from .pairs import Apart, compare_nodes, compare_outputs
from .record import Report, fields_of, plain_json
from .source import open_source
from .validate import Arrays, Bounds, Subject, examine

DEFAULT_FAMILY = "gaussian-3"
"""What inputs are aimed at by default, where that takes no cut."""


@dataclass
class Pair:
    """
    Two runtimes on the same inputs: measured, not judged, for both may be right.

    Attributes
    ----------
    left, right
        What the runtimes are called.
    inputs
        What the inputs are called: the family; empty where there is none.
    apart
        The left against the right: outputs, decisions, and nodes one by one.
    """

    left: str
    right: str
    inputs: str
    apart: Apart


@dataclass
class Comparison:
    """
    What `compare_runtimes` found.

    Attributes
    ----------
    reports
        The verdict on each runtime, for each set of inputs.
    pairs
        Every two of the runtimes that were run, for each set of inputs.
    not_run
        Why a runtime could not be run, by what it is called: whatever it was asked first stands for all.
    """

    reports: list[Report] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Report]:
        """The reports of what was compared and found wrong."""
        return [report for report in self.reports if report.compared and not report.passed]

    @property
    def compared(self) -> bool:
        """Whether anything was compared."""
        return any(report.compared for report in self.reports)

    @property
    def passed(self) -> bool:
        """Whether every runtime was run, and everything was compared and right."""
        return bool(self.reports) and not self.not_run and all(report.passed for report in self.reports)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        pairs = [
            {
                "left": pair.left,
                "right": pair.right,
                "inputs": pair.inputs,
                "outputs": {name: fields_of(entry) for name, entry in pair.apart.outputs.items()},
                "decisions": {name: fields_of(entry) for name, entry in pair.apart.decisions.items()},
                "nodes": [fields_of(node) for node in pair.apart.nodes],
                "unlike": pair.apart.unlike,
            }
            for pair in self.pairs
        ]
        result: dict[str, Any] = plain_json(
            {
                "schema": 1,
                "passed": self.passed,
                "compared": self.compared,
                "not_run": self.not_run,
                "pairs": pairs,
                "reports": [report.to_dict() for report in self.reports],
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def compare_runtimes(
    model: ModelSource,
    runtimes: Sequence[str | Runtime] = ("onnxruntime",),
    inputs: Inputs = None,
    *,
    families: Sequence[str] | None = None,
    max_ulp: float | None = None,
    rtol: float = 1e-3,
    seed: int = 0,
    batch: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """
    Validate ``model`` in each of ``runtimes`` on the same inputs, and measure how far apart every two of them are.

    Parameters
    ----------
    model, inputs, max_ulp, rtol, seed, batch
        As for `softops.conformance.validate`.
    runtimes
        Names, or runtimes of different names.
    families
        Names of families (`softops.conformance.cases.families.FAMILIES`) that the inputs of the last nodes of the
        softmax family shall hold; see `softops.conformance.models.aim` for how, and `Report.notes` for what it took.
        By default, without ``inputs``, the logits are Gaussian of standard deviation 3 if they can be had so
        without cutting the model, and else what Gaussian inputs make of them.
    progress
        Called with how many runs are done, and of how many.

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
    bounds = Bounds(max_ulp, rtol)
    chosen, not_run = chosen_runtimes(runtimes)
    if families is not None and inputs is not None:
        message = "expected inputs or families of them (got both); leave one out"
        raise ValueError(message)
    found = Comparison(not_run=not_run)
    sets = list(_sets(model, inputs, families, seed, batch))
    total, done = len(sets) * len(chosen), itertools.count(1)
    for made in sets:
        values: dict[str, Arrays] = {}
        for name, runtime in chosen.items():
            if name not in found.not_run:
                try:
                    report, values[name] = examine(
                        made.subject, runtime, made.feeds, label=name, seed=made.seed, bounds=bounds
                    )
                except ModelNotRunError as error:
                    found.not_run[name] = str(error)
                else:
                    report.family = made.family
                    report.notes[:0] = made.notes
                    found.reports.append(report)
            if progress is not None:
                progress(next(done), total)
        for left, right in itertools.combinations(values, 2):
            found.pairs.append(
                Pair(left, right, made.family or "", _apart(made, values[left], values[right]))
            )
    return found


class _Set(NamedTuple):
    subject: Subject
    feeds: Arrays
    seed: int | None
    family: str | None = None
    notes: tuple[str, ...] = ()


def _sets(
    model: ModelSource, inputs: Inputs, families: Sequence[str] | None, seed: int, batch: int
) -> Iterator[_Set]:
    subject = Subject.of(open_source(model))
    feeds = prepare_inputs(subject.source.model, inputs, seed=seed, batch=batch)
    if inputs is not None:
        yield _Set(subject, feeds, None)
        return
    aims = targets(subject.plan)
    if families is None:
        first = aims[0] if len(aims) == 1 else None
        made = first and aimed(
            subject.source, subject.plan, first, DEFAULT_FAMILY, feeds, seed=seed, cut=False
        )
        if made is None:
            yield _Set(subject, feeds, seed)
        else:
            yield _Set(subject, made.feeds, seed, DEFAULT_FAMILY, (made.way,))
        return
    if not aims:
        message = (
            "expected a node of the softmax family to aim a family at (the model has none before its outputs); "
            "pass inputs"
        )
        raise ValueError(message)
    for family in families:
        for aim in aims:
            made = aimed(subject.source, subject.plan, aim, family, feeds, seed=seed)
            assert made is not None
            whole = made.source is subject.source
            behind = subject if whole else Subject.of(made.source)
            yield _Set(behind, made.feeds, seed, family, (made.way,))


def _apart(made: _Set, left: Arrays, right: Arrays) -> Apart:
    plan = made.subject.plan
    missing = [name for name in plan.compared if name not in left or name not in right]
    if missing:
        return Apart(unlike=[f"{', '.join(missing)}: not given by both"])
    found = compare_outputs(plan, left, right)
    found.nodes = compare_nodes(plan, left, right)
    return found
