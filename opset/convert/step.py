"""A node on its way from one opset to another, and what every rule asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from ..errors import UnsupportedModelError
from ..graph.scopes import Scope
from ..graph.tensors import array_of
from ..graph.walk import attribute_of
from .schemas import refused_type, schema_of

DECOMPOSABLE = (
    *(
        "Softmax",
        "LogSoftmax",
        "Hardmax",
        "ReduceLogSumExp",
        "ReduceLogSum",
        "Sigmoid",
        "Softplus",
        "HardSigmoid",
    ),
    *("Softsign", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", "Attention"),
)
"""What `softops export decompose` spells out."""


@dataclass(frozen=True)
class Step:
    """
    A node of ai.onnx, the scope it stands in, the opset it is of and the one to reach.

    Attributes
    ----------
    released
        Names that the node of another opset may no longer read, as it has the constant as an attribute; collected for
        the whole body.
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

    def numbers(self, name: str) -> list[float]:
        """The floats behind a name, which has to be a constant."""
        tensor = self.scope.constant(name)
        if tensor is None:
            self.refuse(f"{name!r} has to be a constant there, and the model computes it")
        return [float(value) for value in numpy_helper.to_array(tensor).ravel()]

    def number(self, name: str) -> float:
        """The one number behind a name, a constant that float32 holds: what an attribute can be."""
        value, *more = self.numbers(name)
        if more or float(np.float32(value)) != value:
            self.refuse(f"{name!r} has to be one number of float32 there")
        return value

    def counted(self, axes: Sequence[int]) -> list[int]:
        """Axes of the first input, counted from the front."""
        rank = self.scope.rank(self.node.input[0])
        if rank is None and any(axis < 0 for axis in axes):
            self.refuse("its axes are counted from the end, and the rank of its input is not known")
        return [axis if rank is None else axis % rank for axis in axes]

    def made(self, op_type: str, inputs: Sequence[str]) -> NodeProto:
        """A new node of one output, whose names begin like those of this one."""
        name = self.scope.names.fresh(f"{self.node.output[0]}_{op_type.lower()}")
        label = self.scope.names.fresh(f"{self.node.name}_{op_type}") if self.node.name else None
        return helper.make_node(op_type, list(inputs), [name], label, domain=self.node.domain or None)

    def ended(self, nodes: list[NodeProto]) -> list[NodeProto]:
        """The nodes, of which the last gives what this node gave, under its name."""
        nodes[-1].output[0] = self.node.output[0]
        for field in ("name", "doc_string"):
            if self.node.HasField(field):
                setattr(nodes[-1], field, getattr(self.node, field))
        nodes[-1].metadata_props.extend(self.node.metadata_props)
        return nodes

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

    @property
    def _can_decompose(self) -> bool:
        return self.source > self.target and self.node.op_type in DECOMPOSABLE

    def refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        """Raise the error that says which node stops at which opset, and why."""
        name = f" {self.node.name!r}" if self.node.name else ""
        message = (
            f"expected operators that have an equal at opset {self.target} (got {self.node.op_type}{name}: {reason}); "
            f"convert to opset {self.source} at {'most' if self.source < self.target else 'least'}"
            + (", or inline the model's functions with onnx.inliner first" if "function" in reason else "")
            + (
                f", or spell it out by `softops export decompose … {self.node.op_type}`"
                if self._can_decompose
                else ""
            )
        )
        raise UnsupportedModelError(message) from cause
