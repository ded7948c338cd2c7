"""Another activation in the place of the one in a head."""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

from onnx import GraphProto, NodeProto

from softops.opset import UnsupportedModelError
from softops.opset.graph.names import Names
from softops.opset.graph.walk import dead_values, names_read, remove_dead, subgraphs

from .branches import Head
from .chains import Chain
from .classifiers import TRANSFORMS, check_transform, is_classical, set_transform
from .opened import OpenModel

Replacement = Literal["softmax", "log_softmax", "hardmax", "sigmoid", "softmax_zero", "probit", "none"]
"""What may be asked for: the operators that stand for one another, and what a classifier of ai.onnx.ml can have."""
REPLACEABLE = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "hardmax": "Hardmax"}
"""The operators that stand for one another, by the name of the activation."""


def exchange(opened: OpenModel, head: Head, output: str, activation: str) -> None:
    """Let an output end in another activation, in each branch where the head lies in branches."""
    graphs = [scope.body for scope in head.scopes]
    outputs = [output]
    if head.branching is not None:
        _check_unshared(opened, head.branching.output[head.position], output)
        outputs = [_output(graph, head.position) for graph in graphs]
    for graph, chain, name in zip(graphs, head.chains, outputs, strict=True):
        assert isinstance(graph, GraphProto)
        node = chain.activation
        assert node is not None
        if is_classical(node):
            _transform(graph, node, activation)
            continue
        if activation not in REPLACEABLE:
            message = (
                f"expected one of {', '.join(REPLACEABLE)} in the place of the {node.op_type} of {output!r} "
                f"(got {activation!r}); strip the head, and append another"
            )
            raise UnsupportedModelError(message)
        was_dead = dead_values(graph)
        _exchange(graph, chain, node, name, REPLACEABLE[activation], opened.scope.names)
        remove_dead(graph, opened.model.ir_version, was_dead)


def _transform(graph: GraphProto, classifier: NodeProto, activation: str) -> None:
    """A classifier's label does not depend on what it makes of its scores: it stays one node."""
    if activation not in TRANSFORMS:
        message = (
            f"expected an activation that a {classifier.op_type} can have (got {activation!r}); choose one of "
            f"{', '.join(TRANSFORMS)}"
        )
        raise UnsupportedModelError(message)
    check_transform(classifier, activation)
    set_transform(next(n for n in graph.node if n.output[0] == classifier.output[0]), TRANSFORMS[activation])


def _exchange(
    graph: GraphProto, chain: Chain, activation: NodeProto, output: str, op_type: str, names: Names
) -> None:
    path = [*reversed(chain.nodes[: chain.nodes.index(activation) + 1])]  # from the activation to the output
    values = [node.output[0] for node in path]
    members = [node for node in graph.node if node.output[0] in values]
    readers = [n for n in graph.node if n.output[0] not in values and set(values).intersection(names_read(n))]
    new = [deepcopy(node) for node in path]
    new[0].op_type = op_type
    if not readers and not set(values).intersection(_outputs(graph)) - {output}:
        for node in members:
            node.CopyFrom(new[values.index(node.output[0])])
        return
    # The others go on reading the old activation, its last value under another name.
    kept = names.fresh(f"{output}_{activation.op_type.lower()}")
    rename_reads(readers, output, kept)
    fresh = {value: names.fresh(f"{value}_{op_type.lower()}") for value in values[:-1]} | {output: output}
    for node in new:
        node.input[:] = [fresh.get(name, name) for name in node.input]
        node.output[0] = fresh[node.output[0]]
        node.name = node.name if node.output[0] == output else node.output[0]
    last = next(node for node in members if node.output[0] == output)
    at = list(graph.node).index(last)
    last.output[0] = last.name = kept
    nodes = list(graph.node)
    nodes[at + 1 : at + 1] = new
    del graph.node[:]
    graph.node.extend(nodes)


def rename_reads(nodes: list[NodeProto], old: str, new: str) -> None:
    """Let nodes, and the subgraphs in them, read ``new`` instead of ``old``."""
    for node in nodes:
        if old not in names_read(node):
            continue
        node.input[:] = [new if name == old else name for name in node.input]
        for graph in subgraphs(node):
            rename_reads(list(graph.node), old, new)


def _outputs(graph: GraphProto) -> set[str]:
    return {value.name for value in graph.output}


def _output(graph: object, position: int) -> str:
    assert isinstance(graph, GraphProto)
    return str(graph.output[position].name)


def _check_unshared(opened: OpenModel, value: str, output: str) -> None:
    """Raise where more than the output is made of what an If gives: that would get the other activation, too."""
    graph = opened.model.graph
    inside = {output}  # the values from the If to the output
    at = output
    while at != value:
        at = opened.scope.producers[at].input[0]
        inside.add(at)
    others = [
        n.output[0] for n in graph.node if n.output[0] not in inside and inside.intersection(names_read(n))
    ]
    others += sorted(_outputs(graph).intersection(inside) - {output})
    if others:
        message = (
            f"expected {output!r} to be all that is made of its activation {value!r} in branches (there is {others[0]} "
            "as well); append a head to the logits instead"
        )
        raise UnsupportedModelError(message)
