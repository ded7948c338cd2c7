"""What becomes of a product's scores on their way to the softmax: scaled, capped, masked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from ..expressions.passing import passes_on
from ..graph.scopes import Scope
from .reading import attribute, behind_identities, is_scalar, made_by

Array = NDArray[Any]


class Scale(NamedTuple):
    """A factor of one element, or a divisor."""

    name: str
    divides: bool


class Mask(NamedTuple):
    """
    What is ruled out.

    ``"add"``: the value is added. ``"keep"``, ``"drop"``: where a condition holds, the score is kept, or a number,
    ``fill``, takes its place.
    """

    how: Literal["add", "keep", "drop"]
    name: str
    fill: str = ""


@dataclass
class Scores:
    """
    A product on its way to a softmax.

    Attributes
    ----------
    product
        The MatMul or Gemm, None as long as it is not found.
    scales, masks
        In the order in which they are applied.
    caps
        Scales behind a Tanh.
    capped
        Whether there is a Tanh.
    order
        ``"scale"``, ``"mask"`` and ``"Tanh"`` as they follow each other.
    widened
        Whether a Cast asks for float32.
    nodes
        All that was passed, the product included.
    """

    product: NodeProto | None = None
    scales: list[Scale] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    caps: list[Scale] = field(default_factory=list)
    capped: bool = False
    order: list[str] = field(default_factory=list)
    widened: bool = False
    nodes: list[NodeProto] = field(default_factory=list)

    @property
    def fault(self) -> str | None:
        """Why an attention has no such order: masks come last, behind one Tanh at the most."""
        behind = self.order[self.order.index("mask") :] if self.masks else []
        if set(behind) - {"mask"}:
            return "the scale comes behind the mask"
        return "its scores go through Tanh twice" if self.order.count("Tanh") > 1 else None


def scores_at(name: str, scope: Scope, products: tuple[str, ...]) -> Scores:
    """Follow a value back to one of these products, through scales and masks."""
    found = Scores()
    while (node := scope.producers.get(name)) is not None and node.output[0] == name:
        if made_by(name, scope, *products) is not None:
            found.product = node
            found.nodes.append(node)
            break
        step = _before(node, scope, products)
        if step is None:
            break
        found.nodes.append(node)
        name, change = step
        if isinstance(change, Scale):
            found.scales.insert(0, change)
            found.order.insert(0, "scale")
        elif isinstance(change, Mask):
            found.masks.insert(0, change)
            found.order.insert(0, "mask")
        elif change == "Tanh":
            found.caps, found.scales, found.capped = found.scales, [], True
            found.order.insert(0, change)
        elif change == "Cast":
            found.widened = True
    return found


def _before(
    node: NodeProto, scope: Scope, products: tuple[str, ...]
) -> tuple[str, Scale | Mask | str] | None:
    """The score that a node works on, and what it does: a scale, a mask, or its operator."""
    if not node.input:
        return None
    if is_cast_to_float32(node) or made_by(node.output[0], scope, "Tanh") is not None:
        return node.input[0], node.op_type
    if node.op_type in ("Identity", "Dropout") and passes_on(scope, node):
        return node.input[0], node.op_type
    for score, other, change in _changes(node, scope):
        if _leads_to(score, scope, products) and other != score:
            return score, change
    return None


def _changes(node: NodeProto, scope: Scope) -> Iterator[tuple[str, str, Scale | Mask]]:
    """(score, other operand, change) in the ways in which a node may be read."""
    if made_by(node.output[0], scope, "Add", "Mul", "Div", "Where") is None or node.attribute:
        return
    if node.op_type == "Where":
        condition, kept, filled = node.input
        if is_scalar(filled, scope):
            yield kept, filled, Mask("keep", condition, filled)
        if is_scalar(kept, scope):
            yield filled, kept, Mask("drop", condition, kept)
        return
    a, b = node.input
    for score, other in ((a, b), (b, a)):
        if node.op_type == "Add":
            yield score, other, Mask("add", other)
        elif is_scalar(other, scope) and (node.op_type == "Mul" or score == a):
            yield score, other, Scale(other, node.op_type == "Div")


def is_cast_to_float32(node: NodeProto) -> bool:
    """Whether it is a Cast that leaves float32 as it is."""
    return node.op_type == "Cast" and not node.domain and attribute(node, "to", None) == TensorProto.FLOAT


_THROUGH = {"Add", "Mul", "Div", "Where", "Cast", "Identity", "Dropout", "Tanh"}
_MOST_STEPS = 8


def _leads_to(name: str, scope: Scope, products: tuple[str, ...], left: int = _MOST_STEPS) -> bool:
    """Whether a value comes from one of these products through a few nodes of the kinds that are followed."""
    node = scope.producers.get(name)
    if node is None or node.domain or not left:
        return False
    if node.op_type in products:
        return True
    return node.op_type in _THROUGH and any(_leads_to(each, scope, products, left - 1) for each in node.input)


def scaled_operand(name: str, scope: Scope) -> tuple[str, list[Scale], list[NodeProto]]:
    """An operand of a product before it was scaled, if nothing else reads it scaled."""
    scales: list[Scale] = []
    nodes: list[NodeProto] = []
    while (node := made_by(name, scope, "Mul", "Div")) is not None and not node.attribute:
        if len(scope.consumers.get(name, ())) != 1 or name in scope.outputs:
            break
        a, b = node.input
        if is_one_number(b, scope):
            name, scale = a, Scale(b, node.op_type == "Div")
        elif node.op_type == "Mul" and is_one_number(a, scope):
            name, scale = b, Scale(a, False)
        else:
            break
        scales.append(scale)
        nodes.append(node)
    return name, scales, nodes


_OF_SHAPES = {
    "Sqrt",
    "Div",
    "Cast",
    "Slice",
    "Gather",
    "Shape",
    "Mul",
    "Pow",
    "Identity",
    "Reciprocal",
    "Squeeze",
}


def is_one_number(name: str, scope: Scope) -> bool:
    """Whether a value is one number: a constant, or computed from the length of an axis."""
    name = behind_identities(name, scope)
    if (shape := scope.value_type(name).shape) is not None:
        return all(length == 1 for length in shape)
    while (node := scope.producers.get(name)) is not None and node.op_type in _OF_SHAPES:
        if node.op_type == "Shape":
            return True
        inputs = [each for each in node.input if scope.constant(each) is None]
        if not inputs:
            return False
        name = inputs[0]
    return False


def multiplied(scales: Sequence[Array], divides: Sequence[bool], dtype: np.dtype[Any]) -> float | None:
    """All scales in one; None where one is no number of that dtype."""
    product = 1.0
    for scale, is_divisor in zip(scales, divides, strict=True):
        if scale.size != 1 or scale.dtype != dtype or scale.ndim > 2:
            return None
        number = float(scale.reshape(()))
        if is_divisor and not number:
            return None
        product = product / number if is_divisor else product * number
    return product if np.isfinite(product) else None
