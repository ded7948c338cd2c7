"""What a verdict rests on: which nodes our backend computes by an implementation that is verified, and which not."""

from __future__ import annotations

from collections.abc import Collection

import onnx

from softops.opset.graph.domains import opset_versions
from softops.opset.graph.functions import function_key, functions_by_key
from softops.opset.graph.walk import names_read
from softops.opset.implementations.choice import is_known, is_verified
from softops.opset.nodes.node import described

from .graph import ModelGraph

_JUDGED_HERE = ("QuantizeLinear", "DynamicQuantizeLinear")
"""Operators whose results are judged by what ONNX says of them (`quantised`), whatever computes them."""


class Ground:
    """
    Tells of the nodes of a model whether a departure from what our backend makes of them is the runtime's fault.

    It is where our implementation is verified, against an oracle or other libraries. Where onnx's reference
    implementation stands in, one of the two is wrong, and nobody knows which.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._functions = functions_by_key(graph.model.functions)
        self._opsets = {"": 1, **graph.opsets}
        self._weak: dict[str, bool] = {}

    def is_weak(self, node: onnx.NodeProto) -> bool:
        """Whether what our backend runs for a node is not verified."""
        key = "/".join(node.output)
        if key not in self._weak:
            function = self._functions.get(function_key(node))
            self._weak[key] = node.op_type not in _JUDGED_HERE and not (
                is_verified(node, self._opsets, self._graph.dtype(node.output[0]) if node.output else None)
                if function is None
                else all(is_verified(inner, opset_versions(function.opset_import)) for inner in function.node)
            )
        return self._weak[key]

    def unknown(self) -> list[onnx.NodeProto]:
        """The nodes that our backend does not run at all."""
        return [
            node
            for node in self._graph.model.graph.node
            if function_key(node) not in self._functions and not is_known(node, self._opsets)
        ]

    def between(self, tensor: str, known: Collection[str]) -> list[onnx.NodeProto]:
        """Return the nodes that make a tensor of values that are known, in the order of the graph."""
        found: dict[str, onnx.NodeProto] = {}
        names = [tensor]
        while names:
            name = names.pop()
            node = self._graph.producers.get(name)
            if node is None or (name in known and name != tensor) or "/".join(node.output) in found:
                continue
            found["/".join(node.output)] = node
            names.extend(names_read(node))
        return [node for node in self._graph.model.graph.node if "/".join(node.output) in found]

    def doubt(self, tensor: str, known: Collection[str]) -> str:
        """Name the first node on the way to a tensor that is not verified; empty where all are."""
        return next((described(node) for node in self.between(tensor, known) if self.is_weak(node)), "")
