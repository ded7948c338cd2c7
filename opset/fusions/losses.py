"""LogSoftmax followed by NegativeLogLikelihoodLoss: the cross entropy of the logits."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from ..graph.scopes import Scope
from ..operators.table import operator
from .fusion import Finding, fused
from .reading import attribute, made_by
from .softmax import softmax_node, spelled_out

_KIND = "cross entropy"


def find_cross_entropy(root: NodeProto, scope: Scope) -> Finding:
    """The log-probabilities of all classes are never stored."""
    if made_by(root.output[0], scope, "NegativeLogLikelihoodLoss") is None:
        return None
    maker = scope.producers.get(root.input[0])
    log = None if maker is None else softmax_node(maker, scope) or spelled_out(maker, scope)
    if log is None or log.kernel != "log_softmax":
        return None
    attributes = {
        name: value
        for name in ("ignore_index", "reduction")
        if (value := attribute(root, name, None)) is not None
    }
    loss = operator("SoftmaxCrossEntropyLoss", scope.opset).bound(attributes)

    def run(x: Any, *labels_and_weights: Any) -> Any:
        if x.ndim < 2 or log.axis(x.ndim) != 1:
            return None
        try:
            return loss(x, *labels_and_weights)[0]
        except (TypeError, ValueError):  # the nodes say it in their own names
            return None

    return fused(_KIND, (*log.nodes, root), (log.x, *root.input[1:]), run, scope)
