"""Where a value comes from, seen through the nodes that only pass it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onnx import NodeProto

from ..expressions.passing import passes_on
from ..expressions.rules import recognized
from ..graph.domains import canonical_domain
from ..graph.scopes import Made, Scope, Value
from ..graph.walk import attribute_of
from ..operators.table import unquantized
from .family import MICROSOFT, ML

_NUMBERED = {1: "SOFTMAX", 3: "SOFTMAX_ZERO"}
"""What TreeEnsemble calls by a number."""


def sources(
    scope: Scope, name: str, passing: Callable[[Scope, NodeProto], bool] = passes_on
) -> Iterator[Made | None]:
    """
    Yield the nodes that a value may come from, seen through ``passing`` nodes, calls and branches.

    None stands for an input of the graph, a constant, or whatever is not made by a node.
    """
    seen: set[tuple[int, int, int]] = set()
    waiting = [Value(scope, name)]
    while waiting:
        value = waiting.pop()
        made = value.scope.maker(value.name)
        if made is None:
            yield None
            continue
        # A model that is not sorted, or not valid, may go in circles.
        key = id(made.scope), id(made.node), made.output
        if key in seen:
            continue
        seen.add(key)
        inner = made.within()
        if inner:
            waiting.extend(inner)
        elif made.output == 0 and made.node.input and passing(made.scope, made.node):
            waiting.append(Value(made.scope, made.node.input[0]))
        else:
            yield made


def probabilities_from(made: Made) -> str | None:
    """Return how to name a node whose output sums to one over an axis, None for any other node."""
    node, domain = made.node, canonical_domain(made.node.domain)
    if domain in {"", MICROSOFT} and unquantized(node.op_type, domain) == "Softmax" and made.output == 0:
        return node.op_type
    found = recognized(node, made.scope, closed=False)
    if found is not None and found.fused.op_type == "Softmax":
        return "a spelled-out Softmax that ends in"
    if domain == ML and made.output == int(node.op_type.endswith("Classifier")):
        transform = attribute_of(node, "post_transform")
        said = (
            None
            if transform is None
            else transform.s.decode("utf-8", "replace") or _NUMBERED.get(transform.i)
        )
        if said in {"SOFTMAX", "SOFTMAX_ZERO"}:
            return f"{node.op_type} with post_transform={said}"
    return None
