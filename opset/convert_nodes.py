"""A node of ai.onnx on its way from one opset to another."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper, numpy_helper

from .convert_axis import AXIS_OPERATORS, convert_axis
from .convert_onnx import convert_by_onnx, refusal
from .convert_schemas import refused_type, schema_of, stays, steps, without_defaults
from .convert_scope import Scope
from .errors import ModelError
from .tensors import constant_tensor

_NEGATIVE_SINCE = 11  # axes counted from the end, for these
_NEGATIVE_AXES = ("Reduce", "Arg", "TopK", "Flatten", "Concat", "Split", "Squeeze", "Compress")
_TOPK_INPUT_SINCE = 10
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


def convert_node(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto]:
    """
    Return what does at opset ``target`` what ``node`` of ai.onnx does at ``source``, subgraphs left alone.

    Raises
    ------
    ModelError
        The node is not one of opset ``source``.
    UnsupportedModelError
        Opset ``target`` has nothing that does the same, or nobody here knows it.
    """
    if schema_of(node.op_type, source) is None:
        message = (
            f"expected operators of ai.onnx at opset {source} (got {node.op_type!r}, which it does not have); "
            "correct the opset that the model imports"
        )
        raise ModelError(message)
    if node.op_type in AXIS_OPERATORS:
        _check_types(node, scope, source, target)
        return convert_axis(node, scope, source, target)
    for before, after in steps(node.op_type, source, target):
        if schema_of(node.op_type, after) is None:
            raise refusal(node, before, after, f"it is new in opset {before}")
        made = _step(node, scope, before, after)
        if len(made) != 1 or made[0].op_type != node.op_type:
            return [last for one in made for last in convert_node(one, scope, after, target)]
        node = made[0]
    return [node]


def _step(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> list[onnx.NodeProto]:
    if source > target and (own := _DOWN.get(node.op_type)) is not None:
        made = own(node, scope, source, target)
        if made is not None:
            return made
    if not stays(node, source, target):
        return convert_by_onnx(node, scope, source, target)
    _check_types(node, scope, source, target)
    node = without_defaults(node, source, target)
    if target < _NEGATIVE_SINCE <= source and node.op_type.startswith(_NEGATIVE_AXES):
        _count_from_the_start(node, scope.dims(node.input[0]))
    return [node]


def _check_types(node: onnx.NodeProto, scope: Scope, source: int, target: int) -> None:
    schema = schema_of(node.op_type, target)
    refused = None if schema is None else refused_type(node, schema, scope)
    if refused is not None:
        raise refusal(node, source, target, f"it takes no {refused} there")


def _count_from_the_start(node: onnx.NodeProto, dims: list[int | None] | None) -> None:
    if dims is None:
        return
    for attribute in node.attribute:
        if attribute.name == "axis" and attribute.i < 0:
            attribute.i += len(dims)
        if attribute.name == "axes":
            attribute.ints[:] = [axis % len(dims) if axis < 0 else axis for axis in attribute.ints]


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
    _check_types(result, scope, source, target)
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
    if source == _NEGATIVE_SINCE:
        for attribute in result.attribute:
            if attribute.name == "sorted" and not attribute.ref_attr_name:
                attribute.i = 1
            if attribute.name == "largest" and not attribute.i:
                raise refusal(node, source, target, "largest=0 is new in opset 11")
        if stays(result, source, target):
            _check_types(result, scope, source, target)
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


_DOWN: dict[str, Callable[[onnx.NodeProto, Scope, int, int], list[onnx.NodeProto] | None]] = {
    "TopK": _topk_down,
    "Constant": _constant_down,
    "Reshape": _reshape_down,
    "Pad": _pad_down,
    **dict.fromkeys(_REDUCTIONS, _reduce_down),
}
