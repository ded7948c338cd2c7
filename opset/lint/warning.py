"""A warning, and what the rules are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from onnx import NodeProto

from ..graph.scopes import Scope
from .family import NodeRecord

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class LintWarning:
    """
    One thing to look at in a model.

    Attributes
    ----------
    code
        Stable name of the kind of warning, such as ``"flatten-rule"``.
    severity
        ``"error"`` where a runtime will refuse the model or the model contradicts itself, ``"warning"`` where it
        will run as it is read.
    node, where
        The node and the place it stands in, as in its `NodeRecord`; None for the model as a whole.
    message
        What is there and what it does.
    cure
        What to do about it.
    """

    code: str
    severity: Severity = "warning"
    node: str | None
    where: str | None
    message: str
    cure: str


class Finding(NamedTuple):
    """What a rule has to say; ``at`` is the node where it is not the one that the rule was asked about."""

    message: str
    cure: str
    severity: Severity = "warning"
    at: tuple[Scope, NodeProto] | None = None


@dataclass(frozen=True)
class Seen:
    """A node with all that the rules ask of it; ``record`` is None outside the family."""

    scope: Scope
    node: NodeProto
    record: NodeRecord | None
    batch_symbols: frozenset[str]
