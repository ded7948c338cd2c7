"""A node of ai.onnx on its way from one opset to another."""

from __future__ import annotations

import onnx

from ..errors import ModelError
from ..graph.convert_scope import Scope
from .axis import AXIS_OPERATORS, convert_axis
from .onnx_converter import convert_by_onnx, refusal
from .rules import DOWN, NEGATIVE_SINCE, UP, check_types
from .schemas import schema_of, stays, steps, without_defaults

_NEGATIVE_AXES = ("Reduce", "Arg", "TopK", "Flatten", "Concat", "Split", "Squeeze", "Compress")


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
        check_types(node, scope, source, target)
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
    own = (DOWN if source > target else UP).get(node.op_type)
    if own is not None:
        made = own(node, scope, source, target)
        if made is not None:
            return made
    if not stays(node, source, target):
        return convert_by_onnx(node, scope, source, target)
    check_types(node, scope, source, target)
    node = without_defaults(node, source, target)
    if target < NEGATIVE_SINCE <= source and node.op_type.startswith(_NEGATIVE_AXES):
        _count_from_the_start(node, scope.dims(node.input[0]))
    return [node]


def _count_from_the_start(node: onnx.NodeProto, dims: list[int | None] | None) -> None:
    if dims is None:
        return
    for attribute in node.attribute:
        if attribute.name == "axis" and attribute.i < 0:
            attribute.i += len(dims)
        if attribute.name == "axes":
            attribute.ints[:] = [axis % len(dims) if axis < 0 else axis for axis in attribute.ints]
