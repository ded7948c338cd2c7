"""What is found: nodes that are computed as one, and nodes that nearly are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto

from ..graph.scopes import Scope

Function = Callable[..., Any]
"""Takes the inputs of a fusion; gives its outputs, or None for arrays that it does not take."""


@dataclass(frozen=True)
class Fusion:
    """
    Nodes that are computed as one.

    Attributes
    ----------
    kind
        Such as ``"attention"``.
    nodes
        In the order of the graph; the last one gives what is read of them.
    inputs
        The names of what `run` takes.
    run
        Gives what the last node gives, several outputs in a tuple, or None where the nodes are to be run one by one.
    columns
        Constant matrices among the inputs that are to lie column by column.
    """

    kind: str
    nodes: tuple[NodeProto, ...]
    inputs: tuple[str, ...]
    run: Function
    columns: tuple[str, ...] = ()

    @property
    def root(self) -> NodeProto:
        """The node that gives the result."""
        return self.nodes[-1]


@dataclass(frozen=True)
class NearMiss:
    """Nodes that look like a fusion and are none: its kind, the nodes, and the reason."""

    kind: str
    nodes: tuple[NodeProto, ...]
    reason: str

    @property
    def root(self) -> NodeProto:
        """The node that gives the result."""
        return self.nodes[-1]


Finding = Fusion | NearMiss | None


def fused(
    kind: str, nodes: Iterable[NodeProto], inputs: Iterable[str], run: Function, scope: Scope
) -> Fusion | NearMiss:
    """Return the fusion, or why these nodes are none: a value inside is asked for, or they are not in order."""
    inside = in_order(nodes, scope)
    reason = asked_for(inside, scope)
    if reason is not None:
        return NearMiss(kind, inside, reason)
    return Fusion(kind, inside, tuple(inputs), run)


def in_order(nodes: Iterable[NodeProto], scope: Scope) -> tuple[NodeProto, ...]:
    """The nodes, each once, in the order of the graph."""
    given = {id(node) for node in nodes}
    return tuple(node for node in scope.nodes if id(node) in given)


def asked_for(nodes: tuple[NodeProto, ...], scope: Scope) -> str | None:
    """Why a value inside is needed by itself: it is an output, or read elsewhere; None where it is not."""
    inside = {id(node) for node in nodes}
    for node in nodes[:-1]:
        for name in filter(None, node.output):
            if name in scope.outputs:
                return f"{name!r} inside is also an output"
            readers = scope.consumers.get(name, [])
            if any(id(reader) not in inside for reader in readers):
                other = next(reader for reader in readers if id(reader) not in inside)
                return f"{name!r} inside is also read by {other.name or other.op_type}"
    return None
