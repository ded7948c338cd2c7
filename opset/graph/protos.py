"""What is read off the protobufs of a model: types, names, versions, and the model without its weights."""

from __future__ import annotations

from typing import NamedTuple

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

from .tensors import dimension_of

# Shape inference reads the small tensors (shapes, axes) alone; larger ones would be copied for nothing.
_LARGE = 1024

Dimension = int | str | None
"""A size, a symbol, or nothing known."""


class ValueType(NamedTuple):
    """What is known of a value: dtype (such as ``"float32"``) and shape, None where nothing is known."""

    dtype: str | None = None
    shape: tuple[Dimension, ...] | None = None


DTYPES = {
    number: {"float": "float32", "double": "float64"}.get(name.lower(), name.lower())
    for name, number in TensorProto.DataType.items()
    if number != TensorProto.UNDEFINED
}
_NUMBERS = {name: number for number, name in DTYPES.items()}


def declared_type(given: onnx.TypeProto) -> ValueType:
    """What a declaration says of a value."""
    if not given.HasField("tensor_type"):
        return ValueType()
    tensor = given.tensor_type
    if not tensor.HasField("shape"):
        return ValueType(DTYPES.get(tensor.elem_type))
    return ValueType(DTYPES.get(tensor.elem_type), tuple(map(_dimension, tensor.shape.dim)))


def _dimension(dim: onnx.TensorShapeProto.Dimension) -> Dimension:
    """As the model has it; shape inference makes up names for what it does not know."""
    found = dimension_of(dim)
    return None if isinstance(found, str) and found.startswith("unk__") else found


def value_info(name: str, known: ValueType) -> onnx.ValueInfoProto:
    """Return the declaration of a value, as far as its type is known."""
    if known.dtype is None:
        return onnx.ValueInfoProto(name=name)
    declared: onnx.ValueInfoProto = onnx.helper.make_tensor_value_info(
        name, _NUMBERS[known.dtype], known.shape
    )
    return declared


def label_of(node: NodeProto) -> str:
    """What to call a node: its name, or the value it makes."""
    return node.name or next((name for name in node.output if name), node.op_type)


def attribute_of(node: NodeProto, name: str) -> AttributeProto | None:
    """The attribute of that name, None where the node leaves it to the default."""
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def skeleton(model: ModelProto) -> ModelProto:
    """Return the model without its large tensors, of which the type remains."""
    light = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    graph = model.graph
    light.graph.name = graph.name
    light.graph.node.extend(graph.node)
    light.graph.output.extend(graph.output)
    light.graph.value_info.extend(graph.value_info)
    light.graph.input.extend(graph.input)
    listed = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if is_small(tensor):
            light.graph.initializer.append(tensor)
        elif tensor.name not in listed:
            light.graph.value_info.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    light.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(sparse.values.name, sparse.values.data_type, list(sparse.dims))
        for sparse in graph.sparse_initializer
    )
    return light


def is_small(tensor: TensorProto) -> bool:
    """Whether the values of a tensor are at hand, and few."""
    size = 1
    for dimension in tensor.dims:
        size *= dimension
    return size <= _LARGE and tensor.data_location != TensorProto.EXTERNAL
