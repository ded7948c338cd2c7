"""Softmax and LogSoftmax: as nodes, spelled out with the maximum subtracted, and Softmax followed by Log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..expressions.patterns import Match, Pattern, find
from ..expressions.reductions import normal_axes
from ..graph.scopes import Scope
from ..operators.table import operator
from .fusion import Finding, NearMiss, asked_for, fused, in_order
from .kernels import kernels
from .reading import attribute, made_by

Array = NDArray[Any]

_PEAK: Pattern = ("ReduceMax", "x")
_SHIFTED: Pattern = ("Sub", "x", _PEAK)
_EXP: Pattern = ("Exp", _SHIFTED)
_SUM: Pattern = ("ReduceSum", _EXP)
_SPELLED: dict[str, tuple[tuple[str, Pattern], ...]] = {
    "Div": (("softmax", ("Div", _EXP, _SUM)),),
    "Mul": (("softmax", ("Mul", _EXP, ("Reciprocal", _SUM))),),
    "Sub": (
        ("log_softmax", ("Sub", _SHIFTED, ("Log", _SUM))),
        ("log_softmax", ("Sub", "x", ("Add", _PEAK, ("Log", _SUM)))),
    ),
}
"""By the operator of the last node. All subtract the maximum: without it they overflow where a Softmax does not."""

_WITHOUT_PEAK: dict[str, Pattern] = {
    "Div": ("Div", ("Exp", "x"), ("ReduceSum", ("Exp", "x"))),
    "Mul": ("Mul", ("Exp", "x"), ("Reciprocal", ("ReduceSum", ("Exp", "x")))),
}


@dataclass(frozen=True)
class Normalized:
    """
    Nodes that make a softmax.

    Attributes
    ----------
    kernel
        ``"softmax"`` or ``"log_softmax"``.
    x
        What it is taken of.
    axes
        Along which; below opset 13 a Softmax goes over all axes from the one on (``flattens``).
    nodes
        The last one gives the result.
    """

    kernel: str
    x: str
    axes: tuple[int, ...]
    flattens: bool
    nodes: tuple[NodeProto, ...]

    def axis(self, rank: int) -> int | None:
        """The only axis for an array of this rank, from 0; None where it is not one alone, or there is none."""
        if len(self.axes) != 1 or not -rank <= self.axes[0] < rank:
            return None
        axis = self.axes[0] % rank
        return axis if not self.flattens or axis == rank - 1 else None

    def not_last(self, scope: Scope) -> str | None:
        """Why it is for certain not along the last axis; None where it is, or nobody knows."""
        rank = scope.rank(self.x)
        if len(self.axes) != 1:
            return "it goes over several axes"
        if rank is None or self.axis(rank) == rank - 1:
            return None
        if self.flattens and -rank <= self.axes[0] < rank:
            return f"opset {scope.opset}'s axis rule flattens axis {self.axes[0]} of rank {rank} and all after it"
        return f"axis {self.axes[0]} is not the last of {rank}"


def softmax_node(node: NodeProto, scope: Scope) -> Normalized | None:
    """A Softmax or LogSoftmax node as what it is."""
    if made_by(node.output[0], scope, "Softmax", "LogSoftmax") is None:
        return None
    row = operator(node.op_type, scope.opset)
    axis = attribute(node, "axis", row.default_axis)
    if axis is None:
        return None
    kernel = "softmax" if node.op_type == "Softmax" else "log_softmax"
    return Normalized(kernel, node.input[0], (int(axis),), row.axis_rule == "flatten", (node,))


def spelled_out(root: NodeProto, scope: Scope) -> Normalized | None:
    """The softmax or log-softmax that a node gives the last step of, however its values are read elsewhere."""
    for kernel, pattern in _SPELLED.get(root.op_type, ()):
        match = find(pattern, root, scope, closed=False)
        axes = None if match is None else _axes(match, scope)
        if match is not None and axes is not None:
            return Normalized(kernel, match.values["x"], axes, False, in_order(match.nodes.values(), scope))
    return None


def _axes(match: Match, scope: Scope) -> tuple[int, ...] | None:
    """What all reductions go over, where it is the same and the axes stay."""
    if not all(reduced.keepdims for reduced in match.reductions.values()):
        return None
    rank = scope.rank(match.values["x"])  # of all that is reduced, though it may be known of some alone
    over = {None if axes is None else normal_axes(axes, rank) for axes, _ in match.reductions.values()}
    return over.pop() if len(over) == 1 else None


def softmax_at(name: str, scope: Scope) -> Normalized | None:
    """The softmax, as a node or spelled out, that gives a value."""
    node = scope.producers.get(name)
    if node is None or node.output[0] != name:
        return None
    found = softmax_node(node, scope) or spelled_out(node, scope)
    return found if found is not None and found.kernel == "softmax" else None


def find_spelled_out(root: NodeProto, scope: Scope) -> Finding:
    """A softmax or log-softmax by simpler operators."""
    found = spelled_out(root, scope)
    if found is not None:
        return fused(f"spelled-out {found.kernel}", found.nodes, (found.x,), _along(found), scope)
    pattern = _WITHOUT_PEAK.get(root.op_type)
    match = None if pattern is None else find(pattern, root, scope, closed=False)
    if match is None or made_by(match.values["x"], scope, "Sub") is not None:
        return None
    nodes = in_order(match.nodes.values(), scope)
    reason = "no maximum is subtracted: it overflows where a Softmax does not"
    return NearMiss("spelled-out softmax", nodes, asked_for(nodes, scope) or reason)


def find_log_of_softmax(root: NodeProto, scope: Scope) -> Finding:
    """Softmax followed by Log."""
    if made_by(root.output[0], scope, "Log") is None:
        return None
    found = softmax_at(root.input[0], scope)
    if found is None:
        return None
    logged = Normalized("log_softmax", found.x, found.axes, found.flattens, (*found.nodes, root))
    return fused("log of softmax", logged.nodes, (found.x,), _along(logged), scope)


def _along(found: Normalized) -> Callable[[Array], Array | None]:
    """The kernel along the one axis; None for more axes than one, and dtypes that it does not take."""
    kernel = getattr(kernels(), found.kernel)
    taken = {np.dtype(np.float32), np.dtype(np.float64)}

    def run(x: Array) -> Array | None:
        axis = found.axis(x.ndim) if x.ndim else None
        if axis is None or x.dtype not in taken:
            return None
        y: Array = kernel(x, axis)
        return y

    return run
