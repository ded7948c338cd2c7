"""
From a graph to a `Plan`: each node gets its operation, each value its slot, each function call is put in place.

An operator's version is the one that the opset imports of the model, or of the function it stands in, say; so
it is in If, Loop and Scan too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import onnx

from ..errors import ModelError, UnsupportedModelError
from ..graph.domains import opset_versions
from ..graph.functions import FunctionKey, Library, bound_function, called_function, function_key
from ..graph.tensors import array_of, constant_of, dense_array_of
from ..nodes.fallback import reference_implementation
from ..nodes.node import Node, Operation, Run, Subgraph, Value, attributes_of, described, with_short_domain
from ..nodes.schema_functions import schema_body, typed_function
from ..nodes.table import IMPLEMENTATIONS
from .plan import LEFT_OUT, Plan, Slot, Step


def plan_graph(graph: onnx.GraphProto, opsets: dict[str, int], library: Library) -> Plan:
    """
    Plan a graph that takes nothing from around it.

    Parameters
    ----------
    opsets
        Version by domain.
    library
        The model's functions.

    Raises
    ------
    ModelError
        A name that nothing makes, a broken tensor, a function that calls itself.
    UnsupportedModelError
        An operator that nobody here can run.
    UnknownOpsetError
        An operator that does not exist yet at its opset.
    """
    draft = _Draft()
    return draft.graph(graph, _Environment(draft, opsets, library))


@dataclass
class _Environment:
    """Where a node's names are looked up, and what its operators and functions mean."""

    draft: _Draft
    opsets: dict[str, int]
    library: Library
    calls: frozenset[FunctionKey] = frozenset()
    """The functions whose bodies it stands in."""
    outer: _Environment | None = None
    """That of the node whose graph this is."""
    slots: dict[str, Slot] = field(default_factory=dict)

    def find(self, name: str, reader: str) -> Slot:
        """The slot of a value that is read."""
        if not name:
            return LEFT_OUT
        found = self._look_up(name)
        if found is None:
            message = (
                f"expected a value named {name!r} before {reader} reads it (got none: nothing makes it, or only "
                "a later node does, or nodes wait for each other in a circle); sort the nodes, or export again"
            )
            raise ModelError(message)
        return found

    def _look_up(self, name: str) -> Slot | None:
        if name not in self.slots and self.outer is not None:
            outside = self.outer._look_up(name)
            if outside is not None:
                self.slots[name] = self.draft.capture(outside, self.outer.draft.constants.get(outside))
        return self.slots.get(name)


class _Draft:
    """A plan while it is made."""

    def __init__(self) -> None:
        self._template: list[Value] = [None]
        self._steps: list[Step] = []
        self._captured: dict[Slot, Slot] = {}
        self.constants: dict[Slot, Value] = {}

    def graph(self, graph: onnx.GraphProto, env: _Environment) -> Plan:
        """Plan a graph; its inputs come first, then what it takes from around it (see `captured`)."""
        inputs = [self._slot() for _ in graph.input]
        env.slots.update((value.name, slot) for value, slot in zip(graph.input, inputs, strict=True))
        for tensor in graph.initializer:
            self._initialize(tensor.name, array_of(tensor), env)
        for sparse in graph.sparse_initializer:
            self._initialize(sparse.values.name, dense_array_of(sparse), env)
        self._nodes(graph.node, env)
        outputs = [env.find(value.name, "the graph's outputs") for value in graph.output]
        return Plan(self._template, [*inputs, *self._captured.values()], outputs, self._steps)

    def function(self, function: onnx.FunctionProto) -> Plan:
        """Plan a function's body."""
        inputs = [self._slot() for _ in function.input]
        slots = dict(zip(function.input, inputs, strict=True))
        env = _Environment(self, opset_versions(function.opset_import), {}, slots=slots)
        self._nodes(function.node, env)
        outputs = [env.find(name, function.name) for name in function.output]
        return Plan(self._template, inputs, outputs, self._steps)

    @property
    def captured(self) -> tuple[Slot, ...]:
        """Slots of the draft around this one whose values this one takes."""
        return tuple(self._captured)

    def capture(self, outside: Slot, constant: Value) -> Slot:
        """A slot for a value from around this graph; a constant is one here too."""
        if constant is not None:
            return self._fix(constant)
        if outside not in self._captured:
            self._captured[outside] = self._slot()
        return self._captured[outside]

    def _slot(self, value: Value = None) -> Slot:
        self._template.append(value)
        return len(self._template) - 1

    def _fix(self, value: Value) -> Slot:
        slot = self._slot(value)
        self.constants[slot] = value
        return slot

    def _initialize(self, name: str, value: Value, env: _Environment) -> None:
        if name in env.slots:  # an input too, which may be given
            self._template[env.slots[name]] = value
        else:
            env.slots[name] = self._fix(value)

    def _nodes(self, nodes: Iterable[onnx.NodeProto], env: _Environment) -> None:
        for node in nodes:
            self._node(with_short_domain(node), env)

    def _node(self, proto: onnx.NodeProto, env: _Environment) -> None:
        label = described(proto)
        inputs = [env.find(name, label) for name in proto.input]
        version = env.opsets.get(proto.domain)
        function = called_function(proto, env.library, version)
        if function is not None:
            key = function_key(proto)
            if key in env.calls:
                message = (
                    f"expected functions that do not call themselves (got {proto.op_type}, which does, by itself or "
                    "by others); export the model again"
                )
                raise ModelError(message)
            self._call(function, proto, inputs, env, env.library, env.calls | {key})
            return
        if version is None:
            message = (
                f"expected an opset import for the domain {proto.domain or 'ai.onnx'!r} of {label} "
                f"(got imports of {', '.join(map(repr, env.opsets)) or 'none'}); export the model again"
            )
            raise ModelError(message)
        if proto.op_type == "Constant" and not proto.domain and (value := constant_of(proto)) is not None:
            env.slots[proto.output[0]] = self._fix(value)
            return
        planning = _Planning(env)
        node = Node(
            proto=proto,
            opsets=env.opsets,
            attributes=attributes_of(proto),
            constants=[self.constants.get(slot) for slot in inputs],
            planning=planning,
        )
        operation = _operation(node)
        if isinstance(operation, onnx.FunctionProto):
            self._call(operation, proto, inputs, env, {}, frozenset())
            return
        outputs = tuple(self._slot() for _ in proto.output or ("",))
        self._steps.append(Step(operation, (*inputs, *planning.captured), outputs, label))
        env.slots.update((name, slot) for name, slot in zip(proto.output, outputs, strict=False) if name)

    def _call(
        self,
        function: onnx.FunctionProto,
        node: onnx.NodeProto,
        inputs: Sequence[Slot],
        env: _Environment,
        library: Library,
        calls: frozenset[FunctionKey],
    ) -> None:
        """Put the body of a function in place of a node that calls it."""
        if len(inputs) > len(function.input):
            message = (
                f"expected at most {len(function.input)} inputs for {described(node)} (got {len(inputs)}); "
                "call the function as it is defined"
            )
            raise ModelError(message)
        # Inputs left out at the end are None, as those left out in the middle are.
        slots = dict.fromkeys(function.input, LEFT_OUT) | dict(zip(function.input, inputs, strict=False))
        inner = _Environment(self, opset_versions(function.opset_import), library, calls, slots=slots)
        self._nodes(bound_function(function, node).node, inner)
        for name, given in zip(function.output, node.output, strict=False):
            if given:
                env.slots[given] = inner.find(name, f"the output of function {function.name!r}")


class _Planning:
    """Plans the graphs of one node, and remembers what they capture."""

    def __init__(self, env: _Environment) -> None:
        self._env = env
        self.captured: list[Slot] = []

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        env, draft = self._env, _Draft()
        plan = draft.graph(graph, _Environment(draft, env.opsets, env.library, env.calls, outer=env))
        self.captured.extend(draft.captured)
        return Subgraph(plan.run, len(draft.captured))

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        return plan_graph(graph, self._env.opsets, self._env.library).run

    def function(self, function: onnx.FunctionProto) -> Run:
        plan = _Draft().function(function)
        # Inputs left out at the end are None here too.
        return lambda inputs: plan.run([*inputs, *[None] * (len(plan.inputs) - len(inputs))])


def _operation(node: Node) -> Operation | onnx.FunctionProto:
    """What the node does, or the function that says so."""
    own = IMPLEMENTATIONS.get((node.proto.domain, node.proto.op_type), lambda _: None)
    for implementation in (own, reference_implementation, schema_body, typed_function):
        found = implementation(node)
        if found is not None:
            return found
    message = (
        f"expected operators of ONNX or functions of the model (got {node.proto.op_type!r} of the domain "
        f"{node.proto.domain or 'ai.onnx'!r}, version {node.version}); export without it"
    )
    raise UnsupportedModelError(message)
