"""A model's own functions, and a call of one with its attributes put in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from graphlib import CycleError, TopologicalSorter

import onnx

from ..errors import ModelError
from .domains import is_of_onnx
from .walk import Body, bodies_in

MOST_CALLS = 100_000
"""So many calls are put in place; functions that call functions can ask for more than any machine has room for."""

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


def number_of_calls(model: onnx.ModelProto) -> int:
    """
    How many calls of functions a model makes, those within the functions that it calls counted each time.

    0 where functions call each other in a circle.
    """
    library = functions_by_key(model.functions)
    direct = {key: _calls_in(function, library) for key, function in library.items()}
    total: dict[FunctionKey, int] = {}
    try:
        for key in TopologicalSorter({key: calls.keys() for key, calls in direct.items()}).static_order():
            total[key] = sum(count * (1 + total[called]) for called, count in direct[key].items())
    except CycleError:
        return 0
    return sum(count * (1 + total[called]) for called, count in _calls_in(model.graph, library).items())


def check_number_of_calls(model: onnx.ModelProto) -> None:
    """Raise a ModelError where a model makes more than `MOST_CALLS`."""
    number = number_of_calls(model)
    if number > MOST_CALLS:
        message = (
            f"expected a model that calls functions {MOST_CALLS:,} times at most, the calls within them counted "
            f"(got {number:,}); export it with fewer functions inside functions"
        )
        raise ModelError(message)


def _calls_in(body: Body, library: Library) -> Counter[FunctionKey]:
    """The calls in a body and its subgraphs, by function."""
    calls = Counter(function_key(node) for inner in bodies_in(body) for node in inner.node)
    return Counter({key: count for key, count in calls.items() if key in library})


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
