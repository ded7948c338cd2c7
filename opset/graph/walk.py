"""Going over a model: its graphs, the subgraphs of nodes, the bodies of functions, the tensors in all of them."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

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


def bodies(model: onnx.ModelProto) -> Iterator[Body]:
    """Every graph, subgraph and function body of a model, each before those inside it."""
    # The last comes first; nothing here calls itself, since a file may hold graphs a thousand deep.
    waiting: list[Body] = [*reversed(model.functions), *reversed(training_graphs(model)), model.graph]
    while waiting:
        body = waiting.pop()
        yield body
        waiting.extend(reversed([graph for node in body.node for graph in subgraphs(node)]))


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
