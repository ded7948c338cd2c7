"""What a model says about its inputs and outputs, in onnxruntime's words."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from ..graph.types import dimension_of, type_word


@dataclass(frozen=True)
class ValueInfo:
    """
    What a model says about an input or an output, under the names that onnxruntime gives it.

    Attributes
    ----------
    name
        Its name.
    type
        Such as ``"tensor(float)"`` or ``"seq(tensor(int64))"``.
    shape
        For a tensor its dimensions: a length, a label, or None where nothing is said; None for an unknown rank
        and for what is no tensor.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...] | None


def value_info(value: onnx.ValueInfoProto) -> ValueInfo:
    """Name, type and shape of an input or an output."""
    tensor = value.type.tensor_type
    shape = tuple(map(dimension_of, tensor.shape.dim)) if tensor.HasField("shape") else None
    return ValueInfo(value.name, _type_name(value.type), shape)


def _type_name(expected: onnx.TypeProto) -> str:
    kind = expected.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        inner = getattr(expected, kind)
        return f"{kind.removesuffix('_type')}({type_word(inner.elem_type)})"
    if kind == "sequence_type":
        return f"seq({_type_name(expected.sequence_type.elem_type)})"
    if kind == "optional_type":
        return f"optional({_type_name(expected.optional_type.elem_type)})"
    if kind == "map_type":
        key = type_word(expected.map_type.key_type)
        return f"map({key},{_type_name(expected.map_type.value_type)})"
    return "unknown"
