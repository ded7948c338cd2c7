"""Nodes that put the axes of a reduction back, or drop them, and do nothing else."""

from __future__ import annotations

from onnx import NodeProto

from ..graph.scopes import Scope
from ..graph.types import Dimension
from .reductions import Reduction, normal_axes


def changes_keepdims(
    node: NodeProto, reducing: NodeProto, reduced: Reduction, scope: Scope
) -> Reduction | None:
    """
    Return what an Unsqueeze, Squeeze or Reshape makes of a reduction: the same one with or without its axes.

    None where it may do something else. ``node`` works on what ``reducing`` gives, but for elementwise operators
    in between.
    """
    if reducing.op_type.startswith("Reduce") and (node.op_type == "Squeeze") == reduced.keepdims:
        rank = scope.rank(reducing.input[0])
        over = reduced.axes if reduced.axes is not None or rank is None else tuple(range(rank))
        same = over is not None and (
            _is_restored(
                scope.value_type(reducing.input[0]).shape, scope.value_type(node.output[0]).shape, over
            )
            if node.op_type == "Reshape"
            else _axes(node, rank, scope) == over
        )
        return Reduction(reduced.axes, not reduced.keepdims) if same else None
    return None


def is_idle(node: NodeProto, scope: Scope) -> bool:
    """Whether it is an Expand of a value to the shape that it has, for certain."""
    if node.op_type != "Expand" or len(node.input) != 2:
        return False
    made = scope.producers.get(node.input[0])
    if made is not None and made.op_type == "Reshape" and list(made.input[1:]) == list(node.input[1:]):
        return True  # a shape with -1 or 0 in it could not be expanded to
    before, after = (scope.value_type(name).shape for name in (node.input[0], node.output[0]))
    return before is not None and before == after and None not in before


def _is_restored(
    full: tuple[Dimension, ...] | None, made: tuple[Dimension, ...] | None, axes: tuple[int, ...]
) -> bool:
    """Whether a shape is the full one with these axes of length 1; of the others one may be unknown."""
    if full is None or made is None or len(full) != len(made):
        return False
    others = [at for at in range(len(full)) if at not in axes]
    unequal = [at for at in others if made[at] is None or made[at] != full[at]]
    # As many elements as before: with all lengths but one the same, that one is the same, too.
    contradicts = any(isinstance(made[at], int) and isinstance(full[at], int) for at in unequal)
    return all(made[axis] == 1 for axis in axes) and len(unequal) <= 1 and not contradicts


def _axes(node: NodeProto, rank: int | None, scope: Scope) -> tuple[int, ...] | None:
    attribute = next((a for a in node.attribute if a.name == "axes"), None)
    if attribute is not None:
        return normal_axes(tuple(attribute.ints), rank)
    values = scope.array(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    return None if values is None else normal_axes(tuple(int(axis) for axis in values.reshape(-1)), rank)
