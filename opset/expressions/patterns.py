"""
Finding small expressions among the nodes of a scope.

An axis that a reduction drops and a later node puts back, or the other way round, is read as the reduction alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import onnx

from ..graph.domains import DOMAINS
from ..graph.scopes import Scope
from .kept_axes import changes_keepdims, is_idle
from .reductions import Reduction, reduction

Pattern = str | float | tuple["str | Pattern", ...]
"""
What an expression looks like.

A string stands for any value, the same string for the same value; a number for a constant that holds it alone;
``(operator, pattern, …)`` for a node. The operands of Add, Mul, Max and Min match in either order. `ANY` stands
for a constant of one element.
"""

ANY = float("nan")

_EITHER_ORDER = {"Add", "Mul", "Max", "Min"}
_PLAIN = {
    "Softplus",
    "Exp",
    "Log",
    "Neg",
    "Abs",
    "Relu",
    "Reciprocal",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Sigmoid",
}
_REDUCTIONS = {"ReduceMax", "ReduceMean", "ReduceSum", "ReduceLogSum", "ReduceLogSumExp"}


@dataclass(frozen=True)
class Match:
    """
    An expression that was found.

    Attributes
    ----------
    root
        The node that gives its value.
    values
        Names of values by the pattern's strings.
    constants
        Names of the constants, with their shapes.
    nodes
        All its nodes, by the first name that each writes.
    reductions
        What each reduction in it reduces, by the value that it gives in the end: where another node puts the axes
        back that it dropped, by that node's.
    """

    root: onnx.NodeProto
    values: dict[str, str] = field(default_factory=dict)
    constants: tuple[tuple[int, ...], ...] = ()
    nodes: dict[str, onnx.NodeProto] = field(default_factory=dict)
    reductions: dict[str, Reduction] = field(default_factory=dict)

    def node(self, op_type: str) -> onnx.NodeProto:
        """Return its only node of that operator."""
        return next(node for node in self.nodes.values() if node.op_type == op_type)


def find(pattern: Pattern, root: onnx.NodeProto, scope: Scope, *, closed: bool = True) -> Match | None:
    """
    Return the expression that ``root`` gives the value of, when it looks like ``pattern`` and, if asked, is closed.

    It is not closed when a value inside it is read by anything else, or is an output.
    """
    for match in _nodes(pattern, root, Match(root), scope):
        if not closed:
            return match
        inside = {id(node) for node in match.nodes.values()}
        inner = [name for node in match.nodes.values() if node is not root for name in node.output if name]
        if all(
            name not in scope.outputs and all(id(user) in inside for user in scope.consumers.get(name, ()))
            for name in inner
        ):
            return match
    return None


def _values(pattern: Pattern, name: str, match: Match, scope: Scope) -> Iterator[Match]:
    if isinstance(pattern, str):
        if match.values.get(pattern, name) == name and name:
            yield replace(match, values={**match.values, pattern: name})
    elif isinstance(pattern, float):
        shape = _constant(pattern, name, scope)
        if shape is not None:
            yield replace(match, constants=(*match.constants, shape))
    elif (node := scope.producers.get(name)) is not None and node.output[0] == name:
        yield from _nodes(pattern, node, match, scope)
        if node.domain in DOMAINS and _is_reduced(pattern):
            yield from _behind_axes(pattern, node, match, scope)


def _behind_axes(pattern: Pattern, node: onnx.NodeProto, match: Match, scope: Scope) -> Iterator[Match]:
    """The pattern behind a node that does nothing but to put reduced axes back, or to drop them."""
    if not node.input:
        return
    inside = replace(match, reductions={}, nodes={**match.nodes, node.output[0]: node})
    if is_idle(node, scope):
        for found in _values(pattern, node.input[0], inside, scope):
            yield replace(found, reductions={**match.reductions, **found.reductions})
        return
    if node.op_type not in ("Unsqueeze", "Squeeze", "Reshape") or any(
        a.ref_attr_name for a in node.attribute
    ):
        return
    for found in _values(pattern, node.input[0], inside, scope):
        # A constant with axes of its own would keep some that the reduction drops.
        if _outermost(pattern) != 1 or any(found.constants[len(match.constants) :]):
            continue
        (name, reduced), *inner = found.reductions.items()
        turned = changes_keepdims(node, found.nodes[name], reduced, scope)
        if turned is not None:
            yield replace(found, reductions={**match.reductions, node.output[0]: turned, **dict(inner)})


def _is_reduced(pattern: Pattern) -> bool:
    """Whether whatever looks so has the axes of its reductions, and no others."""
    if not isinstance(pattern, tuple):
        return False
    op_type, *operands = pattern
    parts = [operand for operand in operands if not isinstance(operand, float)]
    return op_type in _REDUCTIONS or (bool(parts) and all(map(_is_reduced, parts)))


def _outermost(pattern: Pattern) -> int:
    """How many reductions of a pattern lie in no other one."""
    if not isinstance(pattern, tuple):
        return 0
    op_type, *operands = pattern
    return 1 if op_type in _REDUCTIONS else sum(map(_outermost, operands))


def _nodes(pattern: Pattern, node: onnx.NodeProto, match: Match, scope: Scope) -> Iterator[Match]:
    assert isinstance(pattern, tuple)
    op_type, *operands = pattern
    if node.op_type != op_type or node.domain not in DOMAINS or not node.output or not node.input:
        return
    given = list(node.input)
    if op_type in _REDUCTIONS:
        reduced = reduction(node, scope)
        if reduced is None:
            return
        match = replace(match, reductions={**match.reductions, node.output[0]: reduced})
        given = given[:1]
    elif (op_type in _PLAIN and node.attribute) or any(a.ref_attr_name for a in node.attribute):
        return
    if len(given) != len(operands):
        return
    match = replace(match, nodes={**match.nodes, node.output[0]: node})
    orders = [given, given[::-1]] if op_type in _EITHER_ORDER else [given]
    for order in orders:
        yield from _all(operands, order, match, scope)


def _all(patterns: list[Pattern], names: list[str], match: Match, scope: Scope) -> Iterator[Match]:
    if not patterns:
        yield match
        return
    for first in _values(patterns[0], names[0], match, scope):
        yield from _all(patterns[1:], names[1:], first, scope)


def _constant(wanted: float, name: str, scope: Scope) -> tuple[int, ...] | None:
    value = scope.array(name)
    if value is None or value.size != 1 or value.dtype.kind in "OSU":
        return None
    number = float(value.reshape(()).astype(np.float64))
    return value.shape if wanted != wanted or number == wanted else None
