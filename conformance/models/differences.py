"""Two runs of one model compared from end to end: its outputs, its decisions, and its nodes one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.brief import Table, type_of
from ..measure.decisions import Decisions, decisions
from ..measure.metrics import OutputReport, compare, unlike
from ..measure.numbers import DASH, number, percent
from ..measure.plain import fields_of
from ..measure.ulp import is_float, ulp_distance
from ..steps.graph import Arrays, ModelGraph, class_axis


@dataclass(frozen=True)
class NodeDifference:
    """
    How far apart two runs are at one node of the softmax family.

    Attributes
    ----------
    tensor, operator
        The node's output, and the operator, such as ``Softmax-13``.
    before_ulp, after_ulp
        The largest distance of any of its inputs, and that of the output, in ULP; for integers and strings
        the number of elements that differ.
    """

    tensor: str
    operator: str
    before_ulp: int
    after_ulp: int

    @property
    def starts(self) -> bool:
        """Whether the two part here: from the same bits to others."""
        return self.before_ulp == 0 and self.after_ulp > 0


@dataclass
class Differences:
    """
    What two runs have not in common.

    Attributes
    ----------
    outputs
        The first run measured against the second, by output.
    decisions
        Whether the two decide the same, for each output that decides something.
    nodes
        The nodes of the softmax family in the order of the graph.
    unlike
        Outputs that cannot be compared, a sentence each: of another dtype or shape.
    """

    outputs: dict[str, OutputReport] = field(default_factory=dict)
    decisions: dict[str, Decisions] = field(default_factory=dict)
    nodes: list[NodeDifference] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)

    @property
    def first_node(self) -> NodeDifference | None:
        """The first node of the softmax family whose outputs are not the same bits."""
        return next((node for node in self.nodes if node.after_ulp), None)

    @property
    def changed(self) -> int:
        """How many decisions differ, over all outputs."""
        return sum(entry.changed for entry in self.decisions.values())

    @property
    def table(self) -> Table:
        """The outputs, a row each, for a few lines about it."""
        return Table(
            ("output", "type", "furthest apart, ULP", "equal", "decisions changed"),
            [
                (
                    name,
                    type_of(output.dtype, output.shape),
                    number(output.max_ulp),
                    percent(output.equal),
                    DASH if (decided := self.decisions.get(name)) is None else number(decided.changed),
                )
                for name, output in self.outputs.items()
            ],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return outputs, decisions and nodes as plain values, without the long arrays."""
        return {
            "outputs": {name: fields_of(output) for name, output in self.outputs.items()},
            "decisions": {name: fields_of(entry) for name, entry in self.decisions.items()},
            "nodes": [fields_of(node) for node in self.nodes],
        }


def measure_outputs(graph: ModelGraph, actual: Arrays, expected: Arrays) -> Differences:
    """Compare the outputs of two runs, by name; those of another dtype or shape are said to be `unlike`."""
    found = Differences()
    for name in graph.compared:
        left, right = actual[name], expected[name]
        if reason := unlike(name, left, right):
            found.unlike.append(reason)
            continue
        found.outputs[name] = compare(name, left, right)
        if (decided := decisions(name, left, right, class_axis(graph, name, right))) is not None:
            found.decisions[name] = decided
    return found


def compare_nodes(graph: ModelGraph, actual: Arrays, expected: Arrays) -> list[NodeDifference]:
    """Compare two runs node by node, as far as both have the values."""
    found = []
    for tensor in graph.producers:
        family = graph.family_node(tensor)
        if family is None or tensor not in actual or tensor not in expected:
            continue
        after = _distance(actual[tensor], expected[tensor])
        before = [
            _distance(actual[name], expected[name])
            for name in family.node.input
            if name in actual and name in expected
        ]
        found.append(NodeDifference(tensor, family.operator.name, max(before, default=0), after))
    return found


def _distance(left: NDArray[Any], right: NDArray[Any]) -> int:
    if unlike("", left, right):
        return int(np.iinfo(np.uint64).max)
    if not left.size:
        return 0
    if not is_float(left.dtype):
        return int(np.sum(left != right))
    return int(ulp_distance(left, right).max())
