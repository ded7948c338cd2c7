"""Where a value comes from, seen through the nodes that only pass it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from onnx import NodeProto, TensorProto

from ..expressions.rules import recognized
from ..graph.domains import canonical_domain
from ..graph.scopes import Made, Scope, Value
from ..graph.walk import attribute_of
from ..operators.table import unquantized
from .family import MICROSOFT, ML, integer

_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
_MOVES = {"Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast"}


def passes_on(scope: Scope, node: NodeProto) -> bool:
    """Whether a node leaves the numbers as they are (but for rounding) and at most moves them."""
    if canonical_domain(node.domain) or node.op_type not in _MOVES:
        return False
    if node.op_type == "Cast":
        return integer(node, "to") in _FLOATS or attribute_of(node, "to") is None
    if node.op_type == "Dropout":
        return not _trains(scope, node)
    return True


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


def _trains(scope: Scope, node: NodeProto) -> bool:
    """Whether a Dropout drops anything, as each version says it."""
    opset = scope.opset_of(node) or 0
    if opset < 7:
        return not integer(node, "is_test", 0)
    if len(node.input) < 3 or not node.input[2]:
        return False
    training = scope.array(node.input[2])
    return training is None or bool(np.any(training))


def probabilities_from(made: Made) -> str | None:
    """Return how to name a node whose output sums to one over an axis, None for any other node."""
    node, domain = made.node, canonical_domain(made.node.domain)
    if domain in {"", MICROSOFT} and unquantized(node.op_type, domain) == "Softmax" and made.output == 0:
        return node.op_type
    found = recognized(node, made.scope, closed=False)
    if found is not None and found.fused.op_type == "Softmax":
        return "a spelled-out Softmax that ends in"
    if domain == ML and made.output == 1 and node.op_type.endswith("Classifier"):
        transform = attribute_of(node, "post_transform")
        if transform is not None and transform.s in {b"SOFTMAX", b"SOFTMAX_ZERO"}:
            return f"{node.op_type} with post_transform={transform.s.decode()}"
    return None
