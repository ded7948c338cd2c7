"""The nodes of the softmax family in a model: version, axis rule, and the axis they really work along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from onnx import NodeProto

from ..graph.domains import canonical_domain, schema_of
from ..graph.scopes import Scope
from ..graph.types import Dimension, ValueType, type_word
from ..graph.walk import attribute_of
from ..operators.axis import AxisRule, rule_at
from ..operators.row import Operator
from ..operators.table import is_known, operator
from .calls import label_of

ML = "ai.onnx.ml"
MICROSOFT = "com.microsoft"


@dataclass(frozen=True, kw_only=True)
class NodeRecord:
    """
    One node of the softmax family.

    Attributes
    ----------
    name
        The node's name, or where it has none the value it makes.
    op_type, domain, since_version, opset
        The operator, the version of it that holds, and the version of its domain that the model (or the
        function the node stands in) imports. ai.onnx is ``""``.
    where
        ``"main graph"``, the path of a subgraph, or the function.
    axis
        As the node says: an integer, several for ReduceLogSumExp, None where the default holds.
    axis_rule
        ``"flatten"``, ``"single"``, or None for an elementwise operator.
    works_along
        The dimensions of the input that the operator really works along, counted from 0: () for an
        elementwise operator, None where the rank is not known.
    elements
        The product of their sizes, None where one is not known.
    dtype, shape
        Of the first input; None where not known. A dimension is a size, a symbol, or None.
    detail
        What else decides the meaning, such as ``post_transform=SOFTMAX``.
    """

    name: str
    op_type: str
    domain: str
    since_version: int
    opset: int
    where: str
    axis: int | tuple[int, ...] | None
    axis_rule: AxisRule | None
    works_along: tuple[int, ...] | None
    elements: int | None
    dtype: str | None
    shape: tuple[Dimension, ...] | None
    detail: str = ""

    @property
    def operator(self) -> str:
        """Operator and version, such as ``Softmax-13``."""
        return f"{self.domain}.{self.op_type}-{self.since_version}".lstrip(".")


class _Axes(NamedTuple):
    """What a node says about its axis."""

    written: int | tuple[int, ...] | None
    """As the node says; None for the default."""
    rule: AxisRule | None
    meant: tuple[int, ...] | None
    """The axes that hold; None for all."""
    detail: str = ""
    known: bool = True
    """Whether the axis is one of the input's that can be told from the model."""


def record_of(scope: Scope, node: NodeProto) -> NodeRecord | None:
    """Return the record of a node, or None where it is not of the family."""
    domain, opset = canonical_domain(node.domain), scope.opset_of(node)
    # A call of a function of that name is no operator; nor is a name that the opset does not have yet.
    if not is_known(node.op_type, domain) or opset is None or "" in scope.inner.get(id(node), {}):
        return None
    since = since_version(node.op_type, opset, domain)
    if since is None:
        return None
    axes = _axes_of(scope, node, operator(node.op_type, since, domain))
    dtype, shape = scope.value_type(node.input[0]) if node.input else ValueType()
    along = _along(axes, None if shape is None else len(shape))
    return NodeRecord(
        name=label_of(node),
        op_type=node.op_type,
        domain=domain,
        since_version=since,
        opset=opset,
        where=scope.where,
        axis=axes.written,
        axis_rule=axes.rule,
        works_along=along,
        elements=_elements(along, shape),
        dtype=dtype,
        shape=shape,
        detail=axes.detail,
    )


def since_version(op_type: str, opset: int, domain: str = "") -> int | None:
    """Return the version of an operator that an opset means, None where it has none by that name."""
    if domain == MICROSOFT:
        return 1  # the domain has had one version
    schema = schema_of(op_type, opset, domain)
    return None if schema is None else int(schema.since_version)


def integer(node: NodeProto, name: str, default: int | None = None) -> int | None:
    """Return an integer attribute of a node."""
    attribute = attribute_of(node, name)
    return default if attribute is None or attribute.ref_attr_name else int(attribute.i)


def text(node: NodeProto, name: str, default: str) -> str:
    """Return a string attribute of a node."""
    attribute = attribute_of(node, name)
    return default if attribute is None else attribute.s.decode("utf-8", "replace")


def _axes_of(scope: Scope, node: NodeProto, row: Operator) -> _Axes:
    if row.op_type == "ReduceLogSumExp":
        return _reduced(scope, node, row)
    if row.op_type == "Attention":
        precision = integer(node, "softmax_precision")
        detail = "the keys" + (
            "" if precision is None else f", softmax_precision={type_word(precision).upper()}"
        )
        # The softmax goes over the last axis of Q·Kᵀ, which no input has: the keys.
        return _Axes(None, row.axis_rule, None, detail, known=False)
    written = integer(node, "axis") if "axis" in row.attributes else None
    axis = row.default_axis if written is None else written
    meant = None if axis is None else (axis,)
    if "opset" in row.attributes:
        opset = integer(node, "opset", 13) or 0
        return _Axes(written, rule_at(opset), meant, f"opset={opset}")
    stated = [
        f"{name}={text(node, name, attribute.default)}"
        for name, attribute in row.attributes.items()
        if attribute.type == "string"
    ]
    return _Axes(written, row.axis_rule, meant, ", ".join(stated))


def _reduced(scope: Scope, node: NodeProto, row: Operator) -> _Axes:
    attribute = attribute_of(node, "axes")
    axes = None if attribute is None else tuple(attribute.ints)
    if row.since_version >= 18 and len(node.input) > 1 and node.input[1]:
        values = scope.array(node.input[1])
        if values is None:
            return _Axes(None, "single", None, "axes are computed", known=False)
        axes = tuple(int(axis) for axis in values.ravel())
    if axes:
        return _Axes(axes if len(axes) > 1 else axes[0], "single", axes)
    if integer(node, "noop_with_empty_axes", 0):
        return _Axes(None, None, None, "noop_with_empty_axes=1")
    return _Axes(None, "single", None)


def _along(axes: _Axes, rank: int | None) -> tuple[int, ...] | None:
    """The dimensions that a node works along, of an input of that rank."""
    if axes.rule is None:
        return ()
    if not axes.known:
        return None
    if axes.meant is None:
        return None if rank is None else tuple(range(rank))
    if rank is None:
        return axes.meant if axes.rule == "single" and min(axes.meant) >= 0 else None
    if not all(-rank <= axis < rank for axis in axes.meant):
        return None
    counted = sorted(axis % rank for axis in axes.meant)
    return tuple(range(counted[0], rank)) if axes.rule == "flatten" else tuple(counted)


def _elements(along: tuple[int, ...] | None, shape: tuple[Dimension, ...] | None) -> int | None:
    """The product of the sizes of these dimensions; None where one is not known."""
    sizes = [shape[axis] for axis in along] if along and shape is not None else []
    known = [size for size in sizes if isinstance(size, int)]
    return math.prod(known) if known and len(known) == len(sizes) else None
