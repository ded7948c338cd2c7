"""A node in its place: what the makers of its work are told about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .plan import Work

Maker = Callable[["Spot"], Work | None]
"""Gives a node's work, or None for a variant that it does not know: onnx's own implementation then takes it."""

_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """
    A node, the version of its domain that holds where it stands, and what is fixed beforehand.

    Attributes
    ----------
    node
        The node, with no references to attributes of a function left.
    version
        Version of the node's domain that the model or the function imports.
    attributes
        The node's attributes as Python values, graphs left out.
    constants
        For each input its value where that is fixed, else None.
    """

    node: onnx.NodeProto
    version: int
    attributes: Mapping[str, Any]
    constants: Sequence[Any]

    def has(self, place: int) -> bool:
        """Whether the node names an input at this place."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def fixed(self, place: int) -> NDArray[Any] | None:
        """The input at this place if it is a constant."""
        value = self.constants[place] if self.has(place) else None
        return value if isinstance(value, np.ndarray) else None

    @property
    def outputs(self) -> int:
        """How many outputs the node has, up to the last one that is named."""
        return max((place + 1 for place, name in enumerate(self.node.output) if name), default=0)


def with_short_domain(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node, ONNX's own domain called ``""`` and not ``"ai.onnx"``."""
    if node.domain != "ai.onnx":
        return node
    short = onnx.NodeProto()
    short.CopyFrom(node)
    short.domain = ""
    return short


def described(node: onnx.NodeProto) -> str:
    """Words that tell which node of a model it is."""
    if node.name:
        return f"node {node.name!r} ({node.op_type})"
    return f"{node.op_type} that gives {', '.join(map(repr, node.output)) or 'nothing'}"


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes as Python values: numbers, text, arrays for tensors, lists of these."""
    return {
        attribute.name: _python_value(onnx.helper.get_attribute_value(attribute))
        for attribute in node.attribute
        if attribute.type not in _GRAPHS and not attribute.ref_attr_name
    }


def _python_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, list | tuple) or type(value).__name__.startswith("Repeated"):
        return [_python_value(item) for item in value]
    return value
