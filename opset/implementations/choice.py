"""Which implementation runs a node, and whether it is one that somebody has verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from ..errors import ModelError, UnknownOpsetError, UnsupportedModelError
from ..graph.domains import is_of_onnx, newest_version, opset_versions
from ..graph.walk import bodies_in, subgraphs
from ..nodes.node import Node, Operation, Run, Subgraph, Value, attributes_of, with_short_domain
from .fallback import reference_implementation
from .schema_functions import schema_body, typed_function
from .table import IMPLEMENTATIONS


def operation_of(node: Node) -> Operation | onnx.FunctionProto:
    """
    Return what a node does, or the function that says so.

    Raises
    ------
    UnsupportedModelError
        Nobody here can run it.
    """
    for implementation in (_own, reference_implementation, schema_body, typed_function):
        found = implementation(node)
        if found is not None:
            return found
    message = (
        f"expected operators of ONNX or functions of the model (got {node.proto.op_type!r} of the domain "
        f"{node.proto.domain or 'ai.onnx'!r}, version {node.version}); export without it"
    )
    raise UnsupportedModelError(message)


# Of an operator nobody knows, and of one that lacks what it needs.
_CANNOT_RUN = (ModelError, UnknownOpsetError, KeyError, TypeError, ValueError)


def is_known(node: onnx.NodeProto, opsets: Mapping[str, int]) -> bool:
    """Tell whether anything here runs a node, and all nodes in its subgraphs, verified or not."""
    inside = (inner for graph in subgraphs(node) for body in bodies_in(graph) for inner in body.node)
    return all(_is_known_alone(with_short_domain(each), opsets) for each in (node, *inside))


def _is_known_alone(proto: onnx.NodeProto, opsets: Mapping[str, int]) -> bool:
    if proto.op_type == "Constant" and not proto.domain:
        return True
    if proto.domain not in opsets:
        return False
    try:
        operation_of(_alone(proto, opsets))
    except _CANNOT_RUN:
        return False
    return True


def is_verified(node: onnx.NodeProto, opsets: Mapping[str, int], dtype: np.dtype[Any] | None = None) -> bool:
    """
    Tell whether what our backend runs for a node has been tested against others than onnx's reference.

    True for the implementations of our table, for constants, and for what ONNX defines by a body of such nodes;
    False where onnx's reference implementation runs, where nobody knows the operator, and where what is right hangs
    on roundings. A node with subgraphs is verified if all nodes in these are. What a call of a function of the model
    comes to, the nodes in its body say.

    Parameters
    ----------
    node
        Of a model or function, with its attributes' values in place.
    opsets
        Version by domain that the model or function imports.
    dtype
        Of the node's first output, where it is known.
    """
    inside = (inner for graph in subgraphs(node) for body in bodies_in(graph) for inner in body.node)
    if not all(_is_verified_alone(with_short_domain(each), opsets) for each in (node, *inside)):
        return False
    if dtype is None or dtype.kind not in "iu":
        return True
    own = _own(_alone(with_short_domain(node), opsets))
    return own is None or not own.interpolates


def _is_verified_alone(proto: onnx.NodeProto, opsets: Mapping[str, int]) -> bool:
    if proto.op_type == "Constant" and not proto.domain:
        return True
    try:
        node = _alone(proto, opsets)
        if newest_version(proto.domain) is not None and not is_of_onnx(proto, node.version):
            return False
        if (own := _own(node)) is not None:
            return not own.disputed
        body = None if reference_implementation(node) is not None else schema_body(node)
    except _CANNOT_RUN:  # what does not run is not verified
        return False
    return body is not None and all(
        is_verified(inner, opset_versions(body.opset_import)) for inner in body.node
    )


def _alone(proto: onnx.NodeProto, opsets: Mapping[str, int]) -> Node:
    """A node of which nothing is known but itself."""
    constants = [None] * len(proto.input)
    return Node(
        proto=proto,
        opsets=opsets,
        attributes=attributes_of(proto),
        constants=constants,
        planning=_NoPlanning(),
    )


def _own(node: Node) -> Operation | None:
    implementation = IMPLEMENTATIONS.get((node.proto.domain, node.proto.op_type))
    return None if implementation is None else implementation(node)


class _NoPlanning:
    """Plans nothing: what is asked is only which implementation a node has."""

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        return Subgraph(_never, 0)

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        return _never

    def function(self, function: onnx.FunctionProto) -> Run:
        return _never


def _never(inputs: object) -> list[Value]:
    raise AssertionError(inputs)
