"""What makes a graph invalid: values that nothing makes, circles, nodes out of order, opsets that contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from onnx import NodeProto

from ..graph.domains import canonical_domain
from ..graph.scopes import Scope
from ..graph.walk import names_read
from .calls import label_of
from .family import since_version
from .warning import Finding

# Of a circle as many nodes are named as one can take in.
_NAMED = 5


def _other_opset(scope: Scope, model_opsets: Mapping[str, int]) -> Iterator[Finding]:
    """The first node of a function that the model's opset reads otherwise."""
    # Of FunctionProto.opset_import onnx.proto says that versions may differ from the model's, but that every
    # node of the function must have the same schema by both.
    own, outside = scope.opsets.get(""), model_opsets.get("")
    if own is None or outside is None or own == outside:
        return
    for node in scope.nodes:
        if canonical_domain(node.domain):
            continue
        meant, read = (since_version(node.op_type, opset) for opset in (own, outside))
        if meant != read:
            yield Finding(
                f"the function imports ai.onnx {own}, which has {node.op_type}-{meant}, the model {outside}, "
                f"which has {node.op_type}-{read}: ONNX wants them the same, and onnxruntime takes the model's",
                f"`softops convert --opset {outside}` brings the function to the model's opset, with the meaning "
                "that it has by its own",
                at=(scope, node),
            )
            return


def _named_twice(scope: Scope, model_opsets: Mapping[str, int]) -> Iterator[Finding]:
    """The first node that has the name of one before it; graphs inside one another may share names."""
    names: set[str] = set()
    for node in scope.nodes:
        if node.op_type == "Constant":
            continue  # which onnxruntime takes for initializers
        if node.name and node.name in names:
            said = f"another node of {scope.where} is called '{node.name}' as well: onnxruntime refuses the model"
            yield Finding(said, "give each node a name of its own, or none", "error", (scope, node))
            return
        names.add(node.name)


def _faults(scope: Scope, model_opsets: Mapping[str, int]) -> Iterator[Finding]:
    """At most one of each kind, about the first node that has it."""
    again = "export the model again"
    for node in scope.nodes:
        missing = next((name for name in node.input if name and not scope.sees(name)), None)
        if missing is not None:
            yield Finding(f"it reads '{missing}', which nothing makes", again, "error", (scope, node))
            break
    late = _out_of_order(scope)
    if not late:
        return
    circle = _circle(scope)
    if circle:
        names = [f"'{label_of(node)}'" for node in circle]
        more = "" if len(names) <= _NAMED else f" and {len(names) - _NAMED} more"
        said = f"nodes wait for each other in a circle: {', '.join(names[:_NAMED])}{more}"
        yield Finding(said, again, "error", (scope, circle[0]))
        return
    node, name = late
    said = f"it reads '{name}' before the node that makes it: onnxruntime sorts the nodes itself, others refuse them"
    yield Finding(said, "sort the nodes, so that each comes after those it reads from", at=(scope, node))


def _out_of_order(scope: Scope) -> tuple[NodeProto, str] | None:
    """The first node that reads what only comes after it, and what that is."""
    made: set[str] = set()
    for node in scope.nodes:
        late = next((name for name in names_read(node) if name in scope.producers and name not in made), None)
        if late is not None:
            return node, late
        made.update(node.output)
    return None


def _circle(scope: Scope) -> list[NodeProto]:
    """The nodes of one circle, in the order of their values; none where the nodes can be sorted."""
    nodes = {id(node): node for node in scope.nodes}
    waits = {
        key: [id(scope.producers[name]) for name in names_read(node) if name in scope.producers]
        for key, node in nodes.items()
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        _, *circle = error.args[1]  # its first node stands at its end as well
        return [nodes[key] for key in circle]
    return []


OF_SCOPES: dict[str, Callable[[Scope, Mapping[str, int]], Iterator[Finding]]] = {
    "function-opset": _other_opset,
    "invalid": _faults,
    "duplicate-name": _named_twice,
}
"""What is asked about each graph and function, beside the opsets of the model, by the code of the warning."""
