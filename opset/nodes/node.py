"""What an implementation of an operator is told about a node, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import ModelError
from ..graph.tensors import array_of
from ..graph.walk import named_subgraphs

Value = Any
"""What a node takes or gives: an array, a list of arrays, None for what was left out, seldom something else."""

Run = Callable[[Sequence[Value]], list[Value]]
"""A planned graph or function: from all its inputs to all its outputs."""

Function = Callable[..., Any]

_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


@dataclass(frozen=True)
class Operation:
    """
    What a node does, its attributes put in place.

    Attributes
    ----------
    run
        Takes the inputs, gives the output; a sequence of outputs where `many`.
    many
        Whether `run` gives a sequence.
    fresh
        Whether the outputs are arrays in memory that nothing else uses.
    finish
        As `run`, in place, for one that works on each row of a matrix alone: blocks of rows may be given one by one.
    followed_by
        For a node that makes a matrix: the same with its rows finished by the `finish` of another node.
    into
        As `run`, with an array, ``out``, that the output may be written into: one of the inputs where nothing else
        needs it.
    plain_errors
        Whether a TypeError or ValueError of `run` is clear without a word about the node.
    disputed
        Whether another implementation may be right and give something else than another rounding.
    interpolates
        Whether the outputs are numbers between those of the input: among integers another rounding is another number.
    """

    run: Function
    many: bool = False
    fresh: bool = False
    finish: Function | None = None
    followed_by: Callable[[Function], Operation] | None = None
    into: Function | None = None
    plain_errors: bool = False
    disputed: bool = False
    interpolates: bool = False


class Subgraph(NamedTuple):
    """A planned graph of a node. It takes the graph's inputs, then ``captures`` values from around the node."""

    run: Run
    captures: int


class Planning(Protocol):
    """Plans what a node holds."""

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        """Plan a graph; the node is given what its graphs capture after its inputs, in the order of these calls."""

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        """Plan a graph that takes nothing from around it."""

    def function(self, function: onnx.FunctionProto) -> Run:
        """Plan a function's body."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """
    A node, the version of its domain that holds where it stands, and what is fixed beforehand.

    Attributes
    ----------
    proto
        The node, ONNX's own domain called ``""``, with no references to attributes of a function left.
    opsets
        Version by domain that the model or the function imports.
    attributes
        The node's attributes as Python values, graphs left out.
    constants
        For each input its value where that is fixed, else None.
    planning
        Plans the node's graphs.
    """

    proto: onnx.NodeProto
    opsets: Mapping[str, int]
    attributes: Mapping[str, Any]
    constants: Sequence[Any]
    planning: Planning

    @property
    def version(self) -> int:
        """Version of the node's domain."""
        return self.opsets[self.proto.domain]

    @property
    def label(self) -> str:
        """Words that tell which node of a model it is."""
        return described(self.proto)

    def has(self, place: int) -> bool:
        """Whether the node names an input at this place."""
        return place < len(self.proto.input) and bool(self.proto.input[place])

    def fixed(self, place: int) -> NDArray[Any] | None:
        """The input at this place if it is a constant."""
        value = self.constants[place] if self.has(place) else None
        return value if isinstance(value, np.ndarray) else None

    @property
    def outputs(self) -> int:
        """How many outputs the node has, up to the last one that is named."""
        return max((place + 1 for place, name in enumerate(self.proto.output) if name), default=0)

    def graph(self, name: str) -> onnx.GraphProto:
        """The graph that the node needs under this name."""
        for found, graph in named_subgraphs(self.proto):
            if found == name:
                return graph
        message = f"expected the graph {name!r} in {self.label} (got none); export the model again"
        raise ModelError(message)


Implementation = Callable[[Node], Operation | None]
"""Gives what a node does, or None for a form that it does not know."""


def same_for_all(run: Function, *, fresh: bool = True, many: bool = False) -> Implementation:
    """The implementation of an operator that does the same at every node."""
    return lambda _: Operation(run, fresh=fresh, many=many)


def with_short_domain(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node, ONNX's own domain called ``""`` and not ``"ai.onnx"``."""
    if node.domain != "ai.onnx":
        return node
    short = onnx.NodeProto()
    short.CopyFrom(node)
    short.domain = ""
    return short


def described(node: onnx.NodeProto) -> str:
    """Words that tell which node of a model it is."""
    if node.name:
        return f"node {node.name!r} ({node.op_type})"
    return f"{node.op_type} that gives {', '.join(map(repr, node.output)) or 'nothing'}"


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes as Python values: numbers, text, arrays for tensors, lists of these."""
    return {
        attribute.name: _python_value(onnx.helper.get_attribute_value(attribute))
        for attribute in node.attribute
        if attribute.type not in _GRAPHS and not attribute.ref_attr_name
    }


def _python_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, onnx.TensorProto):
        return array_of(value)
    if isinstance(value, list | tuple) or type(value).__name__.startswith("Repeated"):
        return [_python_value(item) for item in value]
    return value
