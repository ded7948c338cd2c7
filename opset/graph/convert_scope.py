"""What a node sees while its graph is converted: types, constants and names that are still free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import external_data_helper, helper, numpy_helper

from .tensors import constant_tensor
from .walk import Body, bodies


class Names:
    """All names of a model, to which new ones are added without a clash."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._used = {name for body in bodies(model) for name in _names(body)}

    def fresh(self, hint: str) -> str:
        """A name that the model has not had so far; ``hint`` itself where it is free."""
        name, number = hint, 0
        while name in self._used:
            number += 1
            name = f"{hint}_{number}"
        self._used.add(name)
        return name


class Scope:
    """
    One graph or function body, and the graphs around it.

    Parameters
    ----------
    body
        The graph or function.
    names
        Names of the whole model.
    parent
        The scope of the graph around it, whose values a subgraph sees.
    stores
        Whether a new constant may be an initializer of the body; otherwise it is a Constant node.
    overridable
        Whether an initializer that is listed as an input may be overridden by the caller.
    """

    def __init__(
        self,
        body: Body,
        names: Names,
        parent: Scope | None = None,
        *,
        stores: bool = False,
        overridable: bool = True,
    ) -> None:
        self.body, self.names, self.parent, self._stores = body, names, parent, stores
        self.released: set[str] = parent.released if parent else set()
        self._types = {value.name: value.type for value in _values(body)}
        self._constants = {}
        for node in body.node:
            tensor = constant_tensor(node)
            if tensor is not None:
                self._constants[node.output[0]] = tensor
        inputs = {value if isinstance(value, str) else value.name for value in body.input}
        self._local = set(inputs)
        self._local.update(name for node in body.node for name in node.output)
        if isinstance(body, onnx.GraphProto):
            for tensor in body.initializer:
                self._local.add(tensor.name)
                if not overridable or tensor.name not in inputs:
                    self._constants[tensor.name] = tensor
                self._types.setdefault(
                    tensor.name, helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
                )

    def type_of(self, name: str) -> onnx.TypeProto | None:
        """The type of a value, as far as it is known."""
        if name in self._types:
            return self._types[name]
        if name not in self._local and self.parent is not None:
            return self.parent.type_of(name)
        tensor = self._constants.get(name)
        return None if tensor is None else helper.make_tensor_type_proto(tensor.data_type, tensor.dims)

    def dims(self, name: str) -> list[int | None] | None:
        """The dimensions of a tensor, None for one that is not known; None where the rank is unknown.

        0 and less count as unknown: some exporters write them where they mean any length.
        """
        found = self.type_of(name)
        if found is None or not found.tensor_type.HasField("shape"):
            return None
        dims = found.tensor_type.shape.dim
        return [dim.dim_value if dim.dim_value > 0 else None for dim in dims]

    def constant(self, name: str) -> onnx.TensorProto | None:
        """The tensor behind a name, where it never changes and lies in the model itself."""
        tensor = self._constants.get(name)
        if tensor is None and name not in self._local and self.parent is not None:
            return self.parent.constant(name)
        return None if tensor is None or external_data_helper.uses_external_data(tensor) else tensor

    def is_a_shape(self, name: str) -> bool:
        """Whether a value is the output of a Shape node."""
        if name not in self._local and self.parent is not None:
            return self.parent.is_a_shape(name)
        return any(node.op_type == "Shape" and name in node.output for node in self.body.node)

    def keep(self, tensor: onnx.TensorProto, name: str) -> bool:
        """Make a constant that has a name already an initializer, if the body may have them."""
        if not self._stores or not isinstance(self.body, onnx.GraphProto):
            return False
        self.body.initializer.add().CopyFrom(tensor)
        self.body.initializer[-1].name = name
        return True

    def store(self, values: NDArray[Any] | onnx.TensorProto, hint: str, nodes: list[onnx.NodeProto]) -> str:
        """Name a new constant: an initializer, or a Constant node that is appended to ``nodes``."""
        name = self.names.fresh(hint)
        tensor = onnx.TensorProto()
        tensor.CopyFrom(values if isinstance(values, onnx.TensorProto) else numpy_helper.from_array(values))
        if not self.keep(tensor, name):
            tensor.ClearField("name")
            nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        self._constants[name] = tensor
        return name


def _values(body: Body) -> Iterable[onnx.ValueInfoProto]:
    if isinstance(body, onnx.FunctionProto):
        return tuple(body.value_info)
    return (*body.value_info, *body.input, *body.output)


def _names(body: Body) -> Iterator[str]:
    for node in body.node:
        yield node.name
        yield from node.input
        yield from node.output
    for value in (*body.input, *body.output):
        yield value if isinstance(value, str) else value.name
    yield from (value.name for value in body.value_info)
    if isinstance(body, onnx.GraphProto):
        yield from (tensor.name for tensor in body.initializer)
        yield from (tensor.values.name for tensor in body.sparse_initializer)
