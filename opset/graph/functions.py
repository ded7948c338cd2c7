"""A model's own functions, and a call of one with its attributes put in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy

import onnx

from .domains import is_of_onnx

FunctionKey = tuple[str, str, str]
"""Domain, name and overload: what a node names a function by."""

Library = Mapping[FunctionKey, onnx.FunctionProto]
"""A model's functions."""


def function_key(node: onnx.NodeProto) -> FunctionKey:
    """What the node calls, were it a function."""
    return node.domain, node.op_type, node.overload


def functions_by_key(functions: Iterable[onnx.FunctionProto]) -> dict[FunctionKey, onnx.FunctionProto]:
    """The functions, by what nodes call them; their order in the model does not matter."""
    return {(function.domain, function.name, function.overload): function for function in functions}


def called_function(node: onnx.NodeProto, library: Library, version: int | None) -> onnx.FunctionProto | None:
    """
    Return the function that a node calls, if it calls one; ``version`` is that of the node's domain.

    Where ONNX has an operator of that name the operator is meant: ONNX leaves it open, and onnxruntime reads it so.
    """
    function = library.get(function_key(node))
    return None if function is None or is_of_onnx(node, version or 1) else function


def bound_function(function: onnx.FunctionProto, call: onnx.NodeProto) -> onnx.FunctionProto:
    """
    Return the function with the values that a call gives in place of references to its attributes.

    Where the call gives none, the function's default is taken; where there is no default either, the
    attribute is left off the inner node, whose operator then decides.
    """
    values = {attribute.name: attribute for attribute in function.attribute_proto}
    values |= {attribute.name: attribute for attribute in call.attribute}
    if not function.attribute and not function.attribute_proto:
        return function
    bound = deepcopy(function)
    del bound.attribute[:]
    del bound.attribute_proto[:]
    _bind(bound.node, values)
    return bound


def _bind(nodes: Iterable[onnx.NodeProto], values: Mapping[str, onnx.AttributeProto]) -> None:
    for node in nodes:
        for attribute in list(node.attribute):
            for graph in (attribute.g, *attribute.graphs):
                _bind(graph.node, values)
            if not attribute.ref_attr_name:
                continue
            if attribute.ref_attr_name in values:
                name = attribute.name
                attribute.CopyFrom(values[attribute.ref_attr_name])
                attribute.name = name
            else:
                node.attribute.remove(attribute)
