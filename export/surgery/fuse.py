"""Expressions that spell out an operator of the softmax family, as that operator."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import onnx
from onnx import TensorProto, helper

from softops.opset import ModelSource, operator
from softops.opset.graph.scopes import Scope
from softops.opset.graph.walk import dead_values, remove_dead

from .opened import edit_scopes, open_model
from .patterns import ANY, Match, Pattern, find
from .reductions import Reduction, reduced_by_softmax, softmax_axis

_Attributes = dict[str, Any]
_Builder = Callable[[Match, Scope], "_Fused | None"]


class _Fused(NamedTuple):
    """The node to put in place: its operator, what it reads, its attributes."""

    op_type: str
    inputs: list[str]
    attributes: _Attributes


def fuse(model: ModelSource, *, path: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """
    Replace expressions that spell out an operator of the softmax family by that operator.

    Each operator computes what its expression means without overflow on the way:

    - ``exp(x) / sum(exp(x))``, as a product with the reciprocal too → Softmax;
    - ``log(softmax(x))``, ``x − log(sum(exp(x)))`` → LogSoftmax; ``exp(log_softmax(x))`` → Softmax;
    - ``softmax(x − max(x))`` and ``log_softmax(x − max(x))`` → without the subtraction, which the operator does;
    - ``log(sum(exp(x)))`` → ReduceLogSumExp, and so ``log(sum(exp(x − m))) + m`` where m is the maximum of x;
    - ``1 / (1 + exp(−x))``, ``exp(x) / (1 + exp(x))``, and the form that `decompose` writes → Sigmoid;
    - ``log(1 + exp(x))``, ``relu(x) + log(1 + exp(−abs(x)))`` → Softplus;
    - ``x / (1 + abs(x))`` → Softsign.

    An expression is replaced only where that is certain: no value inside it is an output or read elsewhere,
    all its reductions go over the same axes, known when the model is built, with ``keepdims``; an operator with
    an axis normalizes over exactly these under the rule of the opset (below 13 all trailing dimensions
    together); constants are exactly 1 and change no shape; and the operator takes the type. Subgraphs and
    functions of the model are searched too. Names of all other values stay.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    path
        Where to write the model as well; files of tensors are copied beside it.

    Returns
    -------
    onnx.ModelProto
        Node for node the same as before where nothing was found.

    Raises
    ------
    ModelError
        Not a model, or not a valid one.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.

    Notes
    -----
    Values change by roundings, and where the expression overflowed or divided by zero: there the operator is
    right. Sources: ``ai.onnx@1::Softmax`` and later, ``ai.onnx@1::ReduceLogSumExp`` and later,
    ``ai.onnx@1::Softplus``, ``ai.onnx@1::Softsign``.
    """
    opened = open_model(model)
    was_dead = dead_values(opened.model.graph)
    edit_scopes(opened, _fuse_scope)
    remove_dead(opened.model.graph, opened.model.ir_version, was_dead)
    return opened.finish(path)


def _fuse_scope(scope: Scope) -> list[onnx.NodeProto] | None:
    changed = False
    while _fuse_once(scope):
        changed = True
    return [node for node in scope.nodes if scope.has(node)] if changed else None


def _fuse_once(scope: Scope) -> bool:
    """Go over the nodes in order: what has become one node may be part of a larger expression further on."""
    changed = False
    for root in list(scope.nodes):
        node = root if scope.has(root) else None
        while node is not None:
            node = _fuse_at(node, scope)
            changed |= node is not None
    return changed


def _fuse_at(root: onnx.NodeProto, scope: Scope) -> onnx.NodeProto | None:
    """Return what has taken the node's place, None where it stays."""
    for pattern, build in _RULES.get(root.op_type, ()):
        match = find(pattern, root, scope)
        fused = None if match is None else build(match, scope)
        if match is not None and fused is not None and _takes(fused, match, scope):
            output = root.output[0]
            node = helper.make_node(fused.op_type, fused.inputs, [output], root.name, **fused.attributes)
            scope.replace(root, node, [other for other in match.nodes.values() if other is not root])
            return node
    return None


def _takes(fused: _Fused, match: Match, scope: Scope) -> bool:
    """Whether the operator takes the type; where that is not known, whether it takes all that Exp does."""
    takes = set(onnx.defs.get_schema(fused.op_type, scope.opset).inputs[0].types)
    element = scope.element(fused.inputs[0]) or scope.element(match.root.output[0])
    if element is not None:
        name = TensorProto.DataType.Name(element).lower()
        return f"tensor({name})" in takes
    return set(onnx.defs.get_schema("Exp", scope.opset).inputs[0].types) <= takes


def _elementwise(op_type: str) -> _Builder:
    def build(match: Match, scope: Scope) -> _Fused | None:
        x = match.values["x"]
        # A constant of more axes than x would add these to the result.
        rank = scope.rank(x)
        if any(shape and (rank is None or len(shape) > rank) for shape in match.constants):
            return None
        return _Fused(op_type, [x], {})

    return build


def _along_axis(op_type: str) -> _Builder:
    def build(match: Match, scope: Scope) -> _Fused | None:
        x = match.values["x"]
        reduced = _common(match)
        if reduced is None or not reduced.keepdims:
            return None
        axis = softmax_axis(reduced.axes, scope.rank(x), scope.opset)
        return None if axis is None else _Fused(op_type, [x], {"axis": axis})

    return build


def _same_axis(old: str, new: str) -> _Builder:
    def build(match: Match, scope: Scope) -> _Fused | None:
        node = match.node(old)
        rank = scope.rank(match.values["x"])
        axis = operator(old, scope.opset).default_axis
        for attribute in node.attribute:
            axis = attribute.i
        assert axis is not None
        for reduced in match.reductions.values():
            normalized = reduced_by_softmax(axis, rank, old, scope.opset)
            everything = None if rank is None else tuple(range(rank))
            over = everything if reduced.axes is None else reduced.axes
            if not reduced.keepdims or normalized is None or over != normalized:
                return None
        return _Fused(new, [match.values["x"]], {"axis": axis})

    return build


def _log_sum_exp(match: Match, scope: Scope) -> _Fused | None:
    (output, reduced), *_ = match.reductions.items()
    return _reduce(match.nodes[output], match.values["x"], reduced, scope)


def _shifted_log_sum_exp(match: Match, scope: Scope) -> _Fused | None:
    reduced = _common(match)
    if reduced is None or not reduced.keepdims:
        return None
    if any(shape and len(shape) > (scope.rank(match.values["x"]) or 0) for shape in match.constants):
        return None
    return _reduce(match.node("ReduceLogSumExp"), match.values["x"], reduced, scope)


def _reduce(node: onnx.NodeProto, x: str, reduced: Reduction, scope: Scope) -> _Fused | None:
    """A ReduceLogSumExp like the reduction ``node``, whose axes may stand in another place."""
    keepdims = int(reduced.keepdims)
    if reduced.axes is None:
        return _Fused("ReduceLogSumExp", [x], {"keepdims": keepdims})
    if scope.opset >= 18:
        return _Fused("ReduceLogSumExp", [x, node.input[1]], {"keepdims": keepdims})
    return _Fused("ReduceLogSumExp", [x], {"axes": list(reduced.axes), "keepdims": keepdims})


def _common(match: Match) -> Reduction | None:
    """What all reductions of an expression reduce, when it is the same."""
    different = set(match.reductions.values())
    return different.pop() if len(different) == 1 else None


_EXP: Pattern = ("Exp", "x")
_SUM: Pattern = ("ReduceSum", _EXP)
_ONE_PLUS_EXP: Pattern = ("Add", 1.0, _EXP)
_EXP_MINUS_ABS: Pattern = ("Exp", ("Neg", ("Abs", "x")))
_SHIFT: Pattern = ("Sub", "x", ("ReduceMax", "x"))
_MINUS: tuple[Pattern, ...] = (("Neg", "x"), ("Mul", -1.0, "x"), ("Sub", 0.0, "x"))
_PEAK: Pattern = ("ReduceMax", "x")
_PEAKS: tuple[Pattern, ...] = (
    _PEAK,
    ("Min", ("Max", _PEAK, ANY), ANY),
    ("Clip", _PEAK, ANY, ANY),
    ("Clip", _PEAK),
)

_ALL_RULES: tuple[tuple[Pattern, _Builder], ...] = (
    (("Div", _EXP, _SUM), _along_axis("Softmax")),
    (("Mul", _EXP, ("Reciprocal", _SUM)), _along_axis("Softmax")),
    (("Exp", ("LogSoftmax", "x")), _same_axis("LogSoftmax", "Softmax")),
    (("Softmax", _SHIFT), _same_axis("Softmax", "Softmax")),
    (("LogSoftmax", _SHIFT), _same_axis("LogSoftmax", "LogSoftmax")),
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
    (("Log", _ONE_PLUS_EXP), _elementwise("Softplus")),
    (("Add", ("Relu", "x"), ("Softplus", ("Neg", ("Abs", "x")))), _elementwise("Softplus")),
    (("Div", "x", ("Add", 1.0, ("Abs", "x"))), _elementwise("Softsign")),
)

_RULES: dict[object, list[tuple[Pattern, _Builder]]] = {}
for _pattern, _build in _ALL_RULES:
    assert isinstance(_pattern, tuple)
    _RULES.setdefault(_pattern[0], []).append((_pattern, _build))
