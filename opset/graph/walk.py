"""Going over a model: its graphs, subgraphs, functions and tensors; what its nodes read, and what nothing needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, MutableSequence
from typing import Any

import onnx

from .domains import IR_WITH_PLAIN_INITIALIZERS

Body = onnx.GraphProto | onnx.FunctionProto
"""A graph, or the body of a function."""


def named_subgraphs(node: onnx.NodeProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    """The graphs among a node's attributes, named by the attribute."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for position, graph in enumerate(attribute.graphs):
            yield f"{attribute.name}[{position}]", graph


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs among a node's attributes."""
    return [graph for _, graph in named_subgraphs(node)]


def attribute_of(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    """The attribute of that name, None where the node leaves it to the default."""
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def names_read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those that its subgraphs take from around them too."""
    yield from (name for name in node.input if name)
    for graph in subgraphs(node):
        own = {value.name for value in graph.input}
        own.update(tensor.name for tensor in graph.initializer)
        own.update(tensor.values.name for tensor in graph.sparse_initializer)
        own.update(name for inner in graph.node for name in inner.output)
        read = [name for inner in graph.node for name in names_read(inner)]
        yield from (name for name in (*read, *(value.name for value in graph.output)) if name not in own)


def training_graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """The graphs of a model that is to be trained, beside its main one."""
    return [
        getattr(training, field)
        for training in model.training_info
        for field in ("initialization", "algorithm")
        if training.HasField(field)
    ]


def bodies_in(root: Body) -> Iterator[Body]:
    """A graph or function and the subgraphs of its nodes, each before those inside it."""
    # Nothing here calls itself, since a file may hold graphs a thousand deep.
    waiting = [root]
    while waiting:
        body = waiting.pop()
        yield body
        waiting.extend(reversed([graph for node in body.node for graph in subgraphs(node)]))


def levels_in(root: Body) -> Iterator[list[Body]]:
    """A graph or function by itself, then the graphs of its nodes, then those of the nodes in these, and so on."""
    level = [root]
    while level:
        yield level
        level = [graph for body in level for node in body.node for graph in subgraphs(node)]


def bodies(model: onnx.ModelProto) -> Iterator[Body]:
    """Every graph, subgraph and function body of a model, each before those inside it."""
    for root in (model.graph, *training_graphs(model), *model.functions):
        yield from bodies_in(root)


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model that is not sparse: initializers and attributes."""
    for body in bodies(model):
        if isinstance(body, onnx.GraphProto):
            yield from body.initializer
        for node in body.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def dead_values(graph: onnx.GraphProto) -> set[str]:
    """Return the names of the values and constants that no output of the graph depends on."""
    needed = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if needed.intersection(node.output) or not any(node.output):
            needed.update(names_read(node))
    inputs = {value.name for value in graph.input}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {sparse.values.name for sparse in graph.sparse_initializer}
    written = {name for node in graph.node for name in node.output if name}
    return ((written - inputs) | constants) - needed


def remove_dead(graph: onnx.GraphProto, ir_version: int, was_dead: set[str]) -> None:
    """
    Remove nodes and initializers that no output needs any longer.

    Those in ``was_dead`` (see `dead_values`) were not needed before either: they are none of our business.
    """
    dead = dead_values(graph)
    fresh = dead - was_dead
    if not fresh:
        return
    live = [
        node
        for node in graph.node
        if fresh.isdisjoint(node.output) or not dead.issuperset(filter(None, node.output))
    ]
    if len(live) < len(graph.node):
        del graph.node[:]
        graph.node.extend(live)
    remove_named(graph.initializer, fresh)
    remove_named(graph.sparse_initializer, fresh)
    if ir_version < IR_WITH_PLAIN_INITIALIZERS:
        remove_named(graph.input, fresh)


def remove_stale_types(graph: onnx.GraphProto) -> None:
    """Remove the types of values that are no longer there, in subgraphs too."""
    written = {name for node in graph.node for name in node.output}
    written |= {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    written -= {value.name for value in graph.output}
    remove_named(graph.value_info, {value.name for value in graph.value_info} - written)
    for node in graph.node:
        for inner in subgraphs(node):
            remove_stale_types(inner)


def remove_named(entries: MutableSequence[Any], names: Collection[str]) -> None:
    """Remove the tensors or values of those names from a field of a graph."""
    for index in reversed(range(len(entries))):
        entry = entries[index]
        name = entry.values.name if isinstance(entry, onnx.SparseTensorProto) else entry.name
        if name in names:
            del entries[index]
