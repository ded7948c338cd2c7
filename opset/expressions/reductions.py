"""What a node reduces or normalizes over, whether it says so in an attribute, an input or an axis."""

from __future__ import annotations

from typing import NamedTuple

import onnx

from ..graph.scopes import Scope
from ..operators.table import operator

# No tensor has as many; where its rank is unknown, an axis beyond is none all the same.
_MOST_AXES = 1000


class Reduction(NamedTuple):
    """Axes (None for all) and whether they stay as axes of length 1."""

    axes: tuple[int, ...] | None
    keepdims: bool


def reduction(node: onnx.NodeProto, scope: Scope) -> Reduction | None:
    """Return what a node reduces; None when that is known only at run time, or is nothing."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if any(attribute.ref_attr_name for attribute in node.attribute):
        return None
    keepdims = bool(attributes["keepdims"].i) if "keepdims" in attributes else True
    axes: tuple[int, ...] | None = None
    if "axes" in attributes:
        axes = tuple(attributes["axes"].ints)
    elif len(node.input) > 1 and node.input[1]:
        values = scope.array(node.input[1])
        if values is None:
            return None
        axes = tuple(int(axis) for axis in values.reshape(-1))
    if not axes:
        noop = "noop_with_empty_axes" in attributes and attributes["noop_with_empty_axes"].i
        return None if noop else Reduction(None, keepdims)
    return Reduction(normal_axes(axes, scope.rank(node.input[0])), keepdims)


def reduced_by_softmax(axis: int, rank: int | None, op_type: str, opset: int) -> tuple[int, ...] | None:
    """Return the axes over which an operator with an axis normalizes, under the axis rule of the opset."""
    if operator(op_type, opset).axis_rule == "single":
        return normal_axes((axis,), rank)
    if rank is not None:
        return tuple(range(axis + rank if axis < 0 else axis, rank)) if -rank <= axis < rank else None
    return tuple(range(axis, 0)) if -_MOST_AXES <= axis < 0 else None


def softmax_axis(axes: tuple[int, ...] | None, rank: int | None, opset: int) -> int | None:
    """Return the axis of a Softmax that normalizes over ``axes``; None when there is none for certain."""
    if axes is None:
        axes = None if rank is None else tuple(range(rank))
    if not axes:
        return None
    reduced = reduced_by_softmax(axes[0], rank, "Softmax", opset)
    # Below opset 11 no axis may be counted from the end.
    return axes[0] if reduced == axes and (axes[0] >= 0 or opset >= 11) else None


def normal_axes(axes: tuple[int, ...], rank: int | None) -> tuple[int, ...]:
    """Return axes counted from the front where the rank is known, in ascending order."""
    if rank is None:
        return tuple(sorted(axes))
    return tuple(sorted(axis + rank if axis < 0 else axis for axis in axes))
