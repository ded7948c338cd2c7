"""
Softmax, LogSoftmax and Hardmax across opset 13, where the meaning of `axis` changed.

Up, flatten → single, the node works along the product of the dimensions from `axis` on:

- one plain node where at most one of these dimensions is not 1;
- otherwise Flatten(axis), the node along the last axis, Reshape back: to a constant shape where no more than
  one dimension is unknown, to the Shape of the input elsewhere.

Down, single → flatten, the node works along dimension `axis` alone:

- one plain node where all later dimensions are 1;
- otherwise the dimension is swapped with the last one by a Transpose before and after;
- where the rank is unknown and `axis` is neither first nor last, the dimensions behind it are merged first,
  by a Reshape that copies those up to it.

Transpose without a permutation reverses any rank: so the first axis becomes the last and a negative axis a
positive one. None of these nodes computes: each line the operator sees has the same numbers in the same order.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from ..errors import ModelError, UnsupportedModelError
from .step import Step

AXIS_OPERATORS = ("Softmax", "LogSoftmax", "Hardmax")
SINGLE_SINCE = 13
_FLATTEN_DEFAULT, _SINGLE_DEFAULT = 1, -1
_ALLOWZERO_SINCE = 14
_NEGATIVE_SINCE = 11
# No tensor has as many; where its rank is unknown, an axis beyond is none all the same.
_MOST_AXES = 1000


def convert_axis(step: Step) -> list[onnx.NodeProto]:
    """Return the nodes that do at the target what the node does at the source."""
    return _Rewriter(step).convert()


class _Rewriter:
    """One node on its way to another opset; `_before` and `_after` collect what is put around it."""

    def __init__(self, step: Step) -> None:
        self._step, self._node, self._output = step, step.copy(), step.node.output[0]
        self._fresh = step.scope.names.fresh
        self._before: list[onnx.NodeProto] = []
        self._after: list[onnx.NodeProto] = []

    def convert(self) -> list[onnx.NodeProto]:
        source, target = self._step.source, self._step.target
        up, down = source < SINGLE_SINCE <= target, target < SINGLE_SINCE <= source
        given = self._step.attribute("axis")
        if given is not None and given.ref_attr_name:
            if down:
                message = (
                    f"expected an axis that is a number, to convert {self._named} below opset "
                    f"{SINGLE_SINCE} (got the attribute {given.ref_attr_name!r} of the function around it); "
                    "inline the function first, with onnx.inliner.inline_local_functions"
                )
                raise UnsupportedModelError(message)
            if up:
                self._flattened(given)
        else:
            default = _FLATTEN_DEFAULT if source < SINGLE_SINCE else _SINGLE_DEFAULT
            axis = default if given is None else given.i
            dims = self._step.lengths(self._node.input[0])
            if dims is not None:
                axis = self._within(axis, len(dims))
            if up:
                self._up(axis, dims)
            elif down:
                self._down(axis, dims)
            elif given is not None and given.i < 0 and target < _NEGATIVE_SINCE:
                self._set_axis(axis)
        return [*self._before, self._node, *self._after]

    def _within(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            room = f"an axis in [{-rank}, {rank - 1}]" if rank else "an input of rank 1 or more"
            message = (
                f"{self._named} of opset {self._step.source}: expected {room} (got axis {axis} for rank {rank}); "
                "correct the model"
            )
            raise ModelError(message)
        return axis % rank

    def _up(self, axis: int, dims: list[int | None] | None) -> None:
        long = None if dims is None else [index for index in range(axis, len(dims)) if dims[index] != 1]
        if dims is None and axis == -1:
            self._set_axis(axis)
        elif long is not None and len(long) <= 1:
            self._set_axis(long[0] if long else axis)
        else:
            self._flattened(helper.make_attribute("axis", axis), dims)

    def _flattened(self, axis: onnx.AttributeProto, dims: list[int | None] | None = None) -> None:
        """Put Flatten before the node and Reshape behind it; the axis may be a reference."""
        shape = self._shape(dims)
        self._first("Flatten").attribute.append(axis)
        self._set_axis(-1)
        self._last("Reshape", shape)

    def _down(self, axis: int, dims: list[int | None] | None) -> None:
        if axis == -1 or (dims is not None and all(dim == 1 for dim in dims[axis + 1 :])):
            self._set_axis(axis)
        elif dims is not None:
            self._swapped(axis, len(dims) - 1)
        elif axis == 0:
            self._reversed()
            self._set_axis(-1)
        else:
            if axis < 0:
                self._reversed()
                axis = -axis - 1
            if axis >= _MOST_AXES:
                message = f"{self._named}: expected an axis within its input (got {axis}); correct the model"
                raise ModelError(message)
            shape = self._shape(None)
            merged = np.array([0] * (axis + 1) + [-1], np.int64)
            self._first("Reshape", self._step.store(merged, f"{self._output}_merged", self._before))
            after, self._after = self._after, []
            self._swapped(axis, axis + 1)
            self._last("Reshape", shape)
            self._after += after

    def _swapped(self, axis: int, last: int) -> None:
        perm = [*range(axis), last, *range(axis + 1, last), axis]
        self._first("Transpose").attribute.append(helper.make_attribute("perm", perm))
        self._set_axis(last)
        self._last("Transpose").attribute.append(helper.make_attribute("perm", perm))

    def _reversed(self) -> None:
        self._first("Transpose")
        self._last("Transpose")

    def _shape(self, dims: list[int | None] | None) -> str:
        """Name the shape to go back to: that of what the node is fed with at this moment."""
        hint = f"{self._output}_shape"
        if dims is not None and dims.count(None) <= 1:
            fixed = np.array([-1 if dim is None else dim for dim in dims], np.int64)
            return self._step.store(fixed, hint, self._before)
        name = self._fresh(hint)
        self._before.append(self._make("Shape", [self._node.input[0]], [name]))
        return name

    def _first(self, op_type: str, *inputs: str) -> onnx.NodeProto:
        """Put a node right before ours."""
        name = self._fresh(f"{self._output}_{op_type.lower()}")
        new = self._make(op_type, [self._node.input[0], *inputs], [name])
        self._node.input[0] = name
        self._before.append(new)
        return new

    def _last(self, op_type: str, *inputs: str) -> onnx.NodeProto:
        """Put a node behind ours and all that follows it."""
        end = self._after[-1] if self._after else self._node
        output, name = end.output[0], self._fresh(f"{self._output}_lines")
        end.output[0] = name
        new = self._make(op_type, [name, *inputs], [output])
        computed = [node.output[0] for node in self._before if node.op_type == "Shape"]
        if op_type == "Reshape" and self._step.target >= _ALLOWZERO_SINCE and inputs[0] in computed:
            new.attribute.append(helper.make_attribute("allowzero", 1))
        self._after.append(new)
        return new

    def _make(self, op_type: str, inputs: list[str], outputs: list[str]) -> onnx.NodeProto:
        name = self._fresh(f"{self._node.name}_{op_type}") if self._node.name else None
        return helper.make_node(op_type, inputs, outputs, name, domain=self._node.domain or None)

    def _set_axis(self, axis: int) -> None:
        kept = [attribute for attribute in self._node.attribute if attribute.name != "axis"]
        del self._node.attribute[:]
        self._node.attribute.extend([*kept, helper.make_attribute("axis", axis)])

    @property
    def _named(self) -> str:
        node = self._node
        return (
            f"{node.op_type} {node.name!r}"
            if node.name
            else f"the {node.op_type} that gives {node.output[0]!r}"
        )
