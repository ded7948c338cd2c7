"""
A model as its readers need it: every graph, subgraph and called function with its types, and where values come from.

A function of the model is looked into once for each call, with the attributes and the types of that call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from ..errors import one_line
from .domains import canonical_domain, is_of_onnx, opset_versions
from .functions import (
    MOST_CALLS,
    FunctionKey,
    bound_function,
    function_key,
    functions_by_key,
    number_of_calls,
)
from .protos import DTYPES, ValueType, declared_type, is_small, label_of, skeleton, value_info
from .tensors import constant_tensor
from .walk import named_subgraphs

# More calls than these nobody could read.
_MOST_READ = 2000


@dataclass(eq=False)
class Scope:
    """
    The nodes of one graph or of one call of a function, and the names that hold in it.

    Attributes
    ----------
    where
        ``"main graph"``, or the path of the subgraph, or the function.
    parent
        The scope whose values a subgraph sees; None for the main graph and for functions.
    actual
        For a function: what the caller gives for each input.
    inner
        The scopes of a node's subgraphs by attribute, and the one of a call under ``""``.
    """

    where: str
    graph: GraphProto
    opsets: Mapping[str, int]
    parent: Scope | None = None
    actual: Mapping[str, Value] = field(default_factory=dict)
    in_scan: bool = False
    types: dict[str, ValueType] = field(default_factory=dict)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    made: dict[str, tuple[NodeProto, int]] = field(default_factory=dict)
    inner: dict[int, dict[str, Scope]] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Kept, since protobuf makes a new object for a node whenever nobody holds the last one.
        self.nodes.extend(self.graph.node)
        for value in (*self.graph.input, *self.graph.output, *self.graph.value_info):
            self.types[value.name] = declared_type(value.type)
        for tensor in self.graph.initializer:
            self.constants[tensor.name] = tensor
            self.types[tensor.name] = ValueType(DTYPES.get(tensor.data_type), tuple(tensor.dims))
        for sparse in self.graph.sparse_initializer:
            self.types[sparse.values.name] = ValueType(
                DTYPES.get(sparse.values.data_type), tuple(sparse.dims)
            )
        for node in self.nodes:
            self.made |= {name: (node, index) for index, name in enumerate(node.output) if name}
            tensor = constant_tensor(node)
            if tensor is not None and node.output:
                self.constants[node.output[0]] = tensor

    def type_of(self, name: str) -> ValueType:
        """What is known of a value that this scope sees."""
        scope = self._home(name)
        found = ValueType() if scope is None else scope.types.get(name, ValueType())
        if scope is not None and found == ValueType() and name in scope.actual:
            outer = scope.actual[name]
            return outer.scope.type_of(outer.name)
        return found

    def constant(self, name: str) -> NDArray[Any] | None:
        """The array behind a name, if it is a small constant whose values are at hand."""
        scope = self._home(name)
        if scope is None:
            return None
        if name in scope.actual:
            return scope.actual[name].scope.constant(scope.actual[name].name)
        tensor = scope.constants.get(name)
        if tensor is None or not is_small(tensor):
            return None
        try:
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError):  # fewer values than its shape asks for
            return None

    def maker(self, name: str) -> Made | None:
        """The node that makes a value, in whichever outer scope or caller it stands; None for inputs and constants."""
        scope = self._home(name)
        if scope is None:
            return None
        if name in scope.made:
            return Made(scope, *scope.made[name])
        if name in scope.actual:
            return scope.actual[name].scope.maker(scope.actual[name].name)
        return None

    def sees(self, name: str) -> bool:
        """Whether anything of that name is here or around here."""
        return self._home(name) is not None

    def opset_of(self, node: NodeProto) -> int | None:
        """The version of the node's domain that holds here."""
        return self.opsets.get(canonical_domain(node.domain))

    def _home(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.made or name in scope.constants or name in scope.actual or name in scope.types:
                return scope
            scope = scope.parent
        return None


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
        inner = self.scope.inner.get(id(self.node), {})
        skipped = 1 if self.node.op_type == "Loop" else 0  # the condition comes before the values
        found = []
        for scope in inner.values():
            position = self.output + skipped
            if position < len(scope.graph.output):
                found.append(Value(scope, scope.graph.output[position].name))
        return found


_Body = tuple[FunctionKey, tuple[bytes, ...], tuple[tuple[str, ValueType], ...]]
"""A function with the attributes and the input types of a call: all that its inner types depend on."""


class Scopes:
    """
    All scopes of a model, and notes on what could not be known.

    Iterating gives every node with its scope, in the order of the graph: what a node runs inside comes right
    behind it, functions that nothing calls at the end.
    """

    def __init__(self, model: ModelProto) -> None:
        self.notes: dict[str, None] = {}
        self._model = model
        self._library = functions_by_key(model.functions)
        self._called: set[FunctionKey] = set()
        self._calls = 0
        self._bodies: dict[_Body, GraphProto] = {}
        self._number_of_calls = number_of_calls(model)
        # Before there were imports, opset 1 was all there was.
        opsets = opset_versions(model.opset_import) or {"": 1}
        self.main = self._scope("main graph", self._inferred(skeleton(model)), opsets, ())
        idle = [(key, function) for key, function in self._library.items() if key not in self._called]
        alone = [self._function(key, function, NodeProto(), None, ()) for key, function in idle]
        self._outermost = [self.main, *(scope for scope in alone if scope is not None)]

    def __iter__(self) -> Iterator[tuple[Scope, NodeProto]]:
        waiting = [(scope, node) for scope in reversed(self._outermost) for node in reversed(scope.nodes)]
        while waiting:
            scope, node = waiting.pop()
            yield scope, node
            inner = scope.inner.get(id(node), {}).values()
            waiting.extend((inside, step) for inside in reversed(inner) for step in reversed(inside.nodes))

    def _scope(
        self,
        where: str,
        graph: GraphProto,
        opsets: Mapping[str, int],
        calls: tuple[FunctionKey, ...],
        *,
        parent: Scope | None = None,
        actual: Mapping[str, Value] | None = None,
        in_scan: bool = False,
    ) -> Scope:
        scope = Scope(where, graph, opsets, parent, actual or {}, in_scan)
        for node in scope.nodes:
            key = function_key(node)
            # Where ONNX has an operator of that name, the operator is meant, as the backend reads it.
            if key in self._library and not is_of_onnx(node, scope.opset_of(node) or 1):
                inner = {"": self._function(key, self._library[key], node, scope, calls)}
            else:
                path = "" if parent is None and not actual and where == "main graph" else f"{where} / "
                inner = {
                    name: self._scope(
                        f"{path}{label_of(node)}.{name}",
                        graph_,
                        opsets,
                        calls,
                        parent=scope,
                        in_scan=in_scan or node.op_type == "Scan",
                    )
                    for name, graph_ in named_subgraphs(node)
                }
            scope.inner[id(node)] = {name: inside for name, inside in inner.items() if inside is not None}
        return scope

    def _function(
        self,
        key: FunctionKey,
        function: onnx.FunctionProto,
        call: NodeProto,
        caller: Scope | None,
        calls: tuple[FunctionKey, ...],
    ) -> Scope | None:
        name = f"function {key[0] or 'ai.onnx'}.{key[1]}" + (f":{key[2]}" if key[2] else "")
        self._called.add(key)
        self._calls += 1
        if key in calls:
            self.notes[f"{name} calls itself: its inner calls are not looked into"] = None
            return None
        if self._calls > _MOST_READ:
            self.notes[f"only the first {_MOST_READ} calls of functions are looked into"] = None
            return None
        opsets = opset_versions(function.opset_import)
        actual = {} if caller is None else _arguments(function, call, caller)
        known = [value.scope.type_of(value.name) for value in actual.values()]
        types = dict(zip(actual, known, strict=True))
        attributes = tuple(attribute.SerializeToString(deterministic=True) for attribute in call.attribute)
        body = key, attributes, tuple(types.items())
        if body not in self._bodies:
            self._bodies[body] = self._body(function, call, types)
        where = name if caller is not None else f"{name} (never called)"
        return self._scope(where, self._bodies[body], opsets, (*calls, key), actual=actual)

    def _body(
        self, function: onnx.FunctionProto, call: NodeProto, types: Mapping[str, ValueType]
    ) -> GraphProto:
        """The function as a graph, its attributes and types those of a call."""
        bound = bound_function(function, call)
        graph = GraphProto(name=function.name, node=bound.node, value_info=function.value_info)
        graph.input.extend(value_info(name, types.get(name, ValueType())) for name in function.input)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in function.output)
        model = ModelProto(
            ir_version=self._model.ir_version,
            opset_import=function.opset_import,
            functions=self._model.functions,
            graph=graph,
        )
        return self._inferred(model)

    def _inferred(self, model: ModelProto) -> GraphProto:
        if self._number_of_calls > MOST_CALLS:  # which shape inference would all follow
            self.notes[f"no shapes were inferred: its functions make {self._number_of_calls:,} calls"] = None
            return model.graph
        try:
            return onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except Exception as error:  # whatever shape inference stumbles over: the report does without it
            where = f"of {model.graph.name}" if model.graph.name else "of the model"
            self.notes[f"the shapes {where} could not be inferred ({one_line(error)})"] = None
            return model.graph


def _arguments(function: onnx.FunctionProto, call: NodeProto, caller: Scope) -> dict[str, Value]:
    given = zip(function.input, call.input, strict=False)
    return {formal: Value(caller, name) for formal, name in given if name}
