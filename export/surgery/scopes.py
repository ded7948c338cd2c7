"""The places of a model where nodes stand: its graph, the subgraphs of nodes, the bodies of its functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from softops.opset.graph.domains import imported_opset
from softops.opset.graph.tensors import constant_tensor
from softops.opset.graph.walk import names_read, subgraphs

from .liveness import IR_WITH_PLAIN_INITIALIZERS, copy_node
from .opened import OpenModel, external_tensors_of, value_types

_CONSTANT_BYTES_MAX = 1 << 16


@dataclass
class Scope:
    """
    The nodes of one graph or function, in a list that may be changed.

    Attributes
    ----------
    opset
        The version of ai.onnx that holds here.
    nodes
        The nodes, in order. To exchange some and go on looking, call `exchange`, and `tidy` at the end.
    outputs
        Names that are read from outside.
    types
        Types of the values that can be seen from here, as far as they are known.
    where
        What to call the place in an error.
    """

    opset: int
    nodes: list[onnx.NodeProto]
    outputs: frozenset[str]
    types: Mapping[str, onnx.TypeProto]
    where: str
    _model: OpenModel
    _initializers: Mapping[str, onnx.TensorProto]
    producers: dict[str, onnx.NodeProto] = field(default_factory=dict)
    users: dict[str, list[onnx.NodeProto]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        for node in self.nodes:
            self._add_user(node)
        self._gone: set[int] = set()
        self._places = {id(node): place for place, node in enumerate(self.nodes)}

    def fresh(self, name: str) -> str:
        """Return a name like ``name`` that is free in the model."""
        return self._model.fresh(name)

    def exchange(self, old: onnx.NodeProto, new: onnx.NodeProto, others: Iterable[onnx.NodeProto]) -> None:
        """Put a node in the place of another that writes the same, and take out ``others``."""
        place = self._places.pop(id(old))
        self.nodes[place] = new
        self._places[id(new)] = place
        self._remove_user(old)
        self._add_user(new)
        self.producers.update(dict.fromkeys(new.output, new))
        for node in others:
            self._take_out(node)
        # Constants that only these read.
        for name in {name for node in (old, *others) for name in node.input}:
            constant = self.producers.get(name)
            unread = not self.users.get(name) and name not in self.outputs
            if unread and constant is not None and constant.op_type == "Constant":
                self._take_out(constant)

    def has(self, node: onnx.NodeProto) -> bool:
        """Whether a node was not taken out."""
        return id(node) in self._places

    def tidy(self) -> None:
        """Remove what was taken out from the list of nodes."""
        self.nodes = [node for node in self.nodes if id(node) not in self._gone]
        self._gone = set()
        self._places = {id(node): place for place, node in enumerate(self.nodes)}

    def _take_out(self, node: onnx.NodeProto) -> None:
        self._gone.add(id(node))
        del self._places[id(node)]
        self._remove_user(node)
        for name in node.output:
            self.producers.pop(name, None)

    def _add_user(self, node: onnx.NodeProto) -> None:
        for name in dict.fromkeys(names_read(node)):
            self.users.setdefault(name, []).append(node)

    def _remove_user(self, node: onnx.NodeProto) -> None:
        for name in dict.fromkeys(names_read(node)):
            self.users[name] = [user for user in self.users[name] if user is not node]

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value of a small constant: a `Constant`, or an initializer that nobody can override."""
        tensor = self._initializers.get(name)
        node = self.producers.get(name)
        if node is not None:
            tensor = constant_tensor(node)
        if tensor is None or external_tensors_of(tensor) or tensor.ByteSize() > _CONSTANT_BYTES_MAX:
            return None
        return numpy_helper.to_array(tensor)

    def element(self, name: str) -> int | None:
        """Return the element type of a tensor, an enumerator of ``TensorProto``; None when not known."""
        kind = self.types.get(name)
        return (kind.tensor_type.elem_type or None) if kind and kind.HasField("tensor_type") else None

    def dims(self, name: str) -> list[int | str | None] | None:
        """Return length, or name if any, of each axis; None when not even the rank is known."""
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        return [
            int(dim.dim_value) if dim.HasField("dim_value") else (dim.dim_param or None)
            for dim in kind.tensor_type.shape.dim
        ]

    def rank(self, name: str) -> int | None:
        """Return the number of axes; None when not known."""
        dims = self.dims(name)
        return None if dims is None else len(dims)


def edit_scopes(opened: OpenModel, edit: Callable[[Scope], bool]) -> None:
    """Call ``edit`` on every scope, subgraphs before the graph around them; True says it changed the nodes."""
    model = opened.model
    _edit_graph(model.graph, opened.inferred.graph, opened, edit, {}, {}, opened.opset, "the graph")
    for function in model.functions:
        opset = imported_opset(function)
        if opset is None:
            continue
        where = f"function {function.name}"
        types = {value.name: value.type for value in function.value_info}
        for node in function.node:
            for graph in subgraphs(node):
                _edit_graph(graph, graph, opened, edit, types, {}, opset, where)
        nodes = [copy_node(node) for node in function.node]
        scope = Scope(opset, nodes, frozenset(function.output), types, where, opened, {})
        if edit(scope):
            del function.node[:]
            function.node.extend(scope.nodes)


def _edit_graph(
    graph: onnx.GraphProto,
    inferred: onnx.GraphProto,
    opened: OpenModel,
    edit: Callable[[Scope], bool],
    outer_types: Mapping[str, onnx.TypeProto],
    outer_constants: Mapping[str, onnx.TensorProto],
    opset: int,
    where: str,
) -> None:
    types = {**outer_types, **value_types(graph), **value_types(inferred)}
    inputs = {value.name for value in graph.input}
    written = inputs | {name for node in graph.node for name in node.output}
    constants = {name: tensor for name, tensor in outer_constants.items() if name not in written}
    # From IR version 4 on an initializer that is an input as well is a default that callers may override;
    # before, every initializer has to be listed as an input, and runtimes take them for constants.
    plain = opened.model.ir_version < IR_WITH_PLAIN_INITIALIZERS
    constants |= {tensor.name: tensor for tensor in graph.initializer if plain or tensor.name not in inputs}
    held = ((node, constant_tensor(node)) for node in graph.node)
    constants |= {node.output[0]: tensor for node, tensor in held if tensor is not None}
    for node, twin in zip(graph.node, inferred.node, strict=True):
        for inner, inner_twin in zip(subgraphs(node), subgraphs(twin), strict=True):
            _edit_graph(inner, inner_twin, opened, edit, types, constants, opset, f"a subgraph of {where}")
    nodes = [copy_node(node) for node in graph.node]
    outputs = frozenset(value.name for value in graph.output)
    scope = Scope(opset, nodes, outputs, types, where, opened, constants)
    if edit(scope):
        _replace(graph, scope.nodes)


def _replace(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
