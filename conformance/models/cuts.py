"""
A model cut into steps.

The cuts are the inputs and outputs of softmax-family nodes and the inputs of ArgMax and TopK, in the main graph
and in the functions that it calls. A runtime is
made to give them out (`Plan.probed`), and what lies behind a cut is computed again from the runtime's own
values (`Plan.resumed`), so that every step is judged by itself: a difference that a matrix product is
entitled to is not held against the softmax behind it, and no decision is called wrong for a logit that
another rounding moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import external_data_helper, helper, inliner, numpy_helper

from softops.opset import Operator, UnknownOperatorError, UnknownOpsetError, operator
from softops.opset.graph.domains import DOMAINS, canonical_domain, imported_opset, opset_versions
from softops.opset.graph.walk import dead_values, names_read, remove_dead, subgraphs

from .source import Source

RECOMPUTED = "/recomputed"
"""What `Plan.resumed` appends to the name of a cut."""

DECISIONS = ("ArgMax", "TopK")
"""Operators of the table that take a decision; what they decide on is a cut, what they decide is an output."""

_RANDOM = (
    "Multinomial",
    "Bernoulli",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)


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
        axis: int | None = attributes(self.node).get("axis")
        return axis


class Plan:
    """
    Which tensors of a model are judged, and the models that give and take them.

    Attributes
    ----------
    model, folder
        The model with its functions' nodes in their place, and where its tensors lie if in files.
    outputs, compared
        Names of all outputs in order, and of those that are tensors and the same in every run.
    producers
        The node that makes a tensor, by name.
    cuts
        Names of the tensors that a runtime is asked for.
    notes
        What is not judged, and why.
    """

    def __init__(self, source: Source) -> None:
        self.folder = source.folder
        self.notes = list(source.notes)
        self.model = self._inlined(source.model)
        graph = self.model.graph
        self.outputs = tuple(value.name for value in graph.output)
        self.producers = {name: node for node in graph.node for name in node.output if name}
        self._opsets = opset_versions(self.model.opset_import)
        self.opset = imported_opset(self.model) or 1
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._types = self._infer_types()
        self._random = self._behind_random_nodes()
        self.compared = tuple(self._comparable())
        self.cuts = tuple(
            name
            for name in self._boundaries()
            if name in self.producers and name in self._types and name not in self._random
        )
        self._note_subgraphs()

    def family(self, tensor: str) -> FamilyNode | None:
        """Return the softmax-family node that makes ``tensor``, if one does."""
        node = self.producers.get(tensor)
        return None if node is None else self._family_node(node, list(node.output).index(tensor))

    def rank(self, tensor: str) -> int | None:
        """Return the rank of a tensor if it is known."""
        kind = self._types.get(tensor)
        return None if kind is None else len(kind.tensor_type.shape.dim)

    def dtype(self, tensor: str) -> np.dtype[Any] | None:
        """Return the dtype of a tensor if it is known."""
        kind = self._types.get(tensor)
        return None if kind is None else np.dtype(helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))

    def dims(self, tensor: str) -> list[int | None]:
        """Return the lengths of a tensor's axes as far as they are known; of a rank that is known."""
        dims = self._types[tensor].tensor_type.shape.dim
        return [int(dim.dim_value) if dim.HasField("dim_value") else None for dim in dims]

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Return the value of ``tensor`` if the model holds it."""
        if tensor in self._initializers:
            held = self._initializers[tensor]
            if external_data_helper.uses_external_data(held):
                return numpy_helper.to_array(held, str(self.folder))
            return numpy_helper.to_array(held)
        node = self.producers.get(tensor)
        if node is not None and node.op_type == "Constant":
            value = attributes(node).get("value")
            return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else None
        return None

    def probed(self) -> onnx.ModelProto | None:
        """Return the model with the cuts as further outputs; None when it gives them all out already."""
        extra = [name for name in self.cuts if name not in self.outputs]
        if not extra:
            return None
        model = _copy(self.model)
        model.graph.output.extend(self._value(name) for name in extra)
        return model

    @property
    def probed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of `probed`, in order."""
        return (*self.outputs, *(name for name in self.cuts if name not in self.outputs))

    def resumed(self) -> onnx.ModelProto:
        """Return the model that takes the cuts as inputs and computes each again, under another name."""
        model = _copy(self.model)
        for node in model.graph.node:
            for place, name in enumerate(node.output):
                if name in self.cuts:
                    node.output[place] = name + RECOMPUTED
        kept = [value for value in model.graph.output if value.name not in self.cuts]
        del model.graph.output[:], model.graph.value_info[:]
        model.graph.output.extend(kept)
        model.graph.output.extend(self._value(name, RECOMPUTED) for name in self.cuts)
        model.graph.input.extend(self._value(name) for name in self.cuts)
        return model

    @property
    def resumed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of `resumed`, in order, as they are called in the model itself."""
        return (*(name for name in self.outputs if name not in self.cuts), *self.cuts)

    def behind(self, tensor: str) -> onnx.ModelProto:
        """Return what is left of the model when ``tensor`` is one of its inputs and no longer made in it."""
        model = _copy(self.model)
        graph = model.graph
        was_dead = dead_values(graph)
        for node in graph.node:
            for place, name in enumerate(node.output):
                if name == tensor:
                    node.output[place] = f"{tensor}/before"
        kept = [value for value in graph.output if value.name != tensor]
        del graph.output[:], graph.value_info[:]
        graph.output.extend(kept)
        remove_dead(graph, model.ir_version, was_dead)
        read = {name for node in graph.node for name in names_read(node)}
        inputs = [value for value in graph.input if value.name in read]
        del graph.input[:]
        graph.input.extend([self._value(tensor), *inputs])
        return model

    def _boundaries(self) -> list[str]:
        names: dict[str, None] = {}
        for node in self.model.graph.node:
            if self._family_node(node) is not None:
                names.update(dict.fromkeys(name for name in (*node.input, *node.output) if name))
            elif node.op_type in DECISIONS and node.domain in DOMAINS:
                names[node.input[0]] = None
        return [name for name in names if name in self.producers and self.constant(name) is None]

    def _family_node(self, node: onnx.NodeProto, place: int = 0) -> FamilyNode | None:
        if node.op_type in DECISIONS or node.op_type in _RANDOM:
            return None
        domain = canonical_domain(node.domain)
        try:
            row = operator(node.op_type, self._opsets.get(domain, 1), domain)
        except (UnknownOperatorError, UnknownOpsetError):
            return None
        return FamilyNode(row, node, place)

    def _inlined(self, model: onnx.ModelProto) -> onnx.ModelProto:
        if not model.functions:
            return model
        try:
            inlined: onnx.ModelProto = inliner.inline_local_functions(model)
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            self.notes.append(f"nodes in functions are judged by the outputs alone ({reason})")
            return model
        return inlined

    def _comparable(self) -> list[str]:
        names = []
        for value in self.model.graph.output:
            if not value.type.HasField("tensor_type"):
                self.notes.append(f"{value.name} is no tensor and not compared")
            elif value.name in self._random:
                self.notes.append(f"{value.name} is drawn at random and not compared")
            else:
                names.append(value.name)
        return names

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
            if self._family_node(inner) is not None
        ]
        if hidden:
            more = f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else ""
            listed = ", ".join(hidden[:_SHOWN]) + more
            self.notes.append(f"nodes in subgraphs are judged by the outputs alone: {listed}")

    def _infer_types(self) -> dict[str, onnx.TypeProto]:
        # Only names and types are wanted: the weights need not be copied for it.
        graph = onnx.shape_inference.infer_shapes(self.model).graph
        values = (*graph.input, *graph.value_info, *graph.output)
        return {value.name: value.type for value in values if value.type.tensor_type.HasField("shape")}

    def _value(self, name: str, suffix: str = "") -> onnx.ValueInfoProto:
        # Of the shape the rank alone: an inferred length may be wrong for what the model really does.
        tensor = self._types[name].tensor_type
        return helper.make_tensor_value_info(name + suffix, tensor.elem_type, [None] * len(tensor.shape.dim))


_SHOWN = 4


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_discrete(array: NDArray[Any]) -> bool:
    """Tell whether an array holds what is either equal or not: integers, booleans, strings."""
    return array.dtype.kind in "iubOSUT" or array.dtype == np.bool_


def _nodes_within(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for graph in subgraphs(node):
        for inner in graph.node:
            yield inner
            yield from _nodes_within(inner)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
