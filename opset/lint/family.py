"""The nodes of the softmax family in a model: version, axis rule, and the axis they really work along."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import onnx
from onnx import NodeProto

from ..graph.domains import canonical_domain
from ..graph.scopes import Scope
from ..graph.types import Dimension, ValueType, type_word
from ..graph.walk import attribute_of
from ..operators.axis import AxisRule
from ..operators.table import operator
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


@dataclass(frozen=True)
class _Axes:
    """What a node says about its axis: as written, the rule, and what that is for a rank."""

    written: int | tuple[int, ...] | None
    rule: AxisRule | None
    first: int | tuple[int, ...] | None
    """The axis that holds, or several; None for all."""
    detail: str = ""
    known: bool = True
    """Whether the axis is one of the input's that can be told from the model."""


_Reader = Callable[[Scope, NodeProto, int], _Axes]
"""Reads off a node of that version what it says about its axis."""


def record_of(scope: Scope, node: NodeProto) -> NodeRecord | None:
    """Return the record of a node, or None where it is not of the family."""
    domain = canonical_domain(node.domain)
    reader = _FAMILY.get((domain, node.op_type))
    opset = scope.opset_of(node)
    # A call of a function of that name is no operator; nor is a name that the opset does not have yet.
    if reader is None or opset is None or "" in scope.inner.get(id(node), {}):
        return None
    since = since_version(node.op_type, opset, domain)
    if since is None:
        return None
    axes = reader(scope, node, since)
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
    try:
        return int(onnx.defs.get_schema(op_type, opset, domain).since_version)
    except onnx.defs.SchemaError:
        return None


def integer(node: NodeProto, name: str, default: int | None = None) -> int | None:
    """Return an integer attribute of a node."""
    attribute = attribute_of(node, name)
    return default if attribute is None or attribute.ref_attr_name else int(attribute.i)


def text(node: NodeProto, name: str, default: str) -> str:
    """Return a string attribute of a node."""
    attribute = attribute_of(node, name)
    return default if attribute is None else attribute.s.decode("utf-8", "replace")


def _along(axes: _Axes, rank: int | None) -> tuple[int, ...] | None:
    if axes.rule is None:
        return ()
    if not axes.known:
        return None
    if axes.first is None:
        return None if rank is None else tuple(range(rank))
    given = (axes.first,) if isinstance(axes.first, int) else axes.first
    if rank is None:
        return given if axes.rule == "single" and min(given) >= 0 else None
    if not all(-rank <= axis < rank for axis in given):
        return None
    counted = sorted(axis % rank for axis in given)
    return tuple(range(counted[0], rank)) if axes.rule == "flatten" else tuple(counted)


def _elements(along: tuple[int, ...] | None, shape: tuple[Dimension, ...] | None) -> int | None:
    if not along or shape is None:
        return None
    sizes = [shape[axis] for axis in along]
    known = [size for size in sizes if isinstance(size, int)]
    return math.prod(known) if len(known) == len(sizes) else None


def _normaliser(scope: Scope, node: NodeProto, since: int) -> _Axes:
    row = operator(node.op_type, since)
    written = integer(node, "axis")
    return _Axes(written, row.axis_rule, row.default_axis if written is None else written)


def _quantized_softmax(scope: Scope, node: NodeProto, since: int) -> _Axes:
    meant = integer(node, "opset", 13) or 0
    written = integer(node, "axis")
    rule: AxisRule = "flatten" if meant < 13 else "single"
    return _Axes(written, rule, -1 if written is None else written, f"opset={meant}")


def _one_axis(default: int) -> _Reader:
    def read(scope: Scope, node: NodeProto, since: int) -> _Axes:
        written = integer(node, "axis")
        return _Axes(written, "single", default if written is None else written)

    return read


def _fixed_axis(axis: int, name: str = "", default: str = "") -> _Reader:
    """The axis is not the node's to choose; an attribute decides what else it does."""

    def read(scope: Scope, node: NodeProto, since: int) -> _Axes:
        return _Axes(None, "single", axis, f"{name}={text(node, name, default)}" if name else "")

    return read


def _reduction(scope: Scope, node: NodeProto, since: int) -> _Axes:
    attribute = attribute_of(node, "axes")
    axes = None if attribute is None else tuple(attribute.ints)
    if since >= 18 and len(node.input) > 1 and node.input[1]:
        values = scope.array(node.input[1])
        if values is None:
            return _Axes(None, "single", None, "axes are computed", known=False)
        axes = tuple(int(axis) for axis in values.ravel())
    if axes:
        return _Axes(axes if len(axes) > 1 else axes[0], "single", axes)
    if integer(node, "noop_with_empty_axes", 0):
        return _Axes(None, None, None, "noop_with_empty_axes=1")
    return _Axes(None, "single", None)


def _elementwise(scope: Scope, node: NodeProto, since: int) -> _Axes:
    return _Axes(None, None, None)


def _attention(scope: Scope, node: NodeProto, since: int) -> _Axes:
    precision = integer(node, "softmax_precision")
    stated = "" if precision is None else f", softmax_precision={type_word(precision).upper()}"
    # The softmax goes over the last axis of Q·Kᵀ, which no input has: the keys.
    return _Axes(None, "single", None, f"the keys{stated}", known=False)


_FAMILY: dict[tuple[str, str], _Reader] = {
    ("", "Softmax"): _normaliser,
    ("", "LogSoftmax"): _normaliser,
    ("", "Hardmax"): _normaliser,
    ("", "Sigmoid"): _elementwise,
    ("", "Softplus"): _elementwise,
    ("", "ReduceLogSumExp"): _reduction,
    ("", "SoftmaxCrossEntropyLoss"): _fixed_axis(1, "reduction", "mean"),
    ("", "NegativeLogLikelihoodLoss"): _fixed_axis(1, "reduction", "mean"),
    ("", "Attention"): _attention,
    ("", "ArgMax"): _one_axis(0),
    ("", "TopK"): _one_axis(-1),
    ("", "Multinomial"): _fixed_axis(1),
    (ML, "LinearClassifier"): _fixed_axis(-1, "post_transform", "NONE"),
    (ML, "Normalizer"): _fixed_axis(-1, "norm", "MAX"),
    (MICROSOFT, "QLinearSoftmax"): _quantized_softmax,
    (MICROSOFT, "QLinearSigmoid"): _elementwise,
}
