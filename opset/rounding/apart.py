"""Plans what a node holds beside its inputs, for operators whose bodies the table or onnx runs."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from ..backend.planner import plan_function, plan_graph
from ..errors import UnsupportedModelError
from ..graph.functions import Library
from ..nodes.node import Run, Subgraph


class Apart:
    """Plans graphs and functions that take nothing from around them."""

    def __init__(self, opsets: Mapping[str, int], library: Library) -> None:
        self._opsets, self._library = opsets, library

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        """Refuse: the operators that read what lies around them are run by `control`."""
        message = f"expected no operator beside If, Loop and Scan with the graph {graph.name!r} (got one)"
        raise UnsupportedModelError(message)

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        """Plan a graph."""
        return plan_graph(graph, dict(self._opsets), self._library).run

    def function(self, function: onnx.FunctionProto) -> Run:
        """Plan a function's body."""
        return plan_function(function)
