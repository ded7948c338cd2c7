"""
From a graph to a `Plan`: each node gets its work, each value its slot, each function call is put in place.

An operator's version is the one that the opset imports of the model, or of the function it stands in, say; so
it is in If, Loop and Scan too. Where a function of the model is named like an operator that ONNX has at that
version, the operator is meant: ONNX leaves it open, and onnxruntime reads it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from ..errors import ModelError, UnsupportedModelError
from ..graph.domains import is_of_onnx, opset_versions
from ..graph.functions import FunctionKey, bound_function, function_key
from ..graph.tensors import array_of, constant_of, dense_array_of
from ..nodes import control
from ..nodes.fallback import reference_run
from ..nodes.family import family_work
from ..nodes.image import IMAGES
from ..nodes.math import MATH
from ..nodes.ml import CLASSICAL
from ..nodes.node import Maker, Spot, attributes_of, described, with_short_domain
from ..nodes.plan import LEFT_OUT, Entry, Plan, Work
from ..nodes.schema_functions import TypedFunction, static_body
from ..nodes.shape import SHAPES
from ..operators.table import is_known, operator

_NATIVE: dict[str, dict[str, Maker]] = {"": {**IMAGES, **MATH, **SHAPES}, "ai.onnx.ml": CLASSICAL}

Library = Mapping[FunctionKey, onnx.FunctionProto]


@dataclass
class _Scope:
    """Where a node's names are looked up, and what its operators and functions mean."""

    opsets: dict[str, int]
    library: Library
    calls: frozenset[FunctionKey] = frozenset()
    """The functions whose bodies it stands in."""
    slots: dict[str, int] = field(default_factory=dict)


class Planner:
    """
    Plans one graph; graphs inside it get planners of their own, which ask this one for the names they lack.

    Parameters
    ----------
    opsets
        Version by domain.
    library
        The model's functions.
    """

    def __init__(self, opsets: dict[str, int], library: Library, outer: tuple[Planner, _Scope] | None = None):
        self._scope = _Scope(opsets, library, outer[1].calls if outer else frozenset())
        self._outer = outer
        self._template: list[Any] = [None]
        self._fixed: dict[int, Any] = {}
        self._entries: list[Entry] = []
        self._captured: dict[str, tuple[int, int]] = {}  # name → slot outside, slot here

    def graph(self, graph: onnx.GraphProto) -> Plan:
        """
        Plan a graph; its inputs come first, then what it takes from around it (see `captured`).

        Raises
        ------
        ModelError
            A name that nothing makes, a broken tensor, a function that calls itself.
        UnsupportedModelError
            An operator that nobody here can run.
        UnknownOpsetError
            An operator that does not exist yet at its opset.
        """
        slots = self._scope.slots
        for value in graph.input:
            slots[value.name] = self._slot()
        for tensor in graph.initializer:
            self._initialize(tensor.name, array_of(tensor))
        for sparse in graph.sparse_initializer:
            self._initialize(sparse.values.name, dense_array_of(sparse))
        self._nodes(graph.node, self._scope)
        outputs = tuple(self._find(value.name, self._scope, "the graph's outputs") for value in graph.output)
        inputs = [slots[value.name] for value in graph.input]
        inputs += [inside for _, inside in self._captured.values()]
        return Plan(self._template, tuple(inputs), outputs, self._entries)

    def function(self, function: onnx.FunctionProto) -> Plan:
        """Plan a function's body."""
        inputs = {name: self._slot() for name in function.input}
        scope = _Scope(opset_versions(function.opset_import), self._scope.library, slots=dict(inputs))
        self._nodes(function.node, scope)
        outputs = tuple(self._find(name, scope, function.name) for name in function.output)
        return Plan(self._template, tuple(inputs.values()), outputs, self._entries)

    @property
    def captured(self) -> tuple[int, ...]:
        """Slots of the planner outside whose values this graph takes."""
        return tuple(outside for outside, _ in self._captured.values())

    def _slot(self, value: Any = None) -> int:
        self._template.append(value)
        return len(self._template) - 1

    def _initialize(self, name: str, value: Any) -> None:
        if name in self._scope.slots:  # an input too, which may be given
            self._template[self._scope.slots[name]] = value
        else:
            self._scope.slots[name] = self._fix(value)

    def _fix(self, value: Any) -> int:
        slot = self._slot(value)
        self._fixed[slot] = value
        return slot

    def _find(self, name: str, scope: _Scope, reader: str) -> int:
        if not name:
            return LEFT_OUT
        found = scope.slots.get(name)
        if found is None and scope is self._scope:
            found = self._capture(name)
        if found is None:
            message = (
                f"expected a value named {name!r} before {reader} reads it (got none: nothing makes it, or only "
                "a later node does, or nodes wait for each other in a circle); sort the nodes, or export again"
            )
            raise ModelError(message)
        return found

    def _capture(self, name: str) -> int | None:
        if name in self._captured:
            return self._captured[name][1]
        if self._outer is None:
            return None
        planner, scope = self._outer
        outside = scope.slots.get(name)
        if outside is None and scope is planner._scope:
            outside = planner._capture(name)
        if outside is None:
            return None
        fixed = planner._fixed.get(outside)
        inside = self._slot() if fixed is None else self._fix(fixed)
        if fixed is None:
            self._captured[name] = (outside, inside)
        else:
            self._scope.slots[name] = inside
        return inside

    def _nodes(self, nodes: Iterable[onnx.NodeProto], scope: _Scope) -> None:
        for node in nodes:
            self._node(with_short_domain(node), scope)

    def _node(self, node: onnx.NodeProto, scope: _Scope) -> None:
        label = described(node)
        inputs = [self._find(name, scope, label) for name in node.input]
        key = function_key(node)
        version = scope.opsets.get(node.domain)
        if key in scope.library and not is_of_onnx(node, version or 1):
            if key in scope.calls:
                message = (
                    f"expected functions that do not call themselves (got {node.op_type}, which does, by itself or "
                    "by others); export the model again"
                )
                raise ModelError(message)
            self._call(scope.library[key], node, inputs, scope.library, scope, scope.calls | {key})
            return
        if version is None:
            message = (
                f"expected an opset import for the domain {node.domain or 'ai.onnx'!r} of {label} "
                f"(got imports of {', '.join(map(repr, scope.opsets)) or 'none'}); export the model again"
            )
            raise ModelError(message)
        if node.op_type == "Constant" and not node.domain and (value := constant_of(node)) is not None:
            scope.slots[node.output[0]] = self._fix(value)
            return
        work, captured = self._work(node, version, inputs, scope)
        if isinstance(work, onnx.FunctionProto):
            self._call(work, node, inputs, {}, scope, frozenset())
            return
        outputs = tuple(self._slot() for _ in node.output)
        self._entries.append(Entry(work, (*inputs, *captured), outputs, label))
        scope.slots.update((name, slot) for name, slot in zip(node.output, outputs, strict=True) if name)

    def _call(
        self,
        function: onnx.FunctionProto,
        node: onnx.NodeProto,
        inputs: list[int],
        library: Library,
        scope: _Scope,
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
        inner = _Scope(opset_versions(function.opset_import), library, calls, slots)
        self._nodes(bound_function(function, node).node, inner)
        for name, given in zip(function.output, node.output, strict=False):
            if given:
                scope.slots[given] = self._find(name, inner, f"the output of function {function.name!r}")

    def _work(
        self, node: onnx.NodeProto, version: int, inputs: list[int], scope: _Scope
    ) -> tuple[Work | onnx.FunctionProto, tuple[int, ...]]:
        """What the node does, or the function that says so; and the slots that its subgraphs take."""
        if not node.domain and node.op_type in ("If", "Loop", "Scan"):
            return self._control(node, version, scope)
        spot = Spot(
            node=node,
            version=version,
            attributes=attributes_of(node),
            constants=[self._fixed.get(slot) for slot in inputs],
        )
        if is_known(node.op_type, node.domain):
            return family_work(operator(node.op_type, version, node.domain), spot), ()
        native = _NATIVE.get(node.domain, {}).get(node.op_type)
        if native is not None and (work := native(spot)) is not None:
            return work, ()
        return self._reference(node, version, scope)

    def _control(self, node: onnx.NodeProto, version: int, scope: _Scope) -> tuple[Work, tuple[int, ...]]:
        graphs = {a.name: a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH}
        wanted = ("then_branch", "else_branch") if node.op_type == "If" else ("body",)
        if missing := [name for name in wanted if name not in graphs]:
            message = (
                f"expected the graph {missing[0]!r} in {described(node)} (got none); export the model again"
            )
            raise ModelError(message)
        attributes, count = attributes_of(node), len(node.input)
        if node.op_type != "If":
            scanned = attributes.get("num_scan_inputs")
            control.check_body(graphs["body"], count, scanned, version, described(node))
        plans, captured = [], []
        for name in wanted:
            plan, slots = self._subgraph(graphs[name], scope)
            plans.append(plan)
            captured.append(slots)
        if node.op_type == "If":
            return control.if_work(plans[0], plans[1], len(captured[0])), captured[0] + captured[1]
        if node.op_type == "Loop":
            return control.loop_work(plans[0], graphs["body"], count), captured[0]
        make = control.scan_work if version >= control.SCAN_WITHOUT_BATCH else control.batched_scan_work
        return make(plans[0], graphs["body"], attributes, count), captured[0]

    def _subgraph(self, graph: onnx.GraphProto, scope: _Scope) -> tuple[Plan, tuple[int, ...]]:
        planner = Planner(scope.opsets, scope.library, (self, scope))
        return planner.graph(graph), planner.captured

    def _reference(
        self, node: onnx.NodeProto, version: int, scope: _Scope
    ) -> tuple[Work | onnx.FunctionProto, tuple[int, ...]]:
        run = reference_run(node, version, scope.opsets, lambda graph: _Body(graph, scope))
        if run is not None:
            return Work(run=run, many=True), ()
        if (body := static_body(node, version)) is not None:
            return body, ()
        if (typed := TypedFunction.of(node, version, _plan_function)) is not None:
            return Work(run=typed.run, many=True), ()
        message = (
            f"expected operators of ONNX or functions of the model (got {node.op_type!r} of the domain "
            f"{node.domain or 'ai.onnx'!r}, version {version}); export without it"
        )
        raise UnsupportedModelError(message)


class _Body:
    """A graph among a node's attributes, as onnx's reference implementations run it."""

    has_linked_attribute = False

    def __init__(self, graph: onnx.GraphProto, scope: _Scope) -> None:
        self.input_names = [value.name for value in graph.input]
        self.output_names = [value.name for value in graph.output]
        self._plan = Planner(scope.opsets, scope.library).graph(graph)

    def run(self, _: Any, feeds: Mapping[str, Any], **__: Any) -> list[Any]:
        return self._plan.run([feeds[name] for name in self.input_names])


def _plan_function(function: onnx.FunctionProto) -> Plan:
    return Planner({}, {}).function(function)
