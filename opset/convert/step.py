"""A node on its way from one opset to another, and what every rule asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from ..errors import UnsupportedModelError
from ..graph.scopes import Scope
from ..graph.tensors import array_of
from ..graph.walk import attribute_of
from .schemas import refused_type, schema_of


@dataclass(frozen=True)
class Step:
    """
    A node of ai.onnx, the scope it stands in, the opset it is of and the one to reach.

    Attributes
    ----------
    released
        Names of constants that the node of another opset has as attributes; collected for the whole body.
    """

    node: NodeProto
    scope: Scope
    source: int
    target: int
    released: set[str]

    def between(self, source: int, target: int, node: NodeProto | None = None) -> Step:
        """The same step between two other opsets, or of another node."""
        return replace(self, node=node or self.node, source=source, target=target)

    def copy(self, without: Sequence[str] = ()) -> NodeProto:
        """A copy of the node, some attributes left out."""
        result = deepcopy(self.node)
        for attribute in [a for a in result.attribute if a.name in without]:
            result.attribute.remove(attribute)
        return result

    def attribute(self, name: str) -> onnx.AttributeProto | None:
        """The attribute of that name."""
        return attribute_of(self.node, name)

    def lengths(self, name: str) -> list[int | None] | None:
        """
        The dimensions of a tensor, None for one that is not known; None where the rank is unknown.

        0 counts as unknown: some exporters write it where they mean any length.
        """
        shape = self.scope.value_type(name).shape
        return (
            None
            if shape is None
            else [size if isinstance(size, int) and size > 0 else None for size in shape]
        )

    def integers(self, name: str) -> list[int]:
        """The numbers behind a name, which has to be a constant."""
        tensor = self.scope.constant(name)
        if tensor is None:
            self.refuse(f"{name!r} has to be a constant there, and the model computes it")
        return [int(value) for value in array_of(tensor).ravel()]

    def check_types(self, node: NodeProto | None = None) -> None:
        """Refuse a node whose types the operator does not take at the target."""
        schema = schema_of(self.node.op_type, self.target)
        refused = None if schema is None else refused_type(node or self.node, schema, self.scope)
        if refused is not None:
            self.refuse(f"it takes no {refused} there")

    def keep(self, tensor: onnx.TensorProto, name: str) -> bool:
        """Make a constant that has a name an initializer, which only the main graph may have."""
        body = self.scope.body
        if self.scope.parent is not None or not isinstance(body, onnx.GraphProto):
            return False
        body.initializer.add().CopyFrom(tensor)
        body.initializer[-1].name = name
        return True

    def store(self, values: NDArray[Any] | onnx.TensorProto, hint: str, nodes: list[NodeProto]) -> str:
        """Name a new constant: an initializer, or a Constant node that is appended to ``nodes``."""
        name = self.scope.names.fresh(hint)
        tensor = deepcopy(values) if isinstance(values, onnx.TensorProto) else numpy_helper.from_array(values)
        if not self.keep(tensor, name):
            tensor.ClearField("name")
            nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        self.scope.add_constant(name, tensor)
        return name

    def refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        """Raise the error that says which node stops at which opset, and why."""
        name = f" {self.node.name!r}" if self.node.name else ""
        message = (
            f"expected operators that have an equal at opset {self.target} (got {self.node.op_type}{name}: {reason}); "
            f"convert to opset {self.source} at {'most' if self.source < self.target else 'least'}"
            + (", or inline the model's functions with onnx.inliner first" if "function" in reason else "")
        )
        raise UnsupportedModelError(message) from cause
