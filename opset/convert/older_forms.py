"""
What an older opset can say of a node in another form: inputs as attributes, several nodes, the function of its text.

Each is a rule as in `rules`, for the step from the version named to the opset before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from ..errors import ModelError
from ..graph.by_onnx import inline
from ..graph.inference import infer_types
from ..graph.types import ValueType
from ..graph.walk import subgraphs
from .onnx_converter import alone, taken_back
from .schemas import schema_of, stays, without_defaults
from .step import Step

_LIMITS: dict[int, tuple[float, float]] = {
    int(element): (-float(largest), float(largest))
    for element, largest in (
        (TensorProto.FLOAT, np.finfo(np.float32).max),
        (TensorProto.DOUBLE, np.finfo(np.float64).max),
        (TensorProto.FLOAT16, np.finfo(np.float16).max),
    )
}
"""What a Clip without a bound is bound by: the smallest and the largest number of its type."""

_LARGEST = np.iinfo(np.int64).max


def clip(step: Step) -> list[NodeProto] | None:
    """Bounds as inputs (11) → as attributes, where float32 holds them; else Max and Min."""
    if step.source != 11:
        return None
    x, *bounds = [*step.node.input, "", ""][:3]
    # The bounds have the type of the input, which in a function may be all that tells it.
    element = next(filter(None, map(step.scope.element, (x, *filter(None, bounds)))), None)
    if element == TensorProto.FLOAT and all(
        not name or step.scope.constant(name) is not None for name in bounds
    ):
        result = step.copy()
        result.input[:] = [x]
        for name, attribute in zip(bounds, ("min", "max"), strict=True):
            if name:
                result.attribute.append(helper.make_attribute(attribute, step.number(name)))
                step.released.add(name)
        return [result]
    # Of other types the attributes, and their defaults, hold not all numbers.
    if element not in _LIMITS:
        step.refuse(
            "the type of its input is not known" if element is None else "it takes floats alone there"
        )
    nodes: list[NodeProto] = []
    for name, op_type, limit in zip(bounds, ("Max", "Min"), _LIMITS[element], strict=True):
        constants: list[NodeProto] = []
        bound = name or step.store(helper.make_tensor("limit", element, [], [limit]), f"{x}_limit", constants)
        nodes += [*constants, step.made(op_type, [nodes[-1].output[0] if nodes else x, bound])]
    return step.ended(nodes)


def slice_(step: Step) -> list[NodeProto] | None:
    """Places as inputs (10) → as attributes; axes counted from the end (11) → from the front."""
    if step.source == 11:
        axes = step.integers(step.node.input[3]) if _has(step.node, 3) and _is_constant(step, 3) else []
        rank = step.scope.rank(step.node.input[0])
        if rank is None or all(axis >= 0 for axis in axes):
            return None
        nodes: list[NodeProto] = []
        result = step.copy()
        counted = np.array([axis % rank for axis in axes], np.int64)
        given = step.scope.array(step.node.input[1])
        counted = counted if given is None else counted.astype(given.dtype)
        result.input[3] = step.store(counted, f"{result.output[0]}_axes", nodes)
        step.released.add(step.node.input[3])
        return [*nodes, result]
    if step.source != 10:
        return None
    result = step.copy()
    names = [name for name in step.node.input[1:] if name]
    if _has(step.node, 4) and set(step.integers(step.node.input[4])) - {1}:
        step.refuse("its steps are new in opset 10")
    places = {"starts": step.integers(step.node.input[1]), "ends": step.integers(step.node.input[2])}
    if _has(step.node, 3):
        places["axes"] = step.counted(step.integers(step.node.input[3]))
    result.input[:] = step.node.input[:1]
    result.attribute.extend(helper.make_attribute(name, value) for name, value in places.items())
    step.released.update(names)
    return [result]


def pad(step: Step) -> list[NodeProto] | None:
    """Axes (18) → pads for all of them; pads and value as inputs (11) → as attributes."""
    node = step.node
    if step.source == 19 and any(attribute.s == b"wrap" for attribute in node.attribute):
        step.refuse("mode='wrap' is new in opset 19")
    if step.source == 18:
        result = step.copy()
        if not _has(node, 3):
            result.input[:] = node.input[:3]
            return [result]
        axes, pads = step.counted(step.integers(node.input[3])), step.integers(node.input[1])
        rank = step.scope.rank(node.input[0])
        if rank is None:
            step.refuse("the rank of its input is not known")
        full = np.zeros((2, rank), np.int64)
        full[:, axes] = np.reshape(pads, (2, len(axes)))
        nodes: list[NodeProto] = []
        result.input[:] = [
            *node.input[:1],
            step.store(full.ravel(), f"{node.output[0]}_pads", nodes),
            *node.input[2:3],
        ]
        step.released.update((node.input[1], node.input[3]))
        return [*nodes, result]
    if step.source != 11:
        return None
    result = step.copy()
    result.input[:] = node.input[:1]
    result.attribute.append(helper.make_attribute("pads", step.integers(node.input[1])))
    if _has(node, 2):
        result.attribute.append(helper.make_attribute("value", step.number(node.input[2])))
    step.check_types(result)
    step.released.update(name for name in node.input[1:] if name)
    return [result]


def split(step: Step) -> list[NodeProto] | None:
    """A number of outputs (18) → their lengths."""
    if step.source != 18:
        return None
    result = step.copy(without=["num_outputs"])
    number = step.attribute("num_outputs")
    if number is None:
        return [result]
    axis = step.attribute("axis")
    dims = step.scope.value_type(step.node.input[0]).shape
    at = 0 if axis is None else int(axis.i)
    length = None if dims is None or not -len(dims) <= at < len(dims) else dims[at]
    if number.ref_attr_name or (axis is not None and axis.ref_attr_name) or not isinstance(length, int):
        step.refuse("num_outputs is new in opset 18, and the length of its axis is not known")
    part = -(-length // number.i)
    parts = [max(0, min(part, length - start * part)) for start in range(number.i)]
    nodes: list[NodeProto] = []
    lengths = step.store(np.array(parts, np.int64), f"{step.node.output[0]}_lengths", nodes)
    result.input[:] = [step.node.input[0], lengths]
    return [*nodes, result]


def shape(step: Step) -> list[NodeProto] | None:
    """A part of a shape (15) → the shape, and a Slice of it."""
    start, end = step.attribute("start"), step.attribute("end")
    if step.source != 15 or (end is None and (start is None or not (start.i or start.ref_attr_name))):
        return None
    if (start is not None and start.ref_attr_name) or (end is not None and end.ref_attr_name):
        step.refuse("its start or end is an attribute of a function")
    whole = step.made("Shape", [step.node.input[0]])
    nodes: list[NodeProto] = []
    places = (0 if start is None else start.i, _LARGEST if end is None else end.i)
    names = [
        step.store(np.array([place], np.int64), f"{step.node.output[0]}_{what}", nodes)
        for what, place in zip(("start", "end"), places, strict=True)
    ]
    return step.ended([*nodes, whole, step.made("Slice", [whole.output[0], *names])])


def dropout(step: Step) -> list[NodeProto] | None:
    """A ratio as an input (12) → as an attribute; nothing is dropped before either, unless it is told to train."""
    if step.source != 12 or not any(step.node.input[1:]):
        return None
    if _has(step.node, 2) and any(step.integers(step.node.input[2])):
        step.refuse("training_mode is new in opset 12")
    result = step.copy(without=["seed"])
    result.input[:] = step.node.input[:1]
    if _has(step.node, 1) and _is_constant(step, 1):
        result.attribute.append(helper.make_attribute("ratio", step.number(step.node.input[1])))
    step.released.update(name for name in step.node.input[1:] if name)
    return [result]


def pool(step: Step) -> list[NodeProto] | None:
    """Dilations (10, of an average 19) of 1 → none, which is the same."""
    given = step.attribute("dilations")
    if given is None or given.ref_attr_name or set(given.ints) - {1}:
        return None
    result = step.copy(without=["dilations"])
    return [without_defaults(result, step.target)] if stays(result, step.source, step.target) else None


def gemm(step: Step) -> list[NodeProto] | None:
    """No third input (11) → zero."""
    if step.source != 11 or _has(step.node, 2):
        return None
    element = step.scope.element(step.node.input[0])
    if element is None:
        step.refuse("the type of its input is not known")
    nodes: list[NodeProto] = []
    zero = helper.make_tensor("zero", element, [1], [0])
    result = step.copy()
    result.input[:] = [*step.node.input[:2], step.store(zero, f"{step.node.output[0]}_zero", nodes)]
    return [*nodes, result]


def layer_normalization(step: Step) -> list[NodeProto] | None:
    """
    Return the operators of its text (17), the variance as the mean of squared differences.

    The function that the schema has takes the squared mean from the mean of squares, which loses all digits where
    the mean is large.
    """
    if step.source != 17:
        return None
    if any(attribute.ref_attr_name for attribute in step.node.attribute):
        step.refuse("its attributes are those of a function")
    said = {a.name: onnx.helper.get_attribute_value(a) for a in step.node.attribute}
    x, scale, bias = [*step.node.input, ""][:3]
    element, rank, axis = step.scope.element(x), step.scope.rank(x), said.get("axis", -1)
    if element is None or (axis >= 0 and rank is None):
        step.refuse(
            "the type or the rank of its input is not known; run onnx.shape_inference on the model first"
        )
    axes = [*range(axis if axis < 0 else axis - (rank or 0), 0)]
    stash = said.get("stash_type", TensorProto.FLOAT)
    nodes: list[NodeProto] = []

    def add(op_type: str, *inputs: str, **attributes: object) -> str:
        nodes.append(step.made(op_type, inputs))
        nodes[-1].attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        return str(nodes[-1].output[0])

    wide = x if element == stash else add("Cast", x, to=stash)
    mean = add("ReduceMean", wide, axes=axes, keepdims=1)
    difference = add("Sub", wide, mean)
    variance = add("ReduceMean", add("Mul", difference, difference), axes=axes, keepdims=1)
    epsilon = helper.make_tensor("epsilon", stash, [1], [said.get("epsilon", 1e-5)])
    shifted = add("Add", variance, step.store(epsilon, f"{step.node.output[0]}_epsilon", nodes))
    inverse = add("Reciprocal", add("Sqrt", shifted))
    normalized = add("Mul", difference, inverse)
    narrow = normalized if element == stash else add("Cast", normalized, to=element)
    result = add("Mul", narrow, scale)
    result = add("Add", result, bias) if bias else result
    makers = {node.output[0]: node for node in nodes}
    for value, name in zip((mean, inverse), step.node.output[1:], strict=False):
        if name:
            nodes.append(helper.make_node("Identity", [value], [name]))
    makers[result].output[0] = step.node.output[0]
    makers[result].name = step.node.name or makers[result].name
    return nodes


def spelled_out(step: Step) -> list[NodeProto] | None:
    """Return the function that ONNX defines a new operator by, at the opset that brought it; None without one."""
    schema: Any = schema_of(step.node.op_type, step.source)  # onnx's stubs say nothing of functions
    if schema is None or not (schema.has_function or schema.has_context_dependent_function):
        return None
    if any(attribute.ref_attr_name for attribute in step.node.attribute):
        step.refuse("its attributes are those of a function")
    model, names = alone(step)
    given = {attribute.name for attribute in step.node.attribute}
    # The function's nodes refer to its attributes, and the inliner does not know their defaults.
    defaults = [a.default_value for name, a in schema.attributes.items() if name not in given]
    model.graph.node[0].attribute.extend(default for default in defaults if default.name)
    if any(step.scope.value_type(name) == ValueType() for name in step.node.input if name):
        step.refuse("the types of its inputs are not known; run onnx.shape_inference on the model first")
    try:
        inlined = inline(model, [("", step.node.op_type)], of_schemas=True)
    except ModelError:
        return None
    # Of a Loop inside, such as that of a Range, the names would have to change as well.
    if any(node.op_type == step.node.op_type or subgraphs(node) for node in inlined.graph.node):
        return None
    return taken_back(infer_types(inlined).graph, step, names, [])


def _has(node: NodeProto, position: int) -> bool:
    return len(node.input) > position and bool(node.input[position])


def _is_constant(step: Step, position: int) -> bool:
    return step.scope.constant(step.node.input[position]) is not None
