"""
The way back from a tensor to an input of the model.

Copies, reshapings and transpositions, sums, differences, products and quotients with constants are undone exactly up to
rounding; of matrix products with a constant the least-squares solution is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from ..measure.ulp import Doubles
from ..steps.graph import Arrays, ModelGraph

_SOLVED_MAX = 2**23
"""Systems with larger matrices are not solved, which would take minutes."""

_COPIES = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout")
_PRODUCTS = ("MatMul", "Gemm")

_UNDO: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "Add": np.subtract,
    "Sub": np.add,
    "Mul": np.divide,
    "Div": np.multiply,
}


_UNDONE = (*_COPIES, *_PRODUCTS, *_UNDO, "Transpose")


class Inversion:
    """Goes back through one node after another; notes the operators, and whether a product was solved."""

    def __init__(self, graph: ModelGraph, plain: Arrays) -> None:
        self.passed: list[str] = []
        self.solved = False
        self._graph = graph
        self._plain = plain

    def leads(self, tensor: str) -> bool:
        """Whether there may be a way back from a tensor: nodes that can be undone, each of a single open input."""
        while tensor not in self._plain:
            node = self._graph.producers.get(tensor)
            open_ends = (
                [] if node is None else [x for x in node.input if x and self._graph.constant(x) is None]
            )
            if node is None or len(open_ends) != 1 or node.op_type not in _UNDONE:
                return False
            (tensor,) = open_ends
        return True

    def back(self, tensor: str, wanted: Doubles) -> tuple[str, Doubles] | None:
        """Return which input makes ``tensor`` what is wanted, and its values."""
        while tensor not in self._plain:
            node = self._graph.producers.get(tensor)
            if node is None:
                return None
            held = {name: self._graph.constant(name) for name in node.input if name}
            open_ends = [name for name, value in held.items() if value is None]
            if len(open_ends) != 1 or list(node.input).count(open_ends[0]) != 1:
                return None
            (tensor,) = open_ends
            try:
                with np.errstate(all="ignore"):
                    before = self._undone(node, tensor, held, wanted)
            except (ValueError, np.linalg.LinAlgError):  # shapes that only broadcast forwards
                return None
            if before is None:
                return None
            self.passed.append(node.op_type)
            wanted = before
        return (tensor, wanted) if wanted.size == self._plain[tensor].size else None

    def _undone(self, node: Any, tensor: str, held: Any, wanted: Doubles) -> Doubles | None:
        kind, options = node.op_type, attributes_of(node)
        first = node.input[0] == tensor
        if kind in _COPIES:
            return self._reshaped(tensor, wanted) if first else None
        if kind == "Transpose":
            order = options.get("perm", list(range(wanted.ndim))[::-1])
            return wanted.transpose([order.index(axis) for axis in range(wanted.ndim)])
        if kind in _PRODUCTS:
            return (
                self._solved(kind, options, [held.get(name) for name in node.input], wanted)
                if first
                else None
            )
        if "broadcast" in options or len(node.input) != 2 or (kind == "Div" and not first):
            return None
        (other,) = (value.astype(np.float64) for value in held.values() if value is not None)
        undo = _UNDO.get(kind)
        return None if undo is None else undo(wanted, other) if first or kind != "Sub" else other - wanted

    def _reshaped(self, tensor: str, wanted: Doubles) -> Doubles | None:
        if tensor in self._plain:
            shape: tuple[int, ...] = self._plain[tensor].shape
        elif (dims := self._graph.dims(tensor)) is not None and dims.count(None) <= 1:
            shape = tuple(-1 if length is None else length for length in dims)
        else:
            return None
        known = math.prod(length for length in shape if length > 0)
        fits = wanted.size % known == 0 if -1 in shape else wanted.size == known
        return wanted.reshape(shape) if fits else None

    def _solved(
        self, kind: str, options: dict[str, Any], operands: list[NDArray[Any] | None], wanted: Doubles
    ) -> Doubles | None:
        weight = operands[1]
        if weight is None or weight.ndim != 2 or weight.size > _SOLVED_MAX or options.get("transA"):
            return None
        if not np.isfinite(wanted).all():
            return None
        matrix = weight.astype(np.float64)
        if kind == "Gemm":
            matrix = options.get("alpha", 1.0) * (matrix.T if options.get("transB") else matrix)
            if len(operands) > 2 and operands[2] is not None:
                wanted = wanted - options.get("beta", 1.0) * operands[2].astype(np.float64)
        self.solved = True
        return np.asarray(wanted @ np.linalg.pinv(matrix))
