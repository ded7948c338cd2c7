"""
What the names in a graph stand for.

A `Scope` is one graph, one subgraph of a node, or one body of a function: its nodes, and for each name the type, the
constant, the node that makes it and those that read it. A name that a subgraph does not have is looked up in the
graph around it; one that a function takes, in the scope of its call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, TypeProto

from ..errors import ModelError
from .domains import canonical_domain
from .external import is_external
from .names import Names
from .tensors import array_of, constant_tensor
from .types import ValueType, declared_type, tensor_type, value_types
from .walk import Body, names_read, subgraphs

_SMALL_BYTES = 1 << 16
"""Shapes, axes, pads, scales: whatever one wants to read of a model's constants is no larger."""


class Scope:
    """
    The nodes of a graph, a subgraph or a function, and what is known of the names that hold there.

    Parameters
    ----------
    body
        The graph or function.
    opsets
        The version by domain that holds in it.
    typed
        The same body after shape inference, which knows more types.
    parent, opener
        For a subgraph: the scope of the graph around it, and the node there that it belongs to.
    arguments
        For a function: what its call gives for each input.
    overridable
        Whether a caller may override an initializer that is listed as an input, as from IR version 4 on; such
        a one is no constant.
    names
        The names of the whole model; a subgraph has those of its parent.
    where
        What to call the place.

    Attributes
    ----------
    nodes
        The nodes, in order; after `replace` those that it `has` still.
    outputs
        Names that are read from outside.
    types, constants, producers
        Type, tensor and node of each name of the body itself, as far as there are such.
    inner
        The scopes that a node opens, by ``id(node)``: those of its subgraphs by attribute, that of a call under
        ``""``. Whoever builds the scopes of a whole model fills it.
    """

    def __init__(
        self,
        body: Body,
        opsets: Mapping[str, int],
        *,
        typed: Body | None = None,
        parent: Scope | None = None,
        opener: NodeProto | None = None,
        arguments: Mapping[str, Value] | None = None,
        overridable: bool = True,
        names: Names | None = None,
        where: str = "the graph",
    ) -> None:
        self.body, self.opsets, self.where = body, opsets, where
        self.parent, self.opener = parent, opener
        self.arguments, self._typed, self._overridable = arguments or {}, typed, overridable
        self.names: Names = parent.names if parent is not None else names or Names()
        # Kept, since protobuf makes a new object for a node whenever nobody holds the last one.
        self.nodes = list(body.node)
        self.outputs = frozenset(_name(value) for value in body.output)
        self.types = value_types(body if typed is None else typed)
        self.constants: dict[str, TensorProto] = {}
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.inner: dict[int, dict[str, Scope]] = {}
        inputs = {_name(value) for value in body.input}
        self._local = {*inputs, *self.producers, *self.types, *self.arguments}
        if isinstance(body, onnx.GraphProto):
            for tensor in body.initializer:
                if not is_external(tensor) and not (overridable and tensor.name in inputs):
                    self.constants[tensor.name] = tensor
        for node in self.nodes:
            held = constant_tensor(node)
            if held is not None and node.output:
                self.constants[node.output[0]] = held

    @cached_property
    def consumers(self) -> dict[str, list[NodeProto]]:
        """The nodes that read each name, by themselves or by their subgraphs."""
        found: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            self._read(node, found)
        return found

    @property
    def typed_body(self) -> Body | None:
        """The body after shape inference, as it was given; None where it was not."""
        return self._typed

    @property
    def opset(self) -> int:
        """The version of ai.onnx that holds here: the first where none is imported, as before there were imports."""
        return self.opsets.get("", 1)

    def opset_of(self, node: NodeProto) -> int | None:
        """The version of the node's domain that holds here."""
        return self.opsets.get(canonical_domain(node.domain))

    def sees(self, name: str) -> bool:
        """Whether anything of that name is here or around here."""
        return self._home(name) is not None

    def type_of(self, name: str) -> TypeProto | None:
        """The type of a value, as far as it is known."""
        home = self._home(name)
        if home is None:
            return None
        tensor = home.constants.get(name)
        return home.types.get(name) or (None if tensor is None else tensor_type(tensor))

    def value_type(self, name: str) -> ValueType:
        """What is known of a value: its dtype and shape."""
        given = self.type_of(name)
        return ValueType() if given is None else declared_type(given)

    def element(self, name: str) -> int | None:
        """The element type of a tensor, an enumerator of ``TensorProto``; None where not known."""
        given = self.type_of(name)
        return (given.tensor_type.elem_type or None) if given is not None else None

    def rank(self, name: str) -> int | None:
        """The number of axes of a value; None where not known."""
        shape = self.value_type(name).shape
        return None if shape is None else len(shape)

    def constant(self, name: str) -> TensorProto | None:
        """The tensor behind a name, where it never changes and lies in the model itself."""
        home = self._home(name)
        if home is not None and name in home.arguments:
            given = home.arguments[name]
            return given.scope.constant(given.name)
        return None if home is None else home.constants.get(name)

    def array(self, name: str) -> NDArray[Any] | None:
        """The values behind a name, where it is a small constant."""
        tensor = self.constant(name)
        if tensor is None or tensor.ByteSize() > _SMALL_BYTES:
            return None
        try:
            return array_of(tensor)
        except ModelError:  # fewer values than its shape asks for, a type that nobody knows
            return None

    def maker(self, name: str) -> Made | None:
        """The node that makes a value, in whichever outer scope or caller it stands; None for inputs and constants."""
        home = self._home(name)
        if home is None:
            return None
        if name in home.producers:
            node = home.producers[name]
            return Made(home, node, list(node.output).index(name))
        if name in home.arguments:
            given = home.arguments[name]
            return given.scope.maker(given.name)
        return None

    def subscopes(self, node: NodeProto) -> list[Scope]:
        """Scopes for the graphs among a node's attributes."""
        graphs = subgraphs(node)
        typed: list[onnx.GraphProto | None] = [None] * len(graphs)
        if self._typed is not None and graphs:
            typed[:] = subgraphs(self._typed.node[self._places[id(node)]])
        return [
            Scope(
                graph,
                self.opsets,
                typed=twin,
                parent=self,
                opener=node,
                overridable=self._overridable,
                where=f"a subgraph of {self.where}",
            )
            for graph, twin in zip(graphs, typed, strict=True)
        ]

    def add_constant(self, name: str, tensor: TensorProto) -> None:
        """Note a constant that was added to the body."""
        self.constants[name] = tensor
        self._local.add(name)

    def add_type(self, name: str, kind: TypeProto) -> None:
        """Note the type of a value that is new in the body."""
        self.types.setdefault(name, kind)
        self._local.add(name)

    def replace(
        self,
        old: NodeProto,
        new: NodeProto,
        others: Iterable[NodeProto] = (),
        *,
        before: Sequence[NodeProto] = (),
    ) -> None:
        """
        Put a node in the place of another that writes the same, and others ``before`` it.

        ``others`` go, and constants that only they read.
        """
        place = self._places[id(old)]
        gone = [old, *others]
        for node in gone:
            self._take_out(node)
        self.nodes[place] = new
        self._places[id(new)] = place
        self.producers.update(dict.fromkeys(new.output, new))
        self._read(new, self.consumers)
        if before:
            there = {*self._places, *map(id, before)}
            self.nodes[place:place] = before
            self._places = {id(node): at for at, node in enumerate(self.nodes) if id(node) in there}
            self.producers.update((name, node) for node in before for name in node.output)
            for node in before:
                self._read(node, self.consumers)
        for name in {name for node in gone for name in node.input}:
            held = self.producers.get(name)
            unread = not self.consumers.get(name) and name not in self.outputs
            if held is not None and unread and held.op_type == "Constant":
                self._take_out(held)

    def has(self, node: NodeProto) -> bool:
        """Whether a node was not taken out."""
        return id(node) in self._places

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(node): place for place, node in enumerate(self.nodes)}

    def _take_out(self, node: NodeProto) -> None:
        del self._places[id(node)]
        for name in dict.fromkeys(names_read(node)):
            self.consumers[name] = [user for user in self.consumers[name] if user is not node]
        for name in node.output:
            self.producers.pop(name, None)

    def _read(self, node: NodeProto, consumers: dict[str, list[NodeProto]]) -> None:
        for name in dict.fromkeys(names_read(node)):
            consumers.setdefault(name, []).append(node)

    def _home(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope._local:
            scope = scope.parent
        return scope


class Value(NamedTuple):
    """A name in a scope."""

    scope: Scope
    name: str


class Made(NamedTuple):
    """The node that makes a value, the scope it stands in, and which of its outputs the value is."""

    scope: Scope
    node: NodeProto
    output: int

    def within(self) -> list[Value]:
        """Where the value comes from inside the function, the branches or the body that the node runs."""
        position = self.output + (self.node.op_type == "Loop")  # the condition comes before the values
        return [
            Value(inner, _name(inner.body.output[position]))
            for inner in self.scope.inner.get(id(self.node), {}).values()
            if position < len(inner.body.output)
        ]


def _name(value: str | onnx.ValueInfoProto) -> str:
    return value if isinstance(value, str) else value.name
