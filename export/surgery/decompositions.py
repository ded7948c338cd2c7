"""The simpler forms of each operator of the softmax family."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper

from softops.opset import UnsupportedModelError, operator
from softops.opset.expressions.reductions import reduced_by_softmax, reduction
from softops.opset.graph.scopes import Scope
from softops.opset.graph.types import type_word

from ..builder.steps import reduce
from .patch import FLOATS, Patch

_OPSET_OF_BROADCAST_MAX = 8
_OPSET_OF_ONE_HOT = 9
_OPSET_OF_NEGATIVE_AXES = 11


def simpler(node: onnx.NodeProto, scope: Scope) -> list[onnx.NodeProto]:
    """Return the nodes that stand for one, in the way of the opset; the last writes what it wrote."""
    if references := [a.ref_attr_name for a in node.attribute if a.ref_attr_name]:
        message = (
            f"expected a {node.op_type} whose attributes are numbers (in {scope.where} one is the function's "
            f"attribute {references[0]!r}); inline the function with onnx.inliner first"
        )
        raise UnsupportedModelError(message)
    x, output = node.input[0], node.output[0]
    element = scope.element(x)
    if element is not None and element not in FLOATS:
        message = f"expected a {node.op_type} of floats (got {type_word(element)} for {x!r}); insert a Cast"
        raise UnsupportedModelError(message)
    patch = Patch(scope, output, element)
    y = FORMS[node.op_type](patch, patch.wide(x), node, scope)
    if patch.dtype != patch.compute:
        y = patch.cast(y, patch.dtype)
    if not patch.take() or patch.take()[-1].output[0] != y:
        patch.node("Identity", y)
    return patch.take(output)


def _softmax(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    def form(wide: str, axes: Sequence[int]) -> str:
        e = patch.node("Exp", _shifted(patch, wide, axes), name="exp")
        return patch.node("Div", e, reduce(patch, "ReduceSum", e, axes, name="sum"), name="quotient")

    return _along(patch, x, node, scope, form)


def _log_softmax(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    def form(wide: str, axes: Sequence[int]) -> str:
        shifted = _shifted(patch, wide, axes)
        total = reduce(patch, "ReduceSum", patch.node("Exp", shifted, name="exp"), axes, name="sum")
        return patch.node("Sub", shifted, patch.node("Log", total, name="log"), name="difference")

    return _along(patch, x, node, scope, form)


def _shifted(patch: Patch, x: str, axes: Sequence[int]) -> str:
    return patch.node("Sub", x, reduce(patch, "ReduceMax", x, axes, name="max"), name="shifted")


def _along(
    patch: Patch,
    x: str,
    node: onnx.NodeProto,
    scope: Scope,
    form: Callable[[str, Sequence[int]], str],
) -> str:
    """Apply a form over the axes that the node normalizes, of a matrix where they cannot be told."""
    axes = reduced_by_softmax(_axis(node, scope), scope.rank(node.input[0]), node.op_type, scope.opset)
    if axes is not None and (axes[0] >= 0 or scope.opset >= _OPSET_OF_NEGATIVE_AXES):
        return form(x, axes)
    return _as_matrix(patch, x, node, scope, lambda matrix: form(matrix, (1,)))


def _as_matrix(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope, form: Callable[[str], str]) -> str:
    axis = _axis(node, scope)
    if axis < 0 and scope.opset < _OPSET_OF_NEGATIVE_AXES:
        message = (
            f"expected a {node.op_type} whose axis counts from the front, or an input of known rank, at "
            f"opset {scope.opset} (got axis {axis} of {node.input[0]!r}); run onnx.shape_inference on the model"
        )
        raise UnsupportedModelError(message)
    shape = patch.node("Shape", x, name="shape")
    matrix = patch.node("Flatten", x, name="matrix", axis=axis)
    return patch.node("Reshape", form(matrix), shape, name="reshaped")


def _hardmax(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    if scope.opset < _OPSET_OF_ONE_HOT:
        message = (
            f"expected opset {_OPSET_OF_ONE_HOT} or newer for Hardmax, which takes OneHot (got {scope.opset}); "
            "convert the model to a newer opset first"
        )
        raise UnsupportedModelError(message)

    def one_hot(wide: str, axis: int) -> str:
        index = patch.node("ArgMax", wide, name="winner", axis=axis, keepdims=0)
        at = patch.constant("axis", np.array(axis, np.int64))
        length = patch.node("Gather", patch.node("Shape", wide, name="lengths"), at, name="length")
        values = patch.constant("off_on", np.array([0, 1], np.int64))
        return patch.node("OneHot", index, length, values, name="one_hot", axis=axis)

    axis = _axis(node, scope)
    reduced = reduced_by_softmax(axis, scope.rank(node.input[0]), "Hardmax", scope.opset)
    if reduced is not None and len(reduced) == 1 and (reduced[0] >= 0 or scope.opset >= 13):
        ones = one_hot(x, reduced[0])
    else:
        ones = _as_matrix(patch, x, node, scope, lambda matrix: one_hot(matrix, 1))
    patch.need_type()
    return patch.cast(ones, patch.compute)


def _log_sum_exp(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    reduced = reduction(node, scope)
    if reduced is None:
        message = (
            f"expected a {node.op_type} over axes that are constants, and not over none (got those of "
            f"{node.output[0]!r}); fold the model's constants first"
        )
        raise UnsupportedModelError(message)
    if node.op_type == "ReduceLogSum":
        return patch.node("Log", _reduced(patch, "ReduceSum", x, reduced.axes, reduced.keepdims), name="log")
    peak = _finite(patch, _reduced(patch, "ReduceMax", x, reduced.axes, True))
    e = patch.node("Exp", patch.node("Sub", x, peak, name="shifted"), name="exp")
    total = _reduced(patch, "ReduceSum", e, reduced.axes, reduced.keepdims)
    if not reduced.keepdims:
        peak = _finite(patch, _reduced(patch, "ReduceMax", x, reduced.axes, False))
    return patch.node("Add", patch.node("Log", total, name="log"), peak, name="log_sum_exp")


def _finite(patch: Patch, x: str) -> str:
    """Within the finite numbers: an infinite maximum subtracted from itself would be NaN."""
    largest = float(np.finfo(patch.compute).max)
    return _between(patch, x, -largest, largest)


def _between(patch: Patch, x: str, low: float, high: float) -> str:
    """As Clip, which not every runtime has for every type at every opset."""
    if patch.opset >= _OPSET_OF_BROADCAST_MAX:
        above = patch.node("Max", x, patch.number("low", low), name="above")
        return patch.node("Min", above, patch.number("high", high), name="between")
    if patch.compute == np.float64:  # an attribute holds no more than a float32
        message = (
            f"expected opset {_OPSET_OF_BROADCAST_MAX} or newer to bound values of float64 (got {patch.opset}); "
            "convert the model to a newer opset first"
        )
        raise UnsupportedModelError(message)
    patch.need_type()
    return patch.node("Clip", x, name="between", min=float(low), max=float(high))


def _reduced(patch: Patch, op_type: str, x: str, axes: Sequence[int] | None, keepdims: bool) -> str:
    if axes is None:
        return patch.node(op_type, x, name=op_type.lower(), keepdims=int(keepdims))
    return reduce(patch, op_type, x, axes, keepdims=keepdims)


def _sigmoid(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    negative = patch.node("Relu", patch.node("Neg", x, name="negated"), name="negative_part")
    over = patch.node("Exp", patch.node("Neg", negative, name="capped"), name="numerator")
    under = patch.node("Add", patch.number("one", 1), _exp_minus_abs(patch, x), name="denominator")
    return patch.node("Div", over, under, name="quotient")


def _softplus(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    total = patch.node("Add", patch.number("one", 1), _exp_minus_abs(patch, x), name="total")
    log = patch.node("Log", total, name="log")
    return patch.node("Add", patch.node("Relu", x, name="positive_part"), log, name="softplus")


def _exp_minus_abs(patch: Patch, x: str) -> str:
    size = patch.node("Abs", x, name="abs")
    return patch.node("Exp", patch.node("Neg", size, name="minus_abs"), name="exp")


def _hard_sigmoid(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    given = {attribute.name: attribute.f for attribute in node.attribute}
    scaled = patch.node("Mul", patch.number("alpha", np.float32(given.get("alpha", 0.2))), x, name="scaled")
    beta = patch.number("beta", np.float32(given.get("beta", 0.5)))
    return _between(patch, patch.node("Add", scaled, beta, name="line"), 0, 1)


def _softsign(patch: Patch, x: str, node: onnx.NodeProto, scope: Scope) -> str:
    size = patch.node("Add", patch.number("one", 1), patch.node("Abs", x, name="abs"), name="size")
    return patch.node("Div", x, size, name="quotient")


def _axis(node: onnx.NodeProto, scope: Scope) -> int:
    given = [helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"]
    default = operator(node.op_type, scope.opset).default_axis
    assert default is not None  # asked of operators with an axis alone
    return int(given[0]) if given else default


FORMS: dict[str, Callable[[Patch, str, onnx.NodeProto, Scope], str]] = {
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Hardmax": _hardmax,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceLogSum": _log_sum_exp,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "HardSigmoid": _hard_sigmoid,
    "Softsign": _softsign,
}
