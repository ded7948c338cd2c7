"""
From a graph to a `Plan`: each node gets its operation, each value its slot, each function call is put in place.

An operator's version is the one that the opset imports of the model, or of the function it stands in, say; so
it is in If, Loop and Scan too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from ..errors import ModelError
from ..graph.domains import opset_versions
from ..graph.functions import Library, bound_function, called_function
from ..graph.tensors import array_of, constant_of, dense_array_of
from ..implementations.choice import operation_of
from ..nodes.node import Node, Run, Subgraph, attributes_of, described, with_short_domain
from .draft import Draft, Environment
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
        A name that nothing makes, a broken tensor.
    UnsupportedModelError
        An operator that nobody here can run.
    UnknownOpsetError
        An operator that does not exist yet at its opset.
    """
    return _graph(graph, Environment(Draft(), opsets, library))


def _graph(graph: onnx.GraphProto, env: Environment) -> Plan:
    """Plan a graph; its inputs come first, then what it takes from around it."""
    draft = env.draft
    inputs = [draft.slot() for _ in graph.input]
    env.slots.update((value.name, slot) for value, slot in zip(graph.input, inputs, strict=True))
    for tensor in graph.initializer:
        env.initialize(tensor.name, array_of(tensor))
    for sparse in graph.sparse_initializer:
        env.initialize(sparse.values.name, dense_array_of(sparse))
    _add_nodes(graph.node, env)
    outputs = [env.find(value.name, "the graph's outputs") for value in graph.output]
    return Plan(draft.template, [*inputs, *draft.captured.values()], outputs, draft.steps)


def plan_function(function: onnx.FunctionProto) -> Run:
    """Plan a function's body; inputs left out at the end are None."""
    draft = Draft()
    inputs = [draft.slot() for _ in function.input]
    slots = dict(zip(function.input, inputs, strict=True))
    env = Environment(draft, opset_versions(function.opset_import), {}, slots=slots)
    _add_nodes(function.node, env)
    outputs = [env.find(name, function.name) for name in function.output]
    plan = Plan(draft.template, inputs, outputs, draft.steps)
    return lambda values: plan.run([*values, *[None] * (len(inputs) - len(values))])


def _add_nodes(nodes: Iterable[onnx.NodeProto], env: Environment) -> None:
    for node in nodes:
        _add_node(with_short_domain(node), env)


def _add_node(proto: onnx.NodeProto, env: Environment) -> None:
    label = described(proto)
    inputs = [env.find(name, label) for name in proto.input]
    version = env.opsets.get(proto.domain)
    function = called_function(proto, env.library, version)
    if function is not None:
        _call(function, proto, inputs, env, env.library)
        return
    if version is None:
        message = (
            f"expected an opset import for the domain {proto.domain or 'ai.onnx'!r} of {label} "
            f"(got imports of {', '.join(map(repr, env.opsets)) or 'none'}); export the model again"
        )
        raise ModelError(message)
    if proto.op_type == "Constant" and not proto.domain and (value := constant_of(proto)) is not None:
        env.slots[proto.output[0]] = env.draft.fix(value)
        return
    planning = _Planning(env)
    node = Node(
        proto=proto,
        opsets=env.opsets,
        attributes=attributes_of(proto),
        constants=[env.draft.constants.get(slot) for slot in inputs],
        planning=planning,
    )
    operation = operation_of(node)
    if isinstance(operation, onnx.FunctionProto):
        _call(operation, proto, inputs, env, {})
        return
    outputs = tuple(env.draft.slot() for _ in proto.output or ("",))
    env.draft.steps.append(Step(operation, (*inputs, *planning.captured), outputs, label))
    env.slots.update((name, slot) for name, slot in zip(proto.output, outputs, strict=False) if name)


def _call(
    function: onnx.FunctionProto,
    node: onnx.NodeProto,
    inputs: Sequence[Slot],
    env: Environment,
    library: Library,
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
    inner = Environment(env.draft, opset_versions(function.opset_import), library, slots=slots)
    _add_nodes(bound_function(function, node).node, inner)
    for name, given in zip(function.output, node.output, strict=False):
        if given:
            env.slots[given] = inner.find(name, f"the output of function {function.name!r}")


class _Planning:
    """Plans the graphs of one node, and remembers what they capture."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self.captured: list[Slot] = []

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        env, draft = self._env, Draft()
        plan = _graph(graph, Environment(draft, env.opsets, env.library, outer=env))
        self.captured.extend(draft.captured)
        return Subgraph(plan.run, len(draft.captured))

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        return plan_graph(graph, self._env.opsets, self._env.library).run

    def function(self, function: onnx.FunctionProto) -> Run:
        return plan_function(function)
