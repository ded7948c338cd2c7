"""Heads that do not lie in the main graph: in the branches of an If, or in a function of the model."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import GraphProto, NodeProto, TypeProto, helper

from softops.opset.graph.by_onnx import inline
from softops.opset.graph.domains import imported_opset
from softops.opset.graph.functions import called_function, functions_by_key
from softops.opset.graph.scopes import Scope
from softops.opset.graph.walk import dead_values, names_read, remove_dead, subgraphs

from .chains import Chain, Heads
from .opened import OpenModel, opened_copy


@dataclass(frozen=True)
class Head:
    """
    What stands before an output.

    Attributes
    ----------
    chains
        One chain, or one for each branch of the If that makes the output.
    scopes
        The graph that each of them stands in.
    branching, position
        That If, None where the head lies in the main graph, and which of its outputs it is.
    """

    chains: tuple[Chain, ...]
    scopes: tuple[Scope, ...]
    branching: NodeProto | None = None
    position: int = 0


def head_behind(heads: Heads, output: str) -> Head | None:
    """Return the head before an output, None where there is none for certain; in branches, where each has one."""
    chain = heads.behind(output)
    if chain is not None:
        return Head((chain,), (heads.scope,))
    value, node = heads.end(output)
    if node is None or node.op_type != "If" or node.domain not in ("", "ai.onnx"):
        return None
    position = list(node.output).index(value)
    scopes = tuple(heads.scope.subscopes(node))
    if any(len(scope.body.output) <= position for scope in scopes):
        return None
    found = [Heads(scope).behind(_name(scope, position)) for scope in scopes]
    chains = tuple(chain for chain in found if chain is not None)
    found_in_all = len(chains) == len(scopes) and all(chain.classifier is None for chain in chains)
    return Head(chains, scopes, node, position) if found_in_all else None


def _name(scope: Scope, position: int) -> str:
    output = scope.body.output[position]
    return output if isinstance(output, str) else output.name


def with_heads_inlined(opened: OpenModel, outputs: list[str]) -> OpenModel:
    """
    Return the model with those functions in the place of their calls that hold the head of one of these outputs.

    The model itself where there are none.
    """
    if not opened.model.functions:
        return opened
    heads = Heads(opened.scope)
    missing = [output for output in outputs if head_behind(heads, output) is None]
    inlined = opened
    for _ in opened.model.functions:
        library = functions_by_key(inlined.model.functions)
        ends = [heads.end(output)[1] for output in missing]
        calls = [node for node in ends if node is not None]
        held = [
            f
            for node in calls
            if (f := called_function(node, library, inlined.scope.opset_of(node))) is not None
        ]
        names = [
            (f.domain, f.name) for f in held if imported_opset(f) in (None, imported_opset(inlined.model))
        ]
        if not names:
            break
        inlined = opened_copy(inline(inlined.model, names), opened.folder)
        heads = Heads(inlined.scope)
    return inlined if any(head_behind(heads, output) is not None for output in missing) else opened


def add_branch_output(opened: OpenModel, head: Head, name: str) -> TypeProto | None:
    """Give the If of a head one more output, the logits of each branch; return its type, None where not known."""
    assert head.branching is not None
    types: list[TypeProto] = []
    for scope, chain in zip(head.scopes, head.chains, strict=True):
        known = scope.type_of(chain.source)
        if known is None or not known.tensor_type.elem_type or not known.tensor_type.HasField("shape"):
            return None
        types.append(known)
        graph = scope.body
        assert isinstance(graph, GraphProto)
        source = opened.scope.names.fresh(f"{name}_of_branch")
        graph.node.append(helper.make_node("Identity", [chain.source], [source], source))
        graph.output.append(helper.make_value_info(source, known))
    first, *others = types
    tensors = [kind.tensor_type for kind in types]
    if len({(tensor.elem_type, len(tensor.shape.dim)) for tensor in tensors}) > 1:
        return None
    head.branching.output.append(name)
    both = TypeProto()
    both.CopyFrom(first)
    for at, dim in enumerate(both.tensor_type.shape.dim):
        if any(other.tensor_type.shape.dim[at] != dim for other in others):
            dim.Clear()
    return both


def prune_branches(opened: OpenModel, branching: NodeProto) -> None:
    """Take out the outputs of an If that nothing reads any longer, and what they alone needed."""
    graph = opened.model.graph
    read = {value.name for value in graph.output} | {name for node in graph.node for name in names_read(node)}
    node = next(n for n in graph.node if n.op_type == "If" and set(n.output) & set(branching.output))
    unread = [at for at, name in enumerate(node.output) if name not in read]
    if len(unread) == len(node.output):
        return
    for branch in subgraphs(node):
        was_dead = dead_values(branch)
        for at in reversed(unread):
            del branch.output[at]
        remove_dead(branch, opened.model.ir_version, was_dead)
    for at in reversed(unread):
        del node.output[at]
