"""Nodes that leave the numbers as they are and at most move them."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto

from ..graph.domains import canonical_domain
from ..graph.scopes import Scope
from ..graph.walk import attribute_of

FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
_MOVES = {"Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast"}


def passes_on(scope: Scope, node: NodeProto) -> bool:
    """Whether a node leaves the numbers as they are (but for rounding) and at most moves them."""
    if canonical_domain(node.domain) or node.op_type not in _MOVES:
        return False
    if node.op_type == "Cast":
        to = attribute_of(node, "to")
        return to is None or to.i in FLOATS
    if node.op_type == "Dropout":
        return not _trains(scope, node)
    return True


def _trains(scope: Scope, node: NodeProto) -> bool:
    """Whether a Dropout drops anything, as each version says it."""
    opset = scope.opset_of(node) or 0
    if opset < 7:
        is_test = attribute_of(node, "is_test")
        return is_test is None or not is_test.i
    if len(node.input) < 3 or not node.input[2]:
        return False
    training = scope.array(node.input[2])
    return training is None or bool(np.any(training))
