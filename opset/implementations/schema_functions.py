"""Operators that ONNX defines by others: the bodies in their schemas."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from ..graph.domains import schema_of
from ..graph.functions import bound_function
from ..nodes.node import Node, Operation, Run, Value

_REMEMBERED = 16
"""So many combinations of dtypes and shapes keep their plans."""


def schema_body(node: Node) -> onnx.FunctionProto | None:
    """The body of the node's operator, with the schema's defaults, if it is the same for all types of input."""
    schema = _schema(node)
    if schema is None or not schema.has_function:
        return None
    version = _version_for(node, schema.function_opset_versions)
    body = onnx.FunctionProto()
    body.ParseFromString(schema.get_function_with_opset_version(version))
    given = {attribute.name for attribute in body.attribute_proto}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            body.attribute_proto.append(attribute.default_value)
            body.attribute_proto[-1].name = name
    return body


def typed_function(node: Node) -> Operation | None:
    """An operator whose body depends on the types of its inputs, planned when these are seen first."""
    schema = _schema(node)
    if schema is None or not schema.has_context_dependent_function:
        return None
    version = _version_for(node, schema.context_dependent_function_opset_versions)
    content = node.proto.SerializeToString()
    plans: dict[tuple[Any, ...], Run] = {}

    def planned(inputs: tuple[Value, ...]) -> Run:
        types = [_type_of(value).SerializeToString() for value in inputs]
        body = onnx.FunctionProto()
        body.ParseFromString(
            schema.get_context_dependent_function_with_opset_version(version, content, types)
        )
        del body.output[node.outputs :]  # those that the node leaves out the body may not make
        return node.planning.function(bound_function(body, node.proto))

    def run(*inputs: Value) -> list[Value]:
        key = tuple(None if value is None else (value.dtype, value.shape) for value in inputs)
        if key not in plans:
            if len(plans) >= _REMEMBERED:
                plans.clear()
            plans[key] = planned(inputs)
        return plans[key](inputs)

    return Operation(run, many=True)


def _schema(node: Node) -> Any:  # onnx's own types lack what a schema says of functions
    proto = node.proto
    return schema_of(proto.op_type, node.version, proto.domain)


def _version_for(node: Node, versions: list[int]) -> int:
    """The newest body that is no newer than the node, or the newest of all."""
    return max([version for version in versions if version <= node.version] or versions)


def _type_of(value: Value) -> onnx.TypeProto:
    if not isinstance(value, np.ndarray):
        return onnx.TypeProto()
    number = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_type_proto(number, value.shape)
