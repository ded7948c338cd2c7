"""Which expressions are which operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import onnx
from onnx import NodeProto

from ..graph.scopes import Scope
from ..graph.types import type_word
from ..operators.table import operator
from .patterns import ANY, Match, Pattern, find
from .reductions import Reduction, reduced_by_softmax, softmax_axis


class Fused(NamedTuple):
    """
    The operator that an expression is: what it reads, its attributes, and the expression that was found.

    Where it is ``mirrored`` the expression is ``-op(-x)``.
    """

    op_type: str
    inputs: list[str]
    attributes: dict[str, Any]
    mirrored: bool = False


class Found(NamedTuple):
    """An expression, and the operator that does the same."""

    match: Match
    fused: Fused


_Builder = Callable[[Match, Scope], Fused | None]


def recognized(root: NodeProto, scope: Scope, *, closed: bool = True) -> Found | None:
    """
    Return the expression that a node gives the value of, where it is an operator of the family for certain.

    With ``closed``, no value inside it is an output or read elsewhere: it can be replaced.
    """
    for pattern, build in _RULES.get(root.op_type, ()):
        match = find(pattern, root, scope, closed=closed)
        fused = None if match is None else build(match, scope)
        if match is not None and fused is not None and _takes(fused, match, scope):
            return Found(match, fused)
    return None


def _takes(fused: Fused, match: Match, scope: Scope) -> bool:
    """Whether the operator takes the type; where that is not known, whether it takes all that Exp does."""
    takes = set(onnx.defs.get_schema(fused.op_type, scope.opset).inputs[0].types)
    element = scope.element(fused.inputs[0]) or scope.element(match.root.output[0])
    if element is not None:
        name = type_word(element)
        return f"tensor({name})" in takes
    return set(onnx.defs.get_schema("Exp", scope.opset).inputs[0].types) <= takes


def _elementwise(op_type: str, *, mirrored: bool = False) -> _Builder:
    def build(match: Match, scope: Scope) -> Fused | None:
        return None if _adds_axes(match, scope) else Fused(op_type, [match.values["x"]], {}, mirrored)

    return build


def _adds_axes(match: Match, scope: Scope) -> bool:
    """Whether a constant of more axes than x may add these to the result."""
    rank = scope.rank(match.values["x"])
    return any(shape and (rank is None or len(shape) > rank) for shape in match.constants)


def _along_axis(op_type: str) -> _Builder:
    def build(match: Match, scope: Scope) -> Fused | None:
        x = match.values["x"]
        reduced = _common(match)
        if reduced is None or not reduced.keepdims or _adds_axes(match, scope):
            return None
        axis = softmax_axis(reduced.axes, scope.rank(x), scope.opset)
        return None if axis is None else Fused(op_type, [x], {"axis": axis})

    return build


def _same_axis(old: str, new: str) -> _Builder:
    def build(match: Match, scope: Scope) -> Fused | None:
        node = match.node(old)
        rank = scope.rank(match.values["x"])
        axis = operator(old, scope.opset).default_axis
        for attribute in node.attribute:
            axis = attribute.i
        assert axis is not None
        if _adds_axes(match, scope):
            return None
        for reduced in match.reductions.values():
            normalized = reduced_by_softmax(axis, rank, old, scope.opset)
            everything = None if rank is None else tuple(range(rank))
            over = everything if reduced.axes is None else reduced.axes
            if not reduced.keepdims or normalized is None or over != normalized:
                return None
        return Fused(new, [match.values["x"]], {"axis": axis})

    return build


def _log_sum_exp(match: Match, scope: Scope) -> Fused | None:
    (reduced,) = match.reductions.values()
    return _reduce(match, reduced, scope)


def _shifted_log_sum_exp(match: Match, scope: Scope) -> Fused | None:
    """log(sum(exp(x - m))) + m: the first m has the axes of x, the second those of the sum."""
    reductions = dict(match.reductions)
    if _adds_axes(match, scope) or len({reduced.axes for reduced in reductions.values()}) != 1:
        return None
    if not all(reduced.keepdims for reduced in reductions.values()):
        inner = reductions.pop(match.node("Sub").input[1], None)
        if inner is None or not inner.keepdims:
            return None
    outer = set(reductions.values())
    return _reduce(match, outer.pop(), scope) if len(outer) == 1 else None


def _reduce(match: Match, reduced: Reduction, scope: Scope) -> Fused | None:
    """A ReduceLogSumExp like the sum in the expression, whose axes may stand in another place."""
    node = next(
        n for n in match.nodes.values() if n.op_type in ("ReduceSum", "ReduceLogSum", "ReduceLogSumExp")
    )
    x, keepdims = match.values["x"], int(reduced.keepdims)
    if reduced.axes is None:
        return Fused("ReduceLogSumExp", [x], {"keepdims": keepdims})
    if scope.opset >= 18:
        return Fused("ReduceLogSumExp", [x, node.input[1]], {"keepdims": keepdims})
    return Fused("ReduceLogSumExp", [x], {"axes": list(reduced.axes), "keepdims": keepdims})


def _common(match: Match) -> Reduction | None:
    """What all reductions of an expression reduce, when it is the same."""
    different = set(match.reductions.values())
    return different.pop() if len(different) == 1 else None


_EXP: Pattern = ("Exp", "x")
_SUM: Pattern = ("ReduceSum", _EXP)
_ONE_PLUS_EXP: Pattern = ("Add", 1.0, _EXP)
_EXP_MINUS_ABS: Pattern = ("Exp", ("Neg", ("Abs", "x")))
_MINUS: tuple[Pattern, ...] = (("Neg", "x"), ("Mul", -1.0, "x"), ("Sub", 0.0, "x"))
_PEAK: Pattern = ("ReduceMax", "x")
_PEAKS: tuple[Pattern, ...] = (
    _PEAK,
    ("Min", ("Max", _PEAK, ANY), ANY),
    ("Max", _PEAK, ANY),
    ("Clip", _PEAK, ANY, ANY),
    ("Clip", _PEAK),
)

_ALL_RULES: tuple[tuple[Pattern, _Builder], ...] = (
    (("Div", _EXP, _SUM), _along_axis("Softmax")),
    (("Mul", _EXP, ("Reciprocal", _SUM)), _along_axis("Softmax")),
    (("Exp", ("LogSoftmax", "x")), _same_axis("LogSoftmax", "Softmax")),
    *((("Softmax", ("Sub", "x", peak)), _same_axis("Softmax", "Softmax")) for peak in _PEAKS),
    *((("LogSoftmax", ("Sub", "x", peak)), _same_axis("LogSoftmax", "LogSoftmax")) for peak in _PEAKS),
    (("Log", ("Softmax", "x")), _same_axis("Softmax", "LogSoftmax")),
    (("Log", _SUM), _log_sum_exp),
    (("ReduceLogSum", _EXP), _log_sum_exp),
    (("Sub", "x", ("ReduceLogSumExp", "x")), _along_axis("LogSoftmax")),
    *((("Add", ("ReduceLogSumExp", ("Sub", "x", peak)), peak), _shifted_log_sum_exp) for peak in _PEAKS),
    *((("Div", 1.0, ("Add", 1.0, ("Exp", minus))), _elementwise("Sigmoid")) for minus in _MINUS),
    *((("Reciprocal", ("Add", 1.0, ("Exp", minus))), _elementwise("Sigmoid")) for minus in _MINUS),
    (("Div", _EXP, _ONE_PLUS_EXP), _elementwise("Sigmoid")),
    (
        ("Div", ("Exp", ("Neg", ("Relu", ("Neg", "x")))), ("Add", 1.0, _EXP_MINUS_ABS)),
        _elementwise("Sigmoid"),
    ),
    (("Log", ("Sigmoid", "x")), _elementwise("Softplus", mirrored=True)),
    (("Log", _ONE_PLUS_EXP), _elementwise("Softplus")),
    (("Add", ("Relu", "x"), ("Softplus", ("Neg", ("Abs", "x")))), _elementwise("Softplus")),
    (("Div", "x", ("Add", 1.0, ("Abs", "x"))), _elementwise("Softsign")),
)

_RULES: dict[object, list[tuple[Pattern, _Builder]]] = {}
for _pattern, _build in _ALL_RULES:
    assert isinstance(_pattern, tuple)
    _RULES.setdefault(_pattern[0], []).append((_pattern, _build))
