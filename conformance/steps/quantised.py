"""
Quantised tensors: which steps are right.

``y = round(x / scale) + zero_point``, cut off to the range of its dtype. A step is right when what is rounded is no
further from it than half a step and as much as ``x`` may be off: beside a tie the next one is right too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from ..measure.ulp import Doubles, unit_roundoff
from .graph import Arrays, ModelGraph

Array = NDArray[Any]


def wrong_steps(
    graph: ModelGraph,
    tensor: str,
    actual: Array,
    values: Arrays,
    recomputed: Arrays,
    slack_of: Callable[[str], Doubles],
) -> NDArray[np.bool_] | None:
    """
    Return where a quantised tensor is wrong; None for a tensor that nothing quantises into integers.

    Parameters
    ----------
    values
        The runtime's own values: scale, zero point, and what is quantised, where that is one of them.
    recomputed
        What our backend makes of these.
    slack_of
        How far each number of ``x`` may be off, where it is one of those.
    """
    node = graph.producers.get(tensor)
    limits = _limits(actual.dtype)
    if node is None or limits is None:
        return None
    if node.op_type.startswith("QLinear") and graph.operator(node) is None:
        # What it rounds nobody gives out: the next step may be as right.
        return np.asarray(np.abs(actual.astype(np.int64) - recomputed[tensor].astype(np.int64)) > 1)
    given = graph.value(node.input[0], values) if node.input else None
    x = recomputed.get(node.input[0]) if given is None and node.input else given
    scaling = _scaling(graph, node, tensor, values)
    if x is None or scaling is None:
        return None
    wide = x.astype(np.float64)
    if node.op_type == "DynamicQuantizeLinear" and tensor == node.output[2]:
        exact = -np.minimum(wide.min(initial=0), 0) / scaling.scale.astype(np.float64)
        return _beyond(actual, np.asarray(exact), np.zeros(()), limits, x.dtype)
    slack = np.zeros(wide.shape)
    if given is None and wide.ndim and wide.size:
        slack = slack_of(node.input[0])
    steps, zeros = (_spread(part.astype(np.float64), wide, scaling) for part in (scaling.scale, scaling.zero))
    with np.errstate(all="ignore"):
        return _beyond(actual, wide / steps + zeros, slack / np.abs(steps), limits, x.dtype)


class _Scaling(NamedTuple):
    """Scale and zero point, the axis that they are along, and how many of its elements share one; 0 for one each."""

    scale: Array
    zero: Array
    axis: int = 0
    block: int = 0


def _scaling(graph: ModelGraph, node: onnx.NodeProto, tensor: str, values: Arrays) -> _Scaling | None:
    if node.op_type == "QuantizeLinear":
        scale = graph.value(node.input[1], values)
        has_zero = len(node.input) > 2 and node.input[2]
        zero = graph.value(node.input[2], values) if has_zero else np.zeros((), np.int64)
        options = attributes_of(node)
        axis, block = options.get("axis", 1), options.get("block_size", 0)
    elif node.op_type == "DynamicQuantizeLinear" and tensor != node.output[1]:
        scale, zero = (values.get(name) for name in node.output[1:3])
        axis = block = 0
    else:
        return None
    return None if scale is None or zero is None else _Scaling(scale, zero, axis, block)


def _beyond(
    actual: Array, exact: Doubles, slack: Doubles, limits: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[np.bool_]:
    # The quotient is rounded in the dtype of x, and may be taken by a reciprocal.
    slack = slack + 4 * unit_roundoff(dtype) * np.abs(np.nan_to_num(exact, posinf=0, neginf=0))
    distance = np.abs(actual.astype(np.float64) - np.clip(exact, *limits))
    # Of a NaN ONNX does not say what it becomes.
    return np.asarray((distance > 0.5 + slack) & ~np.isnan(exact))


def _limits(dtype: np.dtype[Any]) -> tuple[int, int] | None:
    if dtype.kind == "b":
        return None
    try:
        info = ml_dtypes.iinfo(dtype)  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    return int(info.min), int(info.max)


def _spread(part: Doubles, x: Doubles, scaling: _Scaling) -> Doubles:
    """Give scales, or zero points, the shape that they are used in: for all, by axis, or by blocks along it."""
    if not x.ndim:
        return part.reshape(())
    axis = scaling.axis % x.ndim
    if part.ndim == x.ndim and scaling.block:
        return np.repeat(part, scaling.block, axis).take(range(x.shape[axis]), axis)
    return part.reshape([-1 if place == axis else 1 for place in range(x.ndim)])
