"""A node of ai.onnx on its way from one opset to another."""

from __future__ import annotations

from onnx import NodeProto

from ..errors import ModelError
from .axis import AXIS_OPERATORS, convert_axis
from .older_forms import spelled_out
from .onnx_converter import convert_by_onnx
from .rules import DOWN, NEGATIVE_SINCE, UP
from .schemas import schema_of, stays, steps, without_defaults
from .step import DECOMPOSABLE, Step

_NEGATIVE_AXES = ("Reduce", "Arg", "TopK", "Flatten", "Concat", "Split", "Squeeze", "Compress")


def convert_node(step: Step) -> list[NodeProto]:
    """Return what does at the target what the node does at the source, subgraphs left alone; or refuse."""
    node = step.node
    if schema_of(node.op_type, step.source) is None:
        message = (
            f"expected operators of ai.onnx at opset {step.source} (got {node.op_type!r}, which it does not have); "
            "correct the opset that the model imports"
        )
        raise ModelError(message)
    if node.op_type in AXIS_OPERATORS:
        step.check_types()
        return convert_axis(step)
    for before, after in steps(node.op_type, step.source, step.target):
        between = step.between(before, after, node)
        made = _neighbour(between)
        if len(made) != 1 or made[0].op_type != node.op_type:
            return [last for one in made for last in convert_node(step.between(after, step.target, one))]
        node = made[0]
    return [node]


def _neighbour(step: Step) -> list[NodeProto]:
    """What the node becomes at the neighbouring opset."""
    own = (DOWN if step.source > step.target else UP).get(step.node.op_type)
    made = None if own is None else own(step)
    if made is not None:
        return made
    if schema_of(step.node.op_type, step.target) is None:
        made = None if step.node.op_type in DECOMPOSABLE else spelled_out(step)
        if made is None:
            step.refuse(f"it is new in opset {step.source}")
        # They are of the opset that brought it, and may be new in it themselves.
        return [last for one in made for last in convert_node(step.between(step.source, step.target, one))]
    if not stays(step.node, step.source, step.target):
        return convert_by_onnx(step)
    step.check_types()
    node = without_defaults(step.node, step.target)
    dims = step.lengths(node.input[0]) if node.op_type.startswith(_NEGATIVE_AXES) else None
    if step.target < NEGATIVE_SINCE <= step.source and dims is not None:
        for attribute in node.attribute:
            if attribute.name == "axis" and attribute.i < 0:
                attribute.i += len(dims)
            if attribute.name == "axes":
                attribute.ints[:] = [axis % len(dims) if axis < 0 else axis for axis in attribute.ints]
    return [node]
