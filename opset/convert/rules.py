"""
Operators that onnx's converter gets wrong or refuses between neighbouring opsets, and what does the same there.

A rule takes a step between two neighbouring opsets; it gives the nodes, or None where it has nothing to say, and raises
an UnsupportedModelError where nothing does the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto, TensorProto, helper

from ..graph.tensors import constant_tensor
from ..graph.types import Dimension
from .attention import attention
from .older_forms import clip, dropout, gemm, layer_normalization, pad, pool, shape, slice_, split
from .onnx_converter import convert_by_onnx
from .resize import resize
from .schemas import schema_of, stays, without_defaults
from .step import Step

Rule = Callable[[Step], list[NodeProto] | None]

NEGATIVE_SINCE = 11
"""Axes counted from the end, for most operators."""

_BROADCAST_SINCE = 7
_MANY_BROADCAST_SINCE = 8
_TOPK_INPUT_SINCE = 10
_CONSTANT_TYPES_BELOW_9 = (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
# What reduces nothing leaves the numbers as they are, for these; the others still square or take a logarithm.
_IDENTITY_WITHOUT_AXES = tuple(f"Reduce{name}" for name in ("Sum", "Mean", "Max", "Min", "Prod", "LogSumExp"))
_REDUCTIONS = (*_IDENTITY_WITHOUT_AXES, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare")


def _reduce_down(step: Step) -> list[NodeProto] | None:
    """Axes as an input (18, and 13 for ReduceSum) → axes as an attribute."""
    node = step.node
    old = schema_of(node.op_type, step.target)
    if old is None or "axes" not in old.attributes or step.attribute("axes") is not None:
        return None
    noop = step.attribute("noop_with_empty_axes")
    name = node.input[1] if len(node.input) > 1 else ""
    axes = step.integers(name) if name else []
    result = step.copy(without=["noop_with_empty_axes"])
    result.input[:] = node.input[:1]
    step.check_types(result)
    if name:
        step.released.add(name)
    if noop is not None and noop.ref_attr_name:
        step.refuse("its noop_with_empty_axes is an attribute of a function")
    if noop is not None and noop.i and not axes:
        if node.op_type not in _IDENTITY_WITHOUT_AXES:
            step.refuse("it reduces over no axis, which is new there")
        result.op_type = "Identity"
        del result.attribute[:]
        return [result]
    if axes:
        result.attribute.append(helper.make_attribute("axes", axes))
    return [result]


def _topk_down(step: Step) -> list[NodeProto] | None:
    """K as an input → as an attribute; an order that does not matter → the one order there is."""
    result = step.copy()
    if step.source == _TOPK_INPUT_SINCE:
        (k,) = step.integers(step.node.input[1])
        result.input[:] = step.node.input[:1]
        result.attribute.append(helper.make_attribute("k", k))
        step.released.add(step.node.input[1])
        return [result]
    if step.source == NEGATIVE_SINCE:
        for attribute in result.attribute:
            if attribute.name == "sorted" and not attribute.ref_attr_name:
                attribute.i = 1
            if attribute.name == "largest" and not attribute.i:
                step.refuse("largest=0 is new in opset 11")
        if stays(result, step.source, step.target):
            step.check_types(result)
            return [without_defaults(result, step.target)]
    return None


def _constant_down(step: Step) -> list[NodeProto] | None:
    """A number or list as an attribute (12) → a tensor; one of integers (9) → an initializer."""
    tensor = constant_tensor(step.node)
    if tensor is not None and step.source == 9 and tensor.data_type not in _CONSTANT_TYPES_BELOW_9:
        return [] if step.keep(tensor, step.node.output[0]) else convert_by_onnx(step)
    if step.source != 12 or tensor is None:
        return None
    result = step.copy()
    del result.attribute[:]
    result.attribute.append(helper.make_attribute("value", tensor))
    return [result]


def _reshape_down(step: Step) -> list[NodeProto] | None:
    """``allowzero`` (14) → nothing, where the shape has no 0, or where only an empty tensor can have one."""
    allows = step.attribute("allowzero")
    if step.source != 14 or allows is None or not allows.i:
        return None
    shape = step.node.input[1]
    if step.scope.constant(shape) is not None:
        fits = 0 not in step.integers(shape)
    else:
        made = step.scope.maker(shape)
        fits = made is not None and made.node.op_type == "Shape"
    if not fits:
        step.refuse("allowzero is new in opset 14")
    return [step.copy(without=["allowzero"])]


def _slopes(step: Step) -> list[NodeProto] | None:
    """A slope for each channel (before 7) ↔ slopes that broadcast from the last dimension on."""
    node, up = step.node, step.source < step.target
    if _BROADCAST_SINCE not in (step.source, step.target) or abs(step.source - step.target) != 1:
        return None
    x, slope = (step.lengths(name) for name in node.input)
    if slope is not None and all(size == 1 for size in slope):
        return [node]
    if x is None or slope is None or (None in slope and not up):
        step.refuse("the rank of its input, or the shape of its slopes, is not known")
    if (len(slope) == 1 and len(x) <= 2) or (len(slope) > 1 and up):
        return [node]
    full = [1] * (len(x) - len(slope)) + slope
    if not up and any(size != 1 for size in (*full[:1], *full[2:])):
        step.refuse("its slopes are not one for each channel")
    shape = [-1] + [1] * (len(x) - 2) * up
    nodes: list[NodeProto] = []
    wanted = step.store(np.array(shape, np.int64), f"{node.output[0]}_slopes_shape", nodes)
    slopes = step.scope.names.fresh(f"{node.output[0]}_slopes")
    nodes.append(helper.make_node("Reshape", [node.input[1], wanted], [slopes], domain=node.domain or None))
    result = step.copy()
    result.input[1] = slopes
    return [*nodes, result]


def _of_one_shape(step: Step) -> list[NodeProto] | None:
    """Inputs that broadcast (8) → of one shape: a sum by Adds, which broadcast; the others where they have it."""
    node = step.node
    if step.source != _MANY_BROADCAST_SINCE:
        return None
    shapes = {step.scope.value_type(name).shape for name in node.input}
    if len(node.input) == 1 or (len(shapes) == 1 and not any(_is_unknown(shape) for shape in shapes)):
        return [node]
    if node.op_type != "Sum":
        step.refuse("its inputs broadcast, or are not known to be of one shape")
    nodes = [step.made("Add", node.input[:2])]
    for name in node.input[2:]:
        nodes.append(step.made("Add", [nodes[-1].output[0], name]))
    return step.ended(nodes)


def _is_unknown(shape: tuple[Dimension, ...] | None) -> bool:
    # A length of 0 is written where any is meant.
    return shape is None or any(size is None or size == 0 for size in shape)


DOWN: dict[str, Rule] = {
    "Attention": attention,
    "Constant": _constant_down,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys(("Max", "Mean", "Min", "Sum"), _of_one_shape),
    "PRelu": _slopes,
    "Pad": pad,
    "Clip": clip,
    "Dropout": dropout,
    "Gemm": gemm,
    "LayerNormalization": layer_normalization,
    "Resize": resize,
    "Shape": shape,
    "Slice": slice_,
    "Split": split,
    "Reshape": _reshape_down,
    "TopK": _topk_down,
    **dict.fromkeys(_REDUCTIONS, _reduce_down),
}
UP: dict[str, Rule] = {"Attention": attention, "PRelu": _slopes}
