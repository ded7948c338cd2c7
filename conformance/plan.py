"""
A model cut into steps.

The cuts are the inputs and outputs of softmax-family nodes and the inputs of ArgMax and TopK. A runtime is
made to give them out (`Plan.probed`), and what lies behind a cut is computed again from the runtime's own
values (`Plan.resumed`), so that every step is judged by itself: a difference that a matrix product is
entitled to is not held against the softmax behind it, and no decision is called wrong for a logit that
another rounding moved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from softops.opset import UnknownOperatorError, UnknownOpsetError
from softops.opset.domains import DOMAINS, imported_opset
from softops.opset.operators import Operator, operator

from .bounds import JUDGED

RECOMPUTED = "/recomputed"
"""What `Plan.resumed` appends to the name of a cut."""

_DECISIONS = ("ArgMax", "TopK")


class FamilyNode(NamedTuple):
    """A node of the softmax family: its row in the table, its input and its axis."""

    operator: Operator
    source: str
    axis: int | None


class Plan:
    """Which tensors of a model are judged, and the models that give and take them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.outputs = tuple(value.name for value in model.graph.output)
        self.producers = {name: node for node in model.graph.node for name in node.output if name}
        self.opset = imported_opset(model) or 1
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._types = self._infer_types()
        self.cuts = tuple(
            name for name in self._boundaries() if name in self.producers and name in self._types
        )

    def family(self, tensor: str) -> FamilyNode | None:
        """Return the softmax-family node that makes ``tensor``, if one does."""
        node = self.producers.get(tensor)
        return None if node is None else self._family_node(node)

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Return the value of ``tensor`` if the model holds it."""
        if tensor in self._initializers:
            return numpy_helper.to_array(self._initializers[tensor])
        node = self.producers.get(tensor)
        if node is not None and node.op_type == "Constant":
            value = attributes(node).get("value")
            return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else None
        return None

    def probed(self) -> onnx.ModelProto | None:
        """Return the model with the cuts as further outputs; None when it gives them all out already."""
        extra = [name for name in self.cuts if name not in self.outputs]
        if not extra:
            return None
        model = _copy(self.model)
        model.graph.output.extend(self._value(name) for name in extra)
        return model

    @property
    def probed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of `probed`, in order."""
        return (*self.outputs, *(name for name in self.cuts if name not in self.outputs))

    def resumed(self) -> onnx.ModelProto:
        """Return the model that takes the cuts as inputs and computes each again, under another name."""
        model = _copy(self.model)
        for node in model.graph.node:
            for place, name in enumerate(node.output):
                if name in self.cuts:
                    node.output[place] = name + RECOMPUTED
        kept = [value for value in model.graph.output if value.name not in self.cuts]
        del model.graph.output[:], model.graph.value_info[:]
        model.graph.output.extend(kept)
        model.graph.output.extend(self._value(name, RECOMPUTED) for name in self.cuts)
        model.graph.input.extend(self._value(name) for name in self.cuts)
        return model

    @property
    def resumed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of `resumed`, in order, as they are called in the model itself."""
        return (*(name for name in self.outputs if name not in self.cuts), *self.cuts)

    def _boundaries(self) -> list[str]:
        names: dict[str, None] = {}
        for node in self.model.graph.node:
            if self._family_node(node) is not None:
                names.update({node.input[0]: None, node.output[0]: None})
            elif node.op_type in _DECISIONS and node.domain in DOMAINS:
                names[node.input[0]] = None
        return [name for name in names if self.constant(name) is None]

    def _family_node(self, node: onnx.NodeProto) -> FamilyNode | None:
        try:
            row = operator(node.op_type, self.opset, node.domain)
        except (UnknownOperatorError, UnknownOpsetError):
            return None
        if row.op_type not in JUDGED:
            return None
        axis = attributes(node).get("axis")
        return FamilyNode(row, node.input[0], axis)

    def _infer_types(self) -> dict[str, onnx.TypeProto]:
        # Only names and types are wanted: the weights need not be copied for it.
        graph = onnx.shape_inference.infer_shapes(self.model).graph
        values = (*graph.value_info, *graph.output)
        return {value.name: value.type for value in values if value.type.tensor_type.HasField("shape")}

    def _value(self, name: str, suffix: str = "") -> onnx.ValueInfoProto:
        # Of the shape the rank alone: an inferred length may be wrong for what the model really does.
        tensor = self._types[name].tensor_type
        return helper.make_tensor_value_info(name + suffix, tensor.elem_type, [None] * len(tensor.shape.dim))


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_discrete(array: NDArray[Any]) -> bool:
    """Tell whether an array holds what is either equal or not: integers, booleans, strings."""
    return array.dtype.kind in "iubOSUT" or array.dtype == np.bool_


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
