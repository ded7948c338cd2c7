"""What a model says of the types of its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, TensorProto, TypeProto, helper

from ..errors import ModelError
from .walk import Body, bodies

Dimension = int | str | None
"""A size, a symbol, or nothing known."""


class ValueType(NamedTuple):
    """What is known of a value: dtype (such as ``"float32"``) and shape, None where nothing is known."""

    dtype: str | None = None
    shape: tuple[Dimension, ...] | None = None


_DTYPES = {
    number: {"float": "float32", "double": "float64"}.get(name.lower(), name.lower())
    for name, number in onnx.TensorProto.DataType.items()
    if number != onnx.TensorProto.UNDEFINED
}
_NUMBERS = {name: number for number, name in _DTYPES.items()}


def declared_type(given: onnx.TypeProto) -> ValueType:
    """What a declaration says of a value."""
    if not given.HasField("tensor_type"):
        return ValueType()
    tensor = given.tensor_type
    shape = tuple(map(_dimension, tensor.shape.dim)) if tensor.HasField("shape") else None
    return ValueType(_DTYPES.get(tensor.elem_type), shape)


def contradiction(declared: ValueType, known: ValueType) -> str | None:
    """
    What is declared of a value and cannot be, beside what is known of it; None where both can be true.

    A declared length of 0 says nothing: some exporters write it where any length goes.
    """
    if declared.dtype is not None and known.dtype is not None and declared.dtype != known.dtype:
        return f"{declared.dtype}, and is {known.dtype}"
    if declared.shape is None or known.shape is None:
        return None
    differ = len(declared.shape) != len(known.shape) or any(
        isinstance(one, int) and isinstance(other, int) and one not in (0, other)
        for one, other in zip(declared.shape, known.shape, strict=True)
    )
    return f"{shape_words(declared.shape)}, and is {shape_words(known.shape)}" if differ else None


def shape_words(shape: tuple[Dimension, ...]) -> str:
    """A shape for messages, such as ``[N, 3, ?]``."""
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _dimension(dim: onnx.TensorShapeProto.Dimension) -> Dimension:
    """As the model has it; shape inference makes up names for what it does not know."""
    found = dimension_of(dim)
    return None if isinstance(found, str) and found.startswith("unk__") else found


def value_info(name: str, known: ValueType) -> onnx.ValueInfoProto:
    """Return the declaration of a value, as far as its type is known."""
    if known.dtype is None:
        return onnx.ValueInfoProto(name=name)
    declared: onnx.ValueInfoProto = onnx.helper.make_tensor_value_info(
        name, _NUMBERS[known.dtype], known.shape
    )
    return declared


def dimension_of(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    """A length or a label; None where nothing is said, which some exporters do by a length of -1."""
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None


def type_word(number: int) -> str:
    """ONNX's word for an element type, such as ``float``; ``type`` and its number for one that it does not know."""
    known = number in onnx.TensorProto.DataType.values()
    return onnx.TensorProto.DataType.Name(number).lower() if known else f"type {number}"


def check_element_type(value: onnx.ValueInfoProto) -> None:
    """Refuse an input of a type that the installed onnx does not know, by a ModelError."""
    number = value.type.tensor_type.elem_type
    if number != onnx.TensorProto.UNDEFINED and number not in onnx.helper.get_all_tensor_dtypes():
        message = (
            f"expected an element type that onnx {onnx.__version__} knows for the input {value.name!r} (got "
            f"{type_word(number)}); export the model again, or upgrade onnx"
        )
        raise ModelError(message)


def dtype_of(number: int, whose: str) -> np.dtype[Any]:
    """
    NumPy's dtype for an element type.

    Raises
    ------
    ModelError
        ONNX knows no such type, or none is said.
    """
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(number))
    except KeyError:
        message = (
            f"expected an element type of ONNX for {whose} (got {type_word(number)}); "
            "export the model again, or upgrade onnx"
        )
        raise ModelError(message) from None


def value_types(body: Body) -> dict[str, TypeProto]:
    """The types of a body's own values, as far as they are written down."""
    types: dict[str, TypeProto] = {}
    declared = list(body.value_info)
    if isinstance(body, onnx.GraphProto):
        types = {tensor.name: tensor_type(tensor) for tensor in body.initializer}
        types |= {
            s.values.name: helper.make_tensor_type_proto(s.values.data_type, s.dims)
            for s in body.sparse_initializer
        }
        declared += [*body.output, *body.input]
    for value in declared:
        known = types.get(value.name)
        # What says no shape adds nothing to what does.
        if (
            known is None
            or not known.tensor_type.HasField("shape")
            or value.type.tensor_type.HasField("shape")
        ):
            types[value.name] = value.type
    return types


def tensor_type(tensor: TensorProto) -> TypeProto:
    """The type that a tensor has."""
    found: TypeProto = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    return found


def forget_negative_lengths(model: ModelProto) -> bool:
    """
    Make unknown what a model declares to be of length -1 or less, in place; return whether there was such a length.

    Some exporters write -1 where any length goes, and runtimes take it so; onnx's shape inference counts with it.
    """
    found = False
    for kind in declared_tensor_types(model):
        for dim in kind.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < 0:
                dim.ClearField("dim_value")
                found = True
    return found


def declared_tensor_types(model: ModelProto) -> Iterator[TypeProto.Tensor]:
    """Every type of a tensor that a model declares, in its subgraphs and functions too."""
    for body in bodies(model):
        values = [*body.value_info]
        if isinstance(body, GraphProto):
            values += [*body.input, *body.output]
        yield from (value.type.tensor_type for value in values if value.type.HasField("tensor_type"))
