"""Going over the nodes of graphs: what they read, what is named, what is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from softops.opset.graph.walk import names_read, subgraphs

IR_WITH_PLAIN_INITIALIZERS = 4
"""Before this IR version an initializer is the default of an input, and has to be listed as one."""


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
        node for node in graph.node if fresh.isdisjoint(node.output) or not dead.issuperset(_written(node))
    ]
    if len(live) < len(graph.node):
        kept = [copy_node(node) for node in live]
        del graph.node[:]
        graph.node.extend(kept)
    for entries in (graph.initializer, graph.sparse_initializer):
        for index in reversed(range(len(entries))):
            entry = entries[index]
            name = entry.name if isinstance(entry, onnx.TensorProto) else entry.values.name
            if name in fresh:
                del entries[index]
    if ir_version < IR_WITH_PLAIN_INITIALIZERS:
        for index in reversed(range(len(graph.input))):
            if graph.input[index].name in fresh:
                del graph.input[index]


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


def _written(node: onnx.NodeProto) -> list[str]:
    return [name for name in node.output if name]


def copy_node(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a node of its own, which no graph holds."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied


def drop_stale_types(graph: onnx.GraphProto) -> None:
    """Remove the types of values that are no longer there."""
    written = {name for node in graph.node for name in node.output}
    written |= {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    for index in reversed(range(len(graph.value_info))):
        name = graph.value_info[index].name
        if name not in written or name in outputs:
            del graph.value_info[index]
    for node in graph.node:
        for inner in subgraphs(node):
            drop_stale_types(inner)


def all_names(model: onnx.ModelProto) -> Iterator[str]:
    """Yield every name of a node or a value, in subgraphs and functions too."""
    for function in model.functions:
        yield from (*function.input, *function.output)
        yield from _names_of(function.node)
    yield from _names_in(model.graph)


def _names_in(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (value.name for value in (*graph.input, *graph.output, *graph.value_info))
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    yield from _names_of(graph.node)


def _names_of(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    for node in nodes:
        yield from (node.name, *node.input, *node.output)
        for graph in subgraphs(node):
            yield from _names_in(graph)
