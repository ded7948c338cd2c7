"""What a model would come to with every function in the place of its calls, counted without putting one there."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import onnx

from ..errors import ModelError
from .functions import FunctionKey, Library, function_key, functions_by_key
from .walk import Body, levels_in, training_graphs

MOST_NODES = 100_000
"""So many nodes may functions come to; calls within calls can ask for more than any machine has room for."""

MOST_GRAPHS_DEEP = 30
"""Graphs within graphs: each takes three messages of the hundred that protobuf reads within each other."""

MOST_CALLS_DEEP = 100
"""Calls within calls, each of which takes room on the stack of whoever follows them."""

_COUNTED = 10**12


class Expansion(NamedTuple):
    """Of a body and all that its calls run: nodes (`_COUNTED` for more), graphs and calls within each other."""

    nodes: int
    graphs_deep: int
    calls_deep: int


def expansion(model: onnx.ModelProto) -> Expansion:
    """
    Count what a model comes to with its functions in place; each function is counted once, whoever calls it.

    Raises
    ------
    ModelError
        A function calls itself, by way of others or not.
    """
    library = functions_by_key(model.functions)
    calls = {key: _calls_by_level(function, library) for key, function in library.items()}
    known: dict[FunctionKey, Expansion] = {}
    called = {key: set().union(*levels) for key, levels in calls.items()}
    try:
        for key in TopologicalSorter(called).static_order():
            known[key] = _summed(library[key], calls[key], known)
    except CycleError as error:
        circle = " calls ".join(f"{domain or 'ai.onnx'}.{name}" for domain, name, _ in error.args[1][:6])
        message = f"expected functions that do not call themselves (got {circle}); export the model again"
        raise ModelError(message) from None
    graphs = [model.graph, *training_graphs(model)]
    found = [_summed(graph, _calls_by_level(graph, library), known) for graph in graphs]
    # Functions that nothing calls are no nodes of the model, but they are read as well.
    deep = [*found, *known.values()]
    return Expansion(
        min(sum(each.nodes for each in found), _COUNTED),
        max(each.graphs_deep for each in deep),
        max(each.calls_deep for each in deep),
    )


def check_expansion(model: onnx.ModelProto) -> None:
    """
    Refuse a model whose functions or graphs nobody could put in place or follow.

    Raises
    ------
    ModelError
        A function calls itself; functions come to more than `MOST_NODES`, calls lie deeper in each other than
        `MOST_CALLS_DEEP`, or, with the functions in place, graphs deeper than `MOST_GRAPHS_DEEP`.
    """
    found = expansion(model)
    if model.functions and found.nodes > MOST_NODES:
        number = f"{found.nodes:,}" if found.nodes < _COUNTED else f"more than {_COUNTED:,}"
        message = (
            f"expected a model that comes to {MOST_NODES:,} nodes at most, those of a function counted at each call "
            f"(got {number}); export it with fewer functions inside functions"
        )
        raise ModelError(message)
    if found.calls_deep > MOST_CALLS_DEEP:
        message = (
            f"expected calls of functions within functions up to {MOST_CALLS_DEEP} deep (got {found.calls_deep}); "
            "export the model with fewer functions inside functions"
        )
        raise ModelError(message)
    _check_graphs(found.graphs_deep)


def check_depth(model: onnx.ModelProto) -> None:
    """Raise a ModelError where graphs lie deeper in each other than `MOST_GRAPHS_DEEP`, functions aside."""
    roots = (model.graph, *training_graphs(model), *model.functions)
    _check_graphs(max(sum(1 for _ in levels_in(root)) for root in roots))


def _check_graphs(graphs_deep: int) -> None:
    if graphs_deep > MOST_GRAPHS_DEEP:
        message = (
            f"expected graphs (of If, Loop, Scan) within each other up to {MOST_GRAPHS_DEEP} deep, about what a file "
            f"can hold (got {graphs_deep}); export the model with fewer branches inside branches"
        )
        raise ModelError(message)


def _calls_by_level(root: Body, library: Library) -> list[Counter[FunctionKey]]:
    """The calls in a body and, level by level, in the graphs of its nodes."""
    return [
        Counter(key for body in level for node in body.node if (key := function_key(node)) in library)
        for level in levels_in(root)
    ]


def _summed(root: Body, calls: list[Counter[FunctionKey]], known: dict[FunctionKey, Expansion]) -> Expansion:
    nodes = sum(len(body.node) for level in levels_in(root) for body in level)
    depth, deepest = len(calls), 0
    for level, counted in enumerate(calls):
        for key, count in counted.items():
            inside = known[key]
            nodes += count * inside.nodes
            depth = max(depth, level + inside.graphs_deep)
            deepest = max(deepest, 1 + inside.calls_deep)
    return Expansion(min(nodes, _COUNTED), depth, deepest)
