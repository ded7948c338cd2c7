"""All patterns, and the fusions of a scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onnx import NodeProto

from ..graph.scopes import Scope
from .attention import find_attention
from .fusion import Finding, Fusion, NearMiss
from .layers import find_gelu, find_normalization
from .linear import find_linear, find_linear_head
from .losses import find_cross_entropy
from .softmax import find_log_of_softmax, find_spelled_out

FINDERS: tuple[Callable[[NodeProto, Scope], Finding], ...] = (
    find_attention,
    find_cross_entropy,
    find_log_of_softmax,
    find_spelled_out,
    find_normalization,
    find_gelu,
    find_linear_head,
    find_linear,
)
"""Each is asked of every node; what an earlier one has taken a later one does not get."""


def fusions(scope: Scope) -> list[Fusion]:
    """The fusions of a scope, none of which share a node."""
    return [found for found in findings(scope) if isinstance(found, Fusion)]


def findings(scope: Scope) -> Iterator[Fusion | NearMiss]:
    """Fusions, and near misses whose last node is in no fusion."""
    taken: set[int] = set()
    missed: list[NearMiss] = []
    for finder in FINDERS:
        for root in scope.nodes:
            if id(root) in taken or not root.output or not root.input:
                continue
            found = finder(root, scope)
            if found is None or not taken.isdisjoint(map(id, found.nodes)):
                continue
            if isinstance(found, Fusion):
                if found.root is not root:  # the nodes are out of order, which is said elsewhere
                    continue
                taken.update(map(id, found.nodes))
                yield found
            else:
                missed.append(found)
    yield from (miss for miss in missed if id(miss.root) not in taken)
