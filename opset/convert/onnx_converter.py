"""One node through onnx's own version converter, which then cannot lose anything else of the model."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache

import onnx
from onnx import helper, version_converter

from ..errors import one_line
from ..graph.walk import subgraphs
from .schemas import schema_of
from .step import Step

_CONSTANT_BYTES_MAX = 1 << 16  # axes, pads, scales, splits: whatever an adapter may want to read is small


def convert_by_onnx(step: Step) -> list[onnx.NodeProto]:
    """
    Return the nodes that onnx's converter makes of the node, between neighbouring opsets.

    The node goes alone, with the types of its inputs and outputs and those constants it could need. One with
    subgraphs is refused, and one whose references to a function's attributes would have to change.
    """
    node = step.node
    if subgraphs(node):
        step.refuse("its version with subgraphs means something else there")
    references = [attribute for attribute in node.attribute if attribute.ref_attr_name]
    model, names = alone(step)
    try:
        converted = onnx.load_from_string(_convert(model.SerializeToString(deterministic=True), step.target))
    except Exception as error:  # the converter raises whatever its assertions and shape inference raise
        # An assertion is led in by its place in onnx's source.
        reason = one_line(error).rpartition("failed: ")[2].replace("$", "")
        step.refuse(f"onnx.version_converter: {reason}", error)
    return taken_back(converted.graph, step, names, references)


@lru_cache(maxsize=512)
def _convert(model: bytes, target: int) -> bytes:
    return bytes(version_converter.convert_version(onnx.load_from_string(model), target).SerializeToString())


def alone(step: Step) -> tuple[onnx.ModelProto, dict[str, str]]:
    """A model of the node alone, without references to attributes of a function; the new names by those it has."""
    node, scope = step.node, step.scope
    inputs = list(dict.fromkeys(name for name in node.input if name))
    # Names of its own make equal nodes equal, and each such node is converted once.
    names = {name: f"i{index}" for index, name in enumerate(inputs)}
    names |= {name: f"o{index}" for index, name in enumerate(node.output) if name}
    single = _renamed(node, names)
    for field in ("name", "doc_string", "domain", "metadata_props"):
        single.ClearField(field)
    for attribute in [a for a in single.attribute if a.ref_attr_name]:
        single.attribute.remove(attribute)
    graph = onnx.GraphProto(name="node", node=[single])
    for name in inputs:
        tensor = scope.constant(name)
        if tensor is not None and tensor.ByteSize() <= _CONSTANT_BYTES_MAX:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = names[name]
        else:
            graph.input.append(onnx.ValueInfoProto(name=names[name], type=scope.type_of(name)))
    graph.output.extend(
        onnx.ValueInfoProto(name=names[name], type=scope.type_of(name)) for name in node.output if name
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", step.source)], ir_version=8)
    return model, names


def taken_back(
    graph: onnx.GraphProto, step: Step, names: dict[str, str], references: list[onnx.AttributeProto]
) -> list[onnx.NodeProto]:
    """The nodes under the names of the model, with what belongs to the one they stand for."""
    node, fresh = step.node, step.scope.names.fresh
    nodes: list[onnx.NodeProto] = []
    real = {new: old for old, new in names.items()} | {"": ""}
    for tensor in graph.initializer:
        if tensor.name not in real:
            real[tensor.name] = step.store(tensor, f"{node.output[0]}_constant", nodes)
    for made in graph.node:
        for name in made.output:
            if name not in real:
                real[name] = fresh(f"{node.output[0]}_{made.op_type.lower()}")
    for made in graph.node:
        back = _renamed(made, real)
        if node.domain:
            back.domain = node.domain
        if made.op_type == node.op_type or len(graph.node) == 1:
            for field in ("name", "doc_string"):
                if node.HasField(field):
                    setattr(back, field, getattr(node, field))
            back.metadata_props.extend(node.metadata_props)
            _put_back(references, back, step)
        elif node.name:
            back.name = fresh(f"{node.name}_{made.op_type}")
        nodes.append(back)
    _tell_types(graph, real, step)
    step.released.update(node.input)
    return nodes


def _tell_types(graph: onnx.GraphProto, real: dict[str, str], step: Step) -> None:
    for value in graph.value_info:
        if value.name in real:
            step.scope.add_type(real[value.name], value.type)


def _put_back(references: list[onnx.AttributeProto], back: onnx.NodeProto, step: Step) -> None:
    new = schema_of(back.op_type, step.target)
    for attribute in references:
        if back.op_type != step.node.op_type or new is None or attribute.name not in new.attributes:
            step.refuse(f"its {attribute.name} is the attribute {attribute.ref_attr_name!r} of a function")
        back.attribute.append(attribute)


def _renamed(node: onnx.NodeProto, names: dict[str, str]) -> onnx.NodeProto:
    result = deepcopy(node)
    result.input[:] = [names.get(name, name) for name in node.input]
    result.output[:] = [names.get(name, name) for name in node.output]
    return result
