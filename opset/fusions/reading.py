"""What patterns ask of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper

from ..graph.domains import canonical_domain
from ..graph.scopes import Scope
from ..graph.walk import attribute_of

_INPUTS = {"Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "MatMul": 2, "Gemm": 2, "Einsum": 2, "Where": 3}


def made_by(name: str, scope: Scope, *op_types: str) -> NodeProto | None:
    """The node of this scope whose first output a value is, where it is one of these operators of ai.onnx."""
    node = scope.producers.get(name)
    if node is None or canonical_domain(node.domain) or node.op_type not in op_types:
        return None
    is_whole = len(node.input) >= _INPUTS.get(node.op_type, 1) and node.input[0]
    return node if node.output[0] == name and is_whole else None


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute; None where a function's caller gives it."""
    found = attribute_of(node, name)
    if found is None:
        return default
    return None if found.ref_attr_name else helper.get_attribute_value(found)


def number(name: str, scope: Scope) -> float | None:
    """The number that a constant of one element holds."""
    value = scope.array(behind_identities(name, scope))
    if value is None or value.size != 1 or value.dtype.kind in "OSU":
        return None
    return float(value.reshape(()).astype(np.float64))


def behind_identities(name: str, scope: Scope) -> str:
    """The name of a value before the Identity nodes that it went through."""
    while (node := made_by(name, scope, "Identity")) is not None:
        name = node.input[0]
    return name


def is_scalar(name: str, scope: Scope) -> bool:
    """Whether a value may be one number: known to be, or not known not to be."""
    shape = scope.value_type(name).shape
    return shape is None or all(length in (1, None) or isinstance(length, str) for length in shape)


def axes_of(node: NodeProto, scope: Scope) -> tuple[int, ...] | None:
    """The axes that a node names, in an attribute or in a constant input."""
    given = attribute(node, "axes", None)
    if given is None and len(node.input) > 1 and node.input[1]:
        given = scope.array(behind_identities(node.input[1], scope))
    return None if given is None else tuple(int(axis) for axis in np.ravel(given))


def constant_shape(name: str, scope: Scope) -> tuple[int, ...] | None:
    """The shape of a constant, however large; None for what is none."""
    turned = made_by(name, scope, "Transpose")
    if turned is not None:
        shape = constant_shape(turned.input[0], scope)
        order = attribute(turned, "perm", None)
        if shape is None or (order is not None and sorted(order) != list(range(len(shape)))):
            return None
        return shape[::-1] if order is None else tuple(shape[place] for place in order)
    tensor = scope.constant(behind_identities(name, scope))
    return None if tensor is None else tuple(tensor.dims)
