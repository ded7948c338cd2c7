"""
A model cut into steps.

The cuts are the inputs and outputs of softmax-family nodes, the inputs of ArgMax and TopK, and what is quantised, in
the main graph and in the functions that it calls. A runtime is made to give them out (`Cuts.given`), and what lies
behind a cut is computed again from the runtime's own values (`Cuts.resumed`), so that every step is judged by itself: a
difference that a matrix product is entitled to is not held against the softmax behind it, no decision is called wrong
for a logit that another rounding moved, and one rounding tie of a quantised network does not spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import onnx

from softops.opset.graph.domains import DOMAINS
from softops.opset.graph.walk import dead_values, names_read, remove_dead

from .graph import DECISIONS, ModelGraph
from .undecided import TREES

_RECOMPUTED = "/recomputed"
"""What is appended to the name of a cut that is computed again."""


class Variant(NamedTuple):
    """A model to be run in place of the one that was given, and what its outputs are called in that one."""

    model: onnx.ModelProto
    outputs: tuple[str, ...]


class Cuts:
    """
    The cuts of a model, by name.

    Parameters
    ----------
    graph
        The model.
    nodes
        Some of its nodes, each to be judged by itself: the cuts are their inputs and outputs, and they alone are
        computed again. By default all of them, cut at what the top of this module says.

    Attributes
    ----------
    names
        The cuts.
    untyped
        Further places of which no type is known, so that nothing can be cut there.
    sources
        What is quantised and no cut, and is asked for when it is computed again: how near it is to a tie tells
        whether another step is right.
    """

    def __init__(self, graph: ModelGraph, nodes: Sequence[onnx.NodeProto] | None = None) -> None:
        self._graph, self._nodes = graph, nodes
        boundaries = _boundaries(graph) if nodes is None else _around(graph, nodes)
        wanted = [name for name in dict.fromkeys(boundaries) if name not in graph.random]
        self.names = tuple(filter(graph.is_typed, wanted))
        self.untyped = tuple(name for name in wanted if not graph.is_typed(name) and _is_tensor(graph, name))
        made = graph.model.graph.node if nodes is None else nodes
        sources = (node.input[0] for node in made if node.op_type == "QuantizeLinear")
        self.sources = tuple(
            name
            for name in dict.fromkeys(sources)
            if name in graph.producers and graph.is_typed(name) and name not in self.names
        )

    def given(self) -> Variant | None:
        """Return the model with the cuts as further outputs; None when it gives them all out already."""
        outputs = self._graph.outputs
        extra = [name for name in self.names if name not in outputs]
        if not extra:
            return None
        model = _copy(self._graph.model)
        model.graph.output.extend(map(self._graph.value_info, extra))
        return Variant(model, (*outputs, *extra))

    def asking(self) -> Variant | None:
        """Return the model with what is untyped as further outputs, for the runtime to tell; None where nothing is."""
        names = [name for name in self.untyped if name not in self._graph.outputs]
        if not names:
            return None
        model = _copy(self._graph.model)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        return Variant(model, (*self._graph.outputs, *names))

    def fresh(self) -> set[str]:
        """
        Return the cuts and outputs that follow from the model's inputs alone.

        Our backend has computed these in a run of its own already; by default, not where some nodes are cut out.
        """
        graph = self._graph.model.graph
        behind = set(self.names)
        for node in graph.node:
            if not behind.isdisjoint(names_read(node)):
                behind.update(node.output)
        direct = {name for name in self.names if behind.isdisjoint(names_read(self._graph.producers[name]))}
        return direct | {name for name in self._graph.outputs if name not in behind}

    def resumed(self) -> Variant:
        """Return the model that takes the cuts as inputs and computes each again, under another name."""
        model = _copy(self._graph.model)
        graph = model.graph
        if self._nodes is not None:
            del graph.node[:], graph.output[:]
            graph.node.extend((*self._weights(), *self._nodes))
        for node in graph.node:
            for place, name in enumerate(node.output):
                if name in self.names:
                    node.output[place] = name + _RECOMPUTED
        done = self.fresh() if self._nodes is None else set()
        kept = [value for value in graph.output if value.name not in self.names and value.name not in done]
        held = {value.name for value in kept}
        sources = [name for name in self.sources if name not in held]
        made = None if self._nodes is None else {name for node in self._nodes for name in node.output}
        names = [name for name in self.names if name not in done and (made is None or name in made)]
        del graph.output[:], graph.value_info[:]
        graph.output.extend(kept)
        graph.output.extend(self._graph.value_info(name, _RECOMPUTED) for name in names)
        graph.output.extend(map(self._graph.value_info, sources))
        graph.input.extend(map(self._graph.value_info, self.names))
        _drop_what_nobody_needs(graph)
        return Variant(model, (*(value.name for value in kept), *names, *sources))

    def _weights(self) -> Iterator[onnx.NodeProto]:
        """Yield the nodes that no input reaches and that are not among ours: what they make is nowhere cut."""
        assert self._nodes is not None
        ours = {name for node in self._nodes for name in node.output if name}
        for node in self._graph.model.graph.node:
            if not any(name in self._graph.live or name in ours for name in node.output):
                yield node


def _drop_what_nobody_needs(graph: onnx.GraphProto) -> None:
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed.update(names_read(node))
    # Copies, for what is taken out of a graph is gone with it.
    kept = [_node_like(node) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(kept)


def _node_like(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _is_tensor(graph: ModelGraph, name: str) -> bool:
    """Whether a value that nothing is known of is no sequence or optional, as far as its maker tells."""
    maker = graph.producers[name].op_type
    return not any(word in maker for word in ("Sequence", "Optional")) and maker not in ("If", "Loop", "Scan")


def _boundaries(graph: ModelGraph) -> Iterator[str]:
    for node in graph.model.graph.node:
        names: list[str] = []
        if graph.operator(node) is not None or node.op_type == "DynamicQuantizeLinear":
            names = [*node.input, *node.output]
        elif node.op_type in ("QuantizeLinear", TREES) or node.op_type.startswith("QLinear"):
            names = [*node.output]
        elif node.op_type in DECISIONS and node.domain in DOMAINS:
            names = [*node.input[:1]]
        yield from (name for name in names if name in graph.producers and graph.constant(name) is None)


def _around(graph: ModelGraph, nodes: Sequence[onnx.NodeProto]) -> Iterator[str]:
    for node in nodes:
        # What nobody reads need not be filled in; what no input reaches, as computed weights, is no value of a run.
        outputs = (name for name in node.output if name in graph.read)
        for name in (*names_read(node), *outputs):
            if name in graph.live and graph.constant(name) is None:
                yield name


def without_what_makes(graph: ModelGraph, tensor: str) -> onnx.ModelProto:
    """Return what is left of the model when ``tensor`` is one of its inputs and no longer made in it."""
    model = _copy(graph.model)
    body = model.graph
    was_dead = dead_values(body)
    for node in body.node:
        for place, name in enumerate(node.output):
            if name == tensor:
                node.output[place] = f"{tensor}/before"
    kept = [value for value in body.output if value.name != tensor]
    del body.output[:], body.value_info[:]
    body.output.extend(kept)
    remove_dead(body, model.ir_version, was_dead)
    read = {name for node in body.node for name in names_read(node)}
    # In old models every initializer is an input, too, whether it is read or not.
    read.update(tensor.name for tensor in body.initializer)
    inputs = [value for value in body.input if value.name in read]
    del body.input[:]
    body.input.extend([graph.value_info(tensor), *inputs])
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
