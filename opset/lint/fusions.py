"""Which nodes of a model our backend computes as one, and which nearly: what `softops inspect --fusions` shows."""

from __future__ import annotations

from dataclasses import dataclass

from ..fusions.fusion import NearMiss
from ..fusions.table import findings
from ..graph.checker import plainly_named
from ..graph.model import ModelSource, load_model
from .calls import Calls, label_of


@dataclass(frozen=True)
class FusionRecord:
    """
    Nodes that the backend computes as one, or would but for a reason.

    Attributes
    ----------
    kind
        Such as ``"attention"``.
    nodes
        The nodes, in order, by name, or by what they make where they have none.
    operators
        Theirs.
    where
        The graph, subgraph or call they stand in.
    reason
        Why they are not computed as one; None where they are.
    """

    kind: str
    nodes: tuple[str, ...]
    operators: tuple[str, ...]
    where: str
    reason: str | None


def fusions_of(model: ModelSource) -> tuple[FusionRecord, ...]:
    """
    Return what `softops.opset.backend.prepare` computes as one, in subgraphs and functions too, then the near misses.

    What only the arrays of a run can tell counts as it is likely: the backend runs node by node where it is otherwise.

    Raises
    ------
    ModelError
        Not an ONNX model.
    """
    proto = load_model(model, external_data=False, any_functions=True)
    calls = Calls(plainly_named(proto), overridable=True)
    scopes = {id(scope): scope for scope, _ in calls}
    records = {
        FusionRecord(
            found.kind,
            tuple(map(label_of, found.nodes)),
            tuple(node.op_type for node in found.nodes),
            scope.where,
            found.reason if isinstance(found, NearMiss) else None,
        ): None
        for scope in scopes.values()
        for found in findings(scope)
    }
    return tuple(sorted(records, key=lambda record: record.reason is not None))
