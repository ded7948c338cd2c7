"""
The faults that are planted.

A fault of a model takes a copy of it, the shapes of its tensors and a source of chance, and changes the copy; False
where the model has no place for it. One of outputs takes what a right runtime gave, and returns it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from softops.opset.graph.domains import imported_opset
from softops.opset.graph.walk import attribute_of

from .sites import (
    PRODUCTS,
    Shapes,
    add_constant,
    array_of,
    chosen,
    constants,
    equal_axes,
    insert_behind,
    put,
    replace,
    set_attribute,
    weights,
)

OfModel = Callable[[onnx.ModelProto, Shapes, Random], bool]
OfOutputs = Callable[[Sequence[NDArray[Any]], Random], list[NDArray[Any]] | None]

_SMALL = 2e-3
"""An epsilon is no larger."""


def weight_row(model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Make a row of a weight, that of one output, 2 % larger."""
    weight = chosen(random, weights(model.graph))
    if weight is None:
        return False
    array = array_of(weight.tensor)
    row = np.moveaxis(array, weight.axis, 0)[random.randrange(array.shape[weight.axis])]
    row *= np.float32(1.02)
    put(weight.tensor, array)
    return True


def sum_in(to: int, model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Round the sums of one product to a narrower type."""
    if to == TensorProto.BFLOAT16 and (imported_opset(model) or 0) < 13:
        return False
    # A product whose weight is in float32 is in float32 itself.
    sites = [weight.node for weight in weights(model.graph) if weight.node.op_type in PRODUCTS]
    node = chosen(random, sites)
    if node is None:
        return False

    def through(before: str, after: str) -> list[onnx.NodeProto]:
        narrow = f"{after}__narrow"
        return [
            helper.make_node("Cast", [before], [narrow], to=to),
            helper.make_node("Cast", [narrow], [after], to=TensorProto.FLOAT),
        ]

    insert_behind(model.graph, node, through)
    return True


def gelu_by_tanh(model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Compute every GELU by tanh: erf(u) as tanh(2/√π · u·(1 + 0.08943 u²))."""
    native = [node for node in model.graph.node if node.op_type == "Gelu" and not _is_by_tanh(node)]
    for node in native:
        set_attribute(node, "approximate", "tanh")
    spelled_out = [node for node in model.graph.node if node.op_type == "Erf"]
    for node in spelled_out:
        u, y = node.input[0], node.output[0]
        cubic = add_constant(model.graph, f"{y}__cubic", 2 * 0.044715)
        one = add_constant(model.graph, f"{y}__one", 1)
        scale = add_constant(model.graph, f"{y}__scale", 2 / np.sqrt(np.pi))
        nodes = [
            helper.make_node("Mul", [u, u], [f"{y}__square"]),
            helper.make_node("Mul", [f"{y}__square", cubic], [f"{y}__part"]),
            helper.make_node("Add", [f"{y}__part", one], [f"{y}__factor"]),
            helper.make_node("Mul", [f"{y}__factor", u], [f"{y}__bent"]),
            helper.make_node("Mul", [f"{y}__bent", scale], [f"{y}__inner"]),
            helper.make_node("Tanh", [f"{y}__inner"], [y]),
        ]
        replace(model.graph, node, nodes)
    return bool(native or spelled_out)


def _is_by_tanh(node: onnx.NodeProto) -> bool:
    approximate = attribute_of(node, "approximate")
    return approximate is not None and approximate.s == b"tanh"


def epsilon(value: float, model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Give every LayerNorm another epsilon, spelled out or not; one that has it already gets ten times as much."""
    native = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    for node in native:
        old = attribute_of(node, "epsilon")
        now = 1e-5 if old is None else old.f
        set_attribute(node, "epsilon", 10 * value if np.isclose(now, value, rtol=1e-3, atol=0) else value)
    known = constants(model.graph)
    rooted = {node.input[0] for node in model.graph.node if node.op_type == "Sqrt"}
    found = False
    for node in model.graph.node:
        if node.op_type != "Add" or node.output[0] not in rooted:
            continue
        for place, name in enumerate(node.input):
            tensor = known.get(name)
            if (
                tensor is None
                or np.prod(tensor.dims, dtype=int) != 1
                or not 0 < array_of(tensor).item() <= _SMALL
            ):
                continue
            now = array_of(tensor).item()
            other = 10 * value if np.isclose(now, value, rtol=1e-3, atol=0) else value
            node.input[place] = add_constant(model.graph, f"{node.output[0]}__epsilon", other)
            found = True
    return bool(native) or found


def swapped_axis(model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Swap two axes of equal length: in a Transpose, of a square weight, or of what a convolution made."""
    graph = model.graph
    turns = [
        (node, axes)
        for node in graph.node
        if node.op_type == "Transpose" and node.input[0] in shapes
        for axes in equal_axes(shapes[node.input[0]])
    ]
    squares = [
        weight
        for weight in weights(graph)
        if len(weight.tensor.dims) == 2 and len(set(weight.tensor.dims)) == 1
    ]
    maps = [
        node
        for node in graph.node
        if node.op_type == "Conv"
        and len(shape := shapes.get(node.output[0], ())) == 4
        and (2, 3) in equal_axes(shape)
    ]
    kind = chosen(random, [sites for sites in (turns, squares, maps) if sites])
    if kind is None:
        return False
    site = chosen(random, kind)
    if kind is turns:
        node, axes = site
        perm = attribute_of(node, "perm")
        rank = len(shapes[node.input[0]])
        order = list(perm.ints) if perm is not None else list(range(rank))[::-1]
        first, second = (order.index(axis) for axis in axes)
        order[first], order[second] = order[second], order[first]
        set_attribute(node, "perm", order)
    elif kind is squares:
        put(site.tensor, array_of(site.tensor).T)
    else:
        insert_behind(graph, site, lambda before, after: [_turned(before, after)])
    return True


def _turned(before: str, after: str) -> onnx.NodeProto:
    return helper.make_node("Transpose", [before], [after], perm=[0, 1, 3, 2])


def resize_mode(model: onnx.ModelProto, shapes: Shapes, random: Random) -> bool:
    """Resize to the nearest number where it was linear, and the other way round."""
    node = chosen(random, [node for node in model.graph.node if node.op_type in ("Resize", "Upsample")])
    if node is None:
        return False
    mode = attribute_of(node, "mode")
    was = "nearest" if mode is None else mode.s.decode()
    set_attribute(node, "mode", "linear" if was == "nearest" else "nearest")
    return True


def one_element(outputs: Sequence[NDArray[Any]], random: Random) -> list[NDArray[Any]] | None:
    """Move one element of the outputs by 3e-4."""
    found = [np.array(output) for output in outputs]
    output = chosen(random, [output for output in found if output.dtype == np.float32 and output.size])
    if output is None:
        return None
    output.reshape(-1)[random.randrange(output.size)] += np.float32(3e-4)
    return found


def through_half(outputs: Sequence[NDArray[Any]], random: Random) -> list[NDArray[Any]] | None:
    """Round the outputs to float16."""
    if not any(output.dtype == np.float32 for output in outputs):
        return None
    with np.errstate(over="ignore"):
        return [
            output.astype(np.float16).astype(np.float32) if output.dtype == np.float32 else np.array(output)
            for output in outputs
        ]


OF_MODELS: dict[str, OfModel] = {
    "a row of a weight off by 2 %": weight_row,
    "a sum in float16": partial(sum_in, TensorProto.FLOAT16),
    "a sum in bfloat16": partial(sum_in, TensorProto.BFLOAT16),
    "GELU by tanh": gelu_by_tanh,
    "LayerNorm's epsilon 1e-6": partial(epsilon, 1e-6),
    "LayerNorm's epsilon left out": partial(epsilon, 0.0),
    "a swapped axis": swapped_axis,
    "a Resize mode": resize_mode,
}
OF_OUTPUTS: dict[str, OfOutputs] = {
    "one output element off by 3e-4": one_element,
    "outputs through float16": through_half,
}
