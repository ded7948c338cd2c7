"""What a model declares of its values: types and shapes that its operators contradict, lengths that are none."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto, ModelProto

from ..graph.scopes import Scope
from ..graph.types import contradiction, declared_tensor_types, declared_type
from ..graph.walk import named_subgraphs
from .warning import Finding


def contradicted(model: ModelProto, main: Scope, release: str | None) -> Iterator[Finding]:
    """The values whose operators give another type or shape than is declared, of a value the first declaration."""
    for graph, scope in _pairs(model.graph, main):
        said: set[str] = set()
        for value in (*graph.output, *graph.value_info):
            known, node = scope.value_type(value.name), scope.producers.get(value.name)
            wrong = contradiction(declared_type(value.type), known)
            if wrong is None or node is None or value.name in said:
                continue
            said.add(value.name)
            cure = "declare what it is, or let shape inference find it: remove the declaration"
            if declared_type(value.type).dtype != known.dtype:
                cure = f"declare {known.dtype}, or put a Cast to {declared_type(value.type).dtype} behind it"
            yield Finding(f"'{value.name}' is declared as {wrong}", cure, "error", (scope, node))


def negative_length(model: ModelProto, main: Scope, release: str | None) -> Iterator[Finding]:
    """Declared lengths such as -1, which ONNX does not have."""
    lengths = [dim.dim_value for kind in declared_tensor_types(model) for dim in kind.shape.dim]
    negative = [length for length in lengths if length < 0]
    if negative:
        yield Finding(
            f"{len(negative)} declared dimension{'s are' if len(negative) > 1 else ' is'} of length {min(negative)}: "
            "ONNX has no negative lengths; some runtimes take any length there, as is done here, others refuse it",
            "declare a symbol such as 'N' where any length goes (dim_param in place of dim_value)",
        )


def _pairs(graph: GraphProto, scope: Scope) -> Iterator[tuple[GraphProto, Scope]]:
    """Each graph of the model as it was given, and its scope, whose types are those that are known."""
    waiting = [(graph, scope)]
    while waiting:
        given, here = waiting.pop()
        yield given, here
        for before, node in zip(given.node, here.nodes, strict=True):
            inner = here.inner.get(id(node), {})
            waiting += [(body, inner[name]) for name, body in named_subgraphs(before) if name in inner]
