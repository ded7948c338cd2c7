"""Operators that ONNX defines by others: the bodies in their schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from ..graph.functions import bound_function
from .plan import Plan, Value

_REMEMBERED = 16
"""So many combinations of dtypes and shapes keep their plans."""


def static_body(node: onnx.NodeProto, version: int) -> onnx.FunctionProto | None:
    """The body of the node's operator, with the schema's defaults, if it is the same for all types of input."""
    schema = _schema(node, version)
    if schema is None or not schema.has_function:
        return None
    newest = [number for number in schema.function_opset_versions if number <= version]
    body = onnx.FunctionProto()
    body.ParseFromString(
        schema.get_function_with_opset_version(max(newest or schema.function_opset_versions))
    )
    given = {attribute.name for attribute in body.attribute_proto}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            body.attribute_proto.append(attribute.default_value)
            body.attribute_proto[-1].name = name
    return body


class TypedFunction:
    """An operator whose body depends on the types of its inputs, planned when these are seen first."""

    def __init__(
        self,
        node: onnx.NodeProto,
        make: Callable[[bytes, list[bytes]], bytes],
        plan: Callable[[onnx.FunctionProto], Plan],
    ) -> None:
        self._node, self._make, self._plan = node, make, plan
        self._plans: dict[tuple[Any, ...], Plan] = {}

    @classmethod
    def of(
        cls, node: onnx.NodeProto, version: int, plan: Callable[[onnx.FunctionProto], Plan]
    ) -> TypedFunction | None:
        """The function of the node's operator, or None where it has none."""
        schema = _schema(node, version)
        if schema is None or not schema.has_context_dependent_function:
            return None
        known = schema.context_dependent_function_opset_versions
        number = max([n for n in known if n <= version] or known)
        return cls(
            node,
            lambda content, types: schema.get_context_dependent_function_with_opset_version(
                number, content, types
            ),
            plan,
        )

    def run(self, *inputs: Value) -> list[Value]:
        """Run the body for these inputs."""
        key = tuple(None if value is None else (value.dtype, value.shape) for value in inputs)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            plan = self._plans[key] = self._plan(self._body(inputs))
        return plan.run((*inputs, *[None] * (len(plan.inputs) - len(inputs))))

    def _body(self, inputs: tuple[Value, ...]) -> onnx.FunctionProto:
        types = [_type_of(value).SerializeToString() for value in inputs]
        body = onnx.FunctionProto()
        body.ParseFromString(self._make(self._node.SerializeToString(), types))
        return bound_function(body, self._node)


def _schema(
    node: onnx.NodeProto, version: int
) -> Any:  # onnx's own types lack what a schema says of functions
    if not onnx.defs.has(node.op_type, version, node.domain):
        return None
    return onnx.defs.get_schema(node.op_type, version, node.domain)


def _type_of(value: Value) -> onnx.TypeProto:
    if not isinstance(value, np.ndarray):
        return onnx.TypeProto()
    number = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_type_proto(number, value.shape)
