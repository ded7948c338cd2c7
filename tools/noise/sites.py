"""Where in a model a fault can be planted, and what planting needs: copies, constants, nodes in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from softops.opset.graph.walk import attribute_of

Shapes = dict[str, tuple[int, ...]]
"""Shapes of tensors, by name."""

PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose")


class Weight(NamedTuple):
    """A weight of a node: its tensor, and the axis along which its rows make one output each."""

    tensor: TensorProto
    axis: int
    node: onnx.NodeProto


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def constants(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    """Return the tensors that a graph has as initializers or from nodes Constant, by name."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        value = attribute_of(node, "value") if node.op_type == "Constant" else None
        if value is not None:
            found[node.output[0]] = value.t
    # An exporter writes one weight for several layers as an Identity of it.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def weights(graph: onnx.GraphProto) -> list[Weight]:
    """Return the weights of products and recurrent layers in float32."""
    known = constants(graph)
    found = []
    for node in graph.node:
        axis = _row_axis(node)
        tensor = known.get(node.input[1]) if axis is not None and len(node.input) > 1 else None
        if tensor is not None and tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            found.append(Weight(tensor, int(axis or 0) % len(tensor.dims), node))
    return found


def _row_axis(node: onnx.NodeProto) -> int | None:
    if node.op_type == "Gemm":
        turned = attribute_of(node, "transB")
        return 0 if turned is not None and turned.i else 1
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": -1, "LSTM": 1, "GRU": 1}.get(node.op_type)


def array_of(tensor: TensorProto) -> NDArray[Any]:
    """Return a tensor's numbers, which may be written to."""
    return np.array(numpy_helper.to_array(tensor))


def put(tensor: TensorProto, array: NDArray[Any]) -> None:
    """Write other numbers into a tensor."""
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))


def insert_behind(
    graph: onnx.GraphProto, node: onnx.NodeProto, make: Callable[[str, str], Sequence[onnx.NodeProto]]
) -> None:
    """Put nodes behind the first output of a node; ``make`` gives them for the names of their input and output."""
    name = node.output[0]
    before = f"{name}__before"
    node.output[0] = before
    place = next(place for place, other in enumerate(graph.node) if other is node or other == node)
    for offset, added in enumerate(make(before, name)):
        graph.node.insert(place + 1 + offset, added)


def replace(graph: onnx.GraphProto, node: onnx.NodeProto, added: Sequence[onnx.NodeProto]) -> None:
    """Put nodes in the place of a node."""
    place = list(graph.node).index(node)
    del graph.node[place]
    for offset, other in enumerate(added):
        graph.node.insert(place + offset, other)


def add_constant(graph: onnx.GraphProto, name: str, value: float) -> str:
    """Add a number in float32 to a graph; return its name."""
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return name


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Set an attribute of a node, whether it was there or not."""
    old = attribute_of(node, name)
    if old is not None:
        node.attribute.remove(old)
    node.attribute.append(helper.make_attribute(name, value))


def chosen(random: Random, sites: Sequence[Any]) -> Any:
    """Draw one of the sites; None where there is none."""
    return random.choice(sites) if sites else None


def equal_axes(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of axes of equal length, those of length 1 left out."""
    return [
        (first, second)
        for first in range(len(shape))
        for second in range(first + 1, len(shape))
        if shape[first] == shape[second] > 1
    ]
