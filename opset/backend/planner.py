"""
From a graph to a `Plan`: each node gets its operation, each value its slot, each function call is put in place.

An operator's version is the one that the opset imports of the model, or of the function it stands in, say; so
it is in If, Loop and Scan too. What `fusions` finds in a graph or in the body of a function becomes one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from ..errors import ModelError
from ..fusions.fusion import Fusion
from ..fusions.table import fusions
from ..graph.domains import opset_versions
from ..graph.functions import Library, bound_function, called_function
from ..graph.scopes import Scope
from ..graph.scopes import Value as Argument
from ..graph.tensors import array_of, constant_of, dense_array_of
from ..implementations.choice import operation_of
from ..nodes.node import (
    Function,
    Node,
    Operation,
    Run,
    Subgraph,
    Value,
    attributes_of,
    described,
    with_short_domain,
)
from .draft import Draft, Environment
from .plan import LEFT_OUT, Plan, Slot, Step

_VIEWS = ("Identity", "Transpose")
"""What gives a constant for a constant, without a copy."""


def plan_graph(
    graph: onnx.GraphProto, opsets: dict[str, int], library: Library, *, fuse: bool = False
) -> Plan:
    """
    Plan a graph that takes nothing from around it.

    Parameters
    ----------
    opsets
        Version by domain.
    library
        The model's functions.
    fuse
        Whether nodes may be computed as one (see `fusions`).

    Raises
    ------
    ModelError
        A name that nothing makes, a broken tensor.
    UnsupportedModelError
        An operator that nobody here can run.
    UnknownOpsetError
        An operator that does not exist yet at its opset.
    """
    scope = Scope(graph, opsets) if fuse else None
    return _graph(graph, Environment(Draft(), opsets, library, scope=scope))


def _graph(graph: onnx.GraphProto, env: Environment) -> Plan:
    """Plan a graph; its inputs come first, then what it takes from around it."""
    draft = env.draft
    inputs = [draft.slot() for _ in graph.input]
    env.slots.update((value.name, slot) for value, slot in zip(graph.input, inputs, strict=True))
    for tensor in graph.initializer:
        env.initialize(tensor.name, array_of(tensor))
    initializers = {tensor.name: env.slots[tensor.name] for tensor in graph.initializer}
    for sparse in graph.sparse_initializer:
        env.initialize(sparse.values.name, dense_array_of(sparse))
    _add_nodes(graph.node if env.scope is None else env.scope.nodes, env)
    outputs = [env.find(value.name, "the graph's outputs") for value in graph.output]
    return Plan(
        draft.template, [*inputs, *draft.captured.values()], outputs, draft.steps, initializers=initializers
    )


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
    """Add the nodes of a body; where it has a scope, these are the scope's own."""
    found = [] if env.scope is None else fusions(env.scope)
    roots = {id(fusion.root): fusion for fusion in found}
    inside = {id(node) for fusion in found for node in fusion.nodes}
    for node in nodes:
        if id(node) in roots:
            _add_fusion(roots[id(node)], env)
        elif id(node) not in inside:
            _add_node(with_short_domain(node), env)


def _add_fusion(fusion: Fusion, env: Environment) -> None:
    """One step for all nodes, which still run one by one where the arrays are none that the fusion takes."""
    for name in fusion.columns:
        env.draft.lay_out_by_columns(env.find(name, fusion.kind))
    draft = Draft()
    apart = Environment(draft, env.opsets, env.library, outer=env)
    for node in fusion.nodes:
        _add_node(with_short_domain(node), apart)
    names = fusion.root.output
    plan = Plan(
        draft.template, list(draft.captured.values()), [apart.slots[n] for n in names if n], draft.steps
    )
    label = ", ".join(map(described, fusion.nodes))
    inputs = [env.find(name, label) for name in fusion.inputs]
    run, count = fusion.run, len(inputs)
    many = len(names) > 1

    def together(*values: Value) -> Value:
        made = run(*values[:count])
        if made is not None:
            return made
        apart = plan.run(values[count:])
        return apart if many else apart[0]

    outputs = tuple(env.draft.slot() for _ in names)
    fresh = draft.steps[-1].operation.fresh
    operation = (
        Operation(together, many=True, fresh=fresh, plain_errors=True) if many else _finished(together, fresh)
    )
    env.draft.steps.append(Step(operation, (*inputs, *draft.captured), outputs, label))
    env.slots.update(zip(names, outputs, strict=True))


def _finished(run: Function, fresh: bool, *finishes: Function) -> Operation:
    """An operation of one output, which others may finish in place where it is fresh."""

    def finished(*values: Value) -> Value:
        y = run(*values)
        for finish in finishes:
            y = finish(y)
        return y

    followed_by = (lambda finish: _finished(run, fresh, *finishes, finish)) if fresh else None
    return Operation(finished if finishes else run, fresh=fresh, followed_by=followed_by, plain_errors=True)


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
    if not proto.domain and proto.op_type in _VIEWS and (held := node.fixed(0)) is not None:
        try:
            env.slots[proto.output[0]] = env.draft.fix(operation.run(held))
        except ValueError:  # said when it is run
            pass
        else:
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
    opsets, bound = opset_versions(function.opset_import), bound_function(function, node)
    scope = None if env.scope is None else _scope_of_call(bound, node, opsets, env.scope)
    inner = Environment(env.draft, opsets, library, slots=slots, scope=scope)
    _add_nodes(bound.node if scope is None else scope.nodes, inner)
    for name, given in zip(function.output, node.output, strict=False):
        if given:
            env.slots[given] = inner.find(name, f"the output of function {function.name!r}")


def _scope_of_call(
    function: onnx.FunctionProto, call: onnx.NodeProto, opsets: dict[str, int], caller: Scope
) -> Scope:
    arguments = {
        inner: Argument(caller, given)
        for inner, given in zip(function.input, call.input, strict=False)
        if given
    }
    return Scope(function, opsets, arguments=arguments)


class _Planning:
    """Plans the graphs of one node, and remembers what they capture."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self.captured: list[Slot] = []

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        env, draft = self._env, Draft()
        scope = None if env.scope is None else Scope(graph, env.opsets, parent=env.scope)
        plan = _graph(graph, Environment(draft, env.opsets, env.library, outer=env, scope=scope))
        self.captured.extend(draft.captured)
        return Subgraph(plan.run, len(draft.captured))

    def closed_graph(self, graph: onnx.GraphProto) -> Run:
        return plan_graph(graph, self._env.opsets, self._env.library).run

    def function(self, function: onnx.FunctionProto) -> Run:
        return plan_function(function)
