"""
Operators that onnx's converter gets wrong or refuses between neighbouring opsets, and what does the same there.

A rule takes a node, its scope, the opset it is of and the one next to it; it gives the nodes, or None where it has
nothing to say, and raises an UnsupportedModelError where nothing does the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..graph.convert_scope import Scope
from ..graph.tensors import constant_tensor
from .onnx_converter import convert_by_onnx, refusal
from .schemas import refused_type, schema_of, stays, without_defaults

Rule = Callable[[onnx.NodeProto, Scope, int, int], list[onnx.NodeProto] | None]

NEGATIVE_SINCE = 11
"""Axes counted from the end, for most operators."""

_BROADCAST_SINCE = 7
_TOPK_INPUT_SINCE = 10
_SHORT_MASKS_SINCE, _HEADS_OF_3D_SINCE = 24, 25
_CONSTANT_TYPES_BELOW_9 = (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
# What reduces nothing leaves the numbers as they are, for these; the others still square or take a logarithm.
_IDENTITY_WITHOUT_AXES = (
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceLogSumExp",
)
_REDUCTIONS = (*_IDENTITY_WITHOUT_AXES, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare")


def check_types(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> None:
    """Refuse a node whose types the operator does not take at ``target``."""
    schema = schema_of(node.op_type, target)
    refused = None if schema is None else refused_type(node, schema, scope)
    if refused is not None:
        raise refusal(node, source, target, f"it takes no {refused} there")


def _reduce_down(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto] | None:
    """Axes as an input (18, and 13 for ReduceSum) → axes as an attribute."""
    old = schema_of(node.op_type, target)
    if old is None or "axes" not in old.attributes:
        return None
    if any(attribute.name == "axes" for attribute in node.attribute):
        return None
    noop = next((attribute for attribute in node.attribute if attribute.name == "noop_with_empty_axes"), None)
    name = node.input[1] if len(node.input) > 1 else ""
    axes = _constant_ints(node, name, scope, source, target) if name else []
    result = onnx.NodeProto()
    result.CopyFrom(node)
    result.input[:] = node.input[:1]
    check_types(result, scope, source, target)
    if name:
        scope.released.add(name)
    if noop is not None:
        if noop.ref_attr_name:
            raise refusal(node, source, target, "its noop_with_empty_axes is an attribute of a function")
        result.attribute.remove(noop)
        if noop.i and not axes:
            if node.op_type not in _IDENTITY_WITHOUT_AXES:
                raise refusal(node, source, target, "it reduces over no axis, which is new there")
            result.op_type = "Identity"
            del result.attribute[:]
            return [result]
    if axes:
        result.attribute.append(helper.make_attribute("axes", axes))
    return [result]


def _topk_down(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto] | None:
    """K as an input → as an attribute; an order that does not matter → the one order there is."""
    result = onnx.NodeProto()
    result.CopyFrom(node)
    if source == _TOPK_INPUT_SINCE:
        (k,) = _constant_ints(node, node.input[1], scope, source, target)
        result.input[:] = node.input[:1]
        result.attribute.append(helper.make_attribute("k", k))
        scope.released.add(node.input[1])
        return [result]
    if source == NEGATIVE_SINCE:
        for attribute in result.attribute:
            if attribute.name == "sorted" and not attribute.ref_attr_name:
                attribute.i = 1
            if attribute.name == "largest" and not attribute.i:
                raise refusal(node, source, target, "largest=0 is new in opset 11")
        if stays(result, source, target):
            check_types(result, scope, source, target)
            return [without_defaults(result, source, target)]
    return None


def _constant_ints(node: onnx.NodeProto, name: str, scope: Scope, source: int, target: int) -> list[int]:
    tensor = scope.constant(name)
    if tensor is None:
        raise refusal(node, source, target, f"{name!r} has to be a constant there, and the model computes it")
    return [int(value) for value in numpy_helper.to_array(tensor).ravel()]


def _constant_down(
    node: onnx.NodeProto, scope: Scope, source: int, target: int
) -> list[onnx.NodeProto] | None:
    """A number or list as an attribute (12) → a tensor; one of integers (9) → an initializer."""
    tensor = constant_tensor(node)
    if tensor is not None and source == 9 and tensor.data_type not in _CONSTANT_TYPES_BELOW_9:
        return [] if scope.keep(tensor, node.output[0]) else convert_by_onnx(node, scope, source, target)
    if source != 12 or tensor is None:
        return None
    result = onnx.NodeProto()
    result.CopyFrom(node)
    del result.attribute[:]
    result.attribute.append(helper.make_attribute("value", tensor))
    return [result]


def _reshape_down(
    node: onnx.NodeProto, scope: Scope, source: int, target: int
) -> list[onnx.NodeProto] | None:
    """``allowzero`` (14) → nothing, where the shape has no 0, or where only an empty tensor can have one."""
    allows = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
    if source != 14 or not allows:
        return None
    shape = scope.constant(node.input[1])
    if shape is None:
        fits = scope.is_a_shape(node.input[1])
    else:
        fits = 0 not in _constant_ints(node, node.input[1], scope, source, target)
    if not fits:
        raise refusal(node, source, target, "allowzero is new in opset 14")
    result = onnx.NodeProto()
    result.CopyFrom(node)
    kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
    del result.attribute[:]
    result.attribute.extend(kept)
    return [result]


def _pad_down(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto] | None:
    """Padding that wraps around is new in 19, which onnx's converter does not mind."""
    if source == 19 and any(attribute.s == b"wrap" for attribute in node.attribute):
        raise refusal(node, source, target, "mode='wrap' is new in opset 19")
    return None


def _slopes(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto] | None:
    """A slope for each channel (before 7) ↔ slopes that broadcast from the last dimension on."""
    if _BROADCAST_SINCE not in (source, target) or abs(source - target) != 1:
        return None
    x, slope = (scope.dims(name) for name in node.input)
    if slope is not None and all(size == 1 for size in slope):
        return [node]
    if x is None or slope is None or (None in slope and target < source):
        raise refusal(node, source, target, "the rank of its input, or the shape of its slopes, is not known")
    if (len(slope) == 1 and len(x) <= 2) or (len(slope) > 1 and source < target):
        return [node]
    full = [1] * (len(x) - len(slope)) + slope
    if target < source and any(size != 1 for size in (*full[:1], *full[2:])):
        raise refusal(node, source, target, "its slopes are not one for each channel")
    shape = [-1] + [1] * (len(x) - 2) * (source < target)
    nodes: list[onnx.NodeProto] = []
    wanted = scope.store(np.array(shape, np.int64), f"{node.output[0]}_slopes_shape", nodes)
    slopes = scope.names.fresh(f"{node.output[0]}_slopes")
    nodes.append(helper.make_node("Reshape", [node.input[1], wanted], [slopes], domain=node.domain or None))
    result = onnx.NodeProto()
    result.CopyFrom(node)
    result.input[1] = slopes
    return [*nodes, result]


def _attention(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto] | None:
    """Masks that are broadcast before 24 and padded since; numbers of heads, refused beside 4-D tensors since 25."""
    version = max(source, target)
    if version == _SHORT_MASKS_SINCE and len(node.input) > 3 and node.input[3]:
        mask, key = scope.dims(node.input[3]), scope.dims(node.input[1])
        past = scope.dims(node.input[4]) if len(node.input) > 4 and node.input[4] else [0, 0]
        if mask and key and past:
            parts = (key[-2], past[-2])
            keys = None if None in parts else sum(part or 0 for part in parts)
            own = mask[-1]
            short = keys is not None and own is not None and own < keys
            if keys != 1 and (own == 1 or (short and source > target)):
                reason = "a mask shorter than the keys is padded since opset 24, and broadcast before"
                raise refusal(node, source, target, reason)
    if target == _HEADS_OF_3D_SINCE and source < target:
        query = scope.dims(node.input[0])
        if query is not None and len(query) == 4:
            result = onnx.NodeProto()
            result.CopyFrom(node)
            kept = [a for a in node.attribute if a.name not in ("q_num_heads", "kv_num_heads")]
            del result.attribute[:]
            result.attribute.extend(kept)
            check_types(result, scope, source, target)
            return [result]
    return None


DOWN: dict[str, Rule] = {
    "Attention": _attention,
    "Constant": _constant_down,
    "PRelu": _slopes,
    "Pad": _pad_down,
    "Reshape": _reshape_down,
    "TopK": _topk_down,
    **dict.fromkeys(_REDUCTIONS, _reduce_down),
}
UP: dict[str, Rule] = {"Attention": _attention, "PRelu": _slopes}
