"""A model read for being judged: what makes each tensor, of which type it is, and which outputs are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from softops.opset import ModelError, Operator, UnknownOperatorError, UnknownOpsetError, operator, operators
from softops.opset.graph.by_onnx import infer, inline
from softops.opset.graph.domains import canonical_domain, imported_opset, opset_versions
from softops.opset.graph.external import is_external, read_tensor
from softops.opset.graph.files import serialize
from softops.opset.graph.tensors import array_of
from softops.opset.graph.types import dimension_of, dtype_of
from softops.opset.graph.walk import names_read, subgraphs
from softops.opset.nodes.node import attributes_of

from ..measure.ulp import is_float
from .source import Source

Arrays = dict[str, NDArray[Any]]

DECISIONS = ("ArgMax", "TopK")
"""Operators of the table that take a decision: what they decide on is a cut, what they decide is an output."""

_RANDOM = (
    *("Multinomial", "Bernoulli", "RandomNormal", "RandomNormalLike"),
    *("RandomUniform", "RandomUniformLike"),
)
_SHOWN = 4


class FamilyNode(NamedTuple):
    """A node of the softmax family: its row in the table, the node, and which of its outputs is meant."""

    operator: Operator
    node: onnx.NodeProto
    place: int

    @property
    def source(self) -> str:
        """The name of its first input."""
        return str(self.node.input[0])

    @property
    def axis(self) -> int | None:
        """The node's axis; None for the default."""
        axis: int | None = attributes_of(self.node).get("axis")
        return axis


class ModelGraph:
    """
    What is known of the tensors of a model.

    Attributes
    ----------
    source, model
        The model as it was opened, and with its functions' nodes in their place.
    outputs, compared
        Names of all outputs in order, and of those that are tensors and the same in every run.
    producers
        The node that makes a tensor, by name.
    read, live
        Names of the tensors that a node reads or that are outputs, and of those that an input reaches.
    random
        Names of the tensors that are drawn at random.
    opset, opsets
        The version of ai.onnx that the model imports, and those of all domains.
    notes
        What is not judged, and why.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes = list(source.notes)
        self.model = self._inlined(source.model)
        graph = self.model.graph
        self.outputs = tuple(value.name for value in graph.output)
        self.producers = {name: node for node in graph.node for name in node.output if name}
        self.opset = imported_opset(self.model) or 1
        self.opsets = opset_versions(self.model.opset_import)
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._types = self._infer_types()
        self.read = frozenset(self.outputs).union(*map(names_read, graph.node))
        self.live = self._behind_inputs()
        self.random = self._behind_random_nodes()
        self.compared = tuple(self._comparable())
        self._note_subgraphs()

    @property
    def content(self) -> bytes:
        """The model as it was opened, serialized."""
        return serialize(self.source.model)

    def family_node(self, tensor: str) -> FamilyNode | None:
        """Return the softmax-family node that makes ``tensor``, if one does."""
        node = self.producers.get(tensor)
        row = None if node is None else self.operator(node)
        if node is None or row is None:
            return None
        return FamilyNode(row, node, list(node.output).index(tensor))

    def operator(self, node: onnx.NodeProto) -> Operator | None:
        """Return the row of a node of the softmax family that computes rather than decides or draws."""
        if node.op_type in DECISIONS or node.op_type in _RANDOM:
            return None
        domain = canonical_domain(node.domain)
        if (domain, node.op_type) not in _family():
            return None
        try:
            return operator(node.op_type, self.opsets.get(domain, 1), domain)
        except (UnknownOperatorError, UnknownOpsetError):
            return None

    def is_typed(self, tensor: str) -> bool:
        """Tell whether dtype and rank of a tensor are known."""
        return tensor in self._types

    def learn(self, tensor: str, array: NDArray[Any]) -> None:
        """Take note of the type of a tensor that inference could not tell, from its value in a run."""
        number = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._types.setdefault(tensor, helper.make_tensor_type_proto(number, [None] * array.ndim))

    def dtype(self, tensor: str) -> np.dtype[Any] | None:
        """Return the dtype of a tensor if it is known."""
        kind = self._types.get(tensor)
        return None if kind is None else dtype_of(kind.tensor_type.elem_type, f"{tensor!r}")

    def dims(self, tensor: str) -> list[int | None] | None:
        """Return the lengths of a tensor's axes as far as they are known; None if the rank is not."""
        if tensor not in self._types:
            return None
        dims = map(dimension_of, self._types[tensor].tensor_type.shape.dim)
        return [dim if isinstance(dim, int) else None for dim in dims]

    def value_info(self, tensor: str, suffix: str = "") -> onnx.ValueInfoProto:
        """Declare a tensor, or one like it under a longer name, as an input or output."""
        # Of the shape the rank alone: an inferred length may be wrong for what the model really does.
        kind = self._types[tensor].tensor_type
        return helper.make_tensor_value_info(tensor + suffix, kind.elem_type, [None] * len(kind.shape.dim))

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Return the value of ``tensor`` if the model holds it."""
        if tensor in self._initializers:
            held = self._initializers[tensor]
            if self.source.folder is not None and is_external(held):
                held = deepcopy(held)
                read_tensor(held, self.source.folder)
            return array_of(held)
        node = self.producers.get(tensor)
        value = None if node is None or node.op_type != "Constant" else attributes_of(node).get("value")
        return value if isinstance(value, np.ndarray) else None

    def float_dtypes(self) -> dict[str, np.dtype[Any]]:
        """Return the dtypes of the tensors of floats, as far as they are known."""
        found = {name: self.dtype(name) for name in self._types if name in self.producers}
        return {name: dtype for name, dtype in found.items() if dtype is not None and is_float(dtype)}

    def constants_in_files(self) -> dict[str, Callable[[], NDArray[Any]]]:
        """Return what reads each initializer that lies in a file."""
        if self.source.folder is None:
            return {}
        names = [name for name, held in self._initializers.items() if is_external(held)]
        return {name: partial(self._held, name) for name in names}

    def _held(self, name: str) -> NDArray[Any]:
        value = self.constant(name)
        assert value is not None
        return value

    def value(self, tensor: str, values: Arrays) -> NDArray[Any] | None:
        """Return the value of ``tensor`` in a run, or in the model."""
        return values[tensor] if tensor in values else self.constant(tensor)

    def inputs_of(self, family: FamilyNode, values: Arrays) -> list[NDArray[Any] | None] | None:
        """Return the values of a node's inputs, None for those left out; None if one is not known."""
        inputs = [self.value(name, values) if name else None for name in family.node.input]
        known = all(x is not None or not name for x, name in zip(inputs, family.node.input, strict=True))
        return inputs if known else None

    def _inlined(self, model: onnx.ModelProto) -> onnx.ModelProto:
        if not model.functions:
            return model
        try:
            return inline(model)
        except ModelError as error:
            self.notes.append(f"nodes in functions are judged by the outputs alone: {error}")
            return model

    def _comparable(self) -> Iterator[str]:
        for value in self.model.graph.output:
            if not value.type.HasField("tensor_type"):
                self.notes.append(f"{value.name} is no tensor and not compared")
            elif value.name in self.random:
                self.notes.append(f"{value.name} is drawn at random and not compared")
            else:
                yield value.name

    def _behind_inputs(self) -> frozenset[str]:
        found = {value.name for value in self.model.graph.input} - set(self._initializers)
        given = frozenset(found)
        for node in self.model.graph.node:
            if not found.isdisjoint(names_read(node)):
                found.update(name for name in node.output if name)
        return frozenset(found) - given

    def _behind_random_nodes(self) -> set[str]:
        found: set[str] = set()
        for node in self.model.graph.node:
            if node.op_type in _RANDOM or not found.isdisjoint(names_read(node)):
                found.update(name for name in node.output if name)
        return found

    def _note_subgraphs(self) -> None:
        hidden = [
            f"{inner.op_type} in {node.op_type} {node.name or node.output[0]!r}"
            for node in self.model.graph.node
            for inner in _nodes_within(node)
            if self.operator(inner) is not None
        ]
        if hidden:
            more = f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else ""
            listed = ", ".join(hidden[:_SHOWN]) + more
            self.notes.append(f"nodes in subgraphs are judged by the outputs alone: {listed}")

    def _infer_types(self) -> dict[str, onnx.TypeProto]:
        # Only names and types are wanted: the weights need not be copied for it.
        try:
            graph = infer(self.model, data_prop=False).graph
        except ModelError as error:
            self.notes.append(f"types are those that the model declares: {error}")
            graph = self.model.graph
        values = (*graph.input, *graph.value_info, *graph.output)
        return {value.name: value.type for value in values if value.type.tensor_type.HasField("shape")}


@cache
def _family() -> frozenset[tuple[str, str]]:
    """The operators of the table, of whatever version: to ask the table for another takes a thousand times as long."""
    return frozenset((row.domain, row.op_type) for row in operators())


def class_axis(graph: ModelGraph, output: str, array: NDArray[Any]) -> int:
    """Return along which axis an output holds the scores of classes: that of its softmax, or else the last."""
    family = graph.family_node(output)
    if family is None or family.operator.axis_rule != "single":
        return -1
    axis = family.operator.default_axis if family.axis is None else family.axis
    return -1 if axis is None or not -array.ndim <= axis < array.ndim else axis


def _nodes_within(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for graph in subgraphs(node):
        for inner in graph.node:
            yield inner
            yield from _nodes_within(inner)
