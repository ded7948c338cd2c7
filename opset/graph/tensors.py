"""Tensors of a model as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import ModelError, one_line
from .domains import DOMAINS


def array_of(tensor: onnx.TensorProto) -> NDArray[Any]:
    """
    The tensor's values.

    Raises
    ------
    ModelError
        The tensor's data do not fill its shape, its type is unknown, or its values lie in a file.
    """
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        message = f"expected the values of tensor {tensor.name!r} in memory (they lie in a file); pass the model's path"
        raise ModelError(message)
    try:
        array: NDArray[Any] = (
            _strings_of(tensor)
            if tensor.data_type == onnx.TensorProto.STRING
            else onnx.numpy_helper.to_array(tensor)
        )
    except Exception as error:  # numbers that do not fill the shape, unknown types, text that is none
        message = (
            f"expected values that fill tensor {tensor.name!r} of shape {list(tensor.dims)} "
            f"({one_line(error)}); export the model again"
        )
        raise ModelError(message) from error
    return array


def _strings_of(tensor: onnx.TensorProto) -> NDArray[Any]:
    """Not by onnx, which goes through an array of equally long strings: large, and without NULs at the end."""
    array = np.empty(len(tensor.string_data), object)
    array[:] = [text.decode() for text in tensor.string_data]
    return array.reshape(tuple(tensor.dims))


def dense_array_of(tensor: onnx.SparseTensorProto) -> NDArray[Any]:
    """
    The values of a sparse tensor among zeros.

    Its indices are positions in the flattened tensor, shape (n,), or one index for each dimension, shape (n, r).

    Raises
    ------
    ModelError
        Indices and values do not match, or an index lies outside the shape.
    """
    values, indices = array_of(tensor.values), array_of(tensor.indices)
    shape = tuple(tensor.dims)
    try:
        flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
        dense = np.zeros(shape, values.dtype)
        if flat.size and (flat.min() < 0 or flat.shape != values.shape):
            message = f"{flat.shape[0]} indices from {flat.min()} for {values.size} values"
            raise ValueError(message)
        np.put(dense, flat, values)
    except (ValueError, IndexError, TypeError) as error:
        message = (
            f"expected indices within shape {list(shape)} for each value of sparse tensor {tensor.values.name!r} "
            f"({one_line(error)}); export the model again"
        )
        raise ModelError(message) from error
    return dense


def constant_tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a Constant node, whatever attribute holds it; None for other nodes and sparse ones."""
    if node.op_type != "Constant" or node.domain not in DOMAINS or len(node.attribute) != 1:
        return None
    (attribute,) = node.attribute
    if attribute.ref_attr_name:
        return None
    if attribute.name == "value":
        tensor: onnx.TensorProto = attribute.t
        return tensor
    if attribute.name not in _CONSTANT_FIELDS:
        return None
    field, dtype = _CONSTANT_FIELDS[attribute.name]
    return onnx.numpy_helper.from_array(np.array(getattr(attribute, field), dtype))


def constant_of(node: onnx.NodeProto) -> NDArray[Any] | None:
    """The value of a Constant node, or None where it has none of the known attributes."""
    tensor = constant_tensor(node)
    if tensor is not None:
        return array_of(tensor)
    for attribute in node.attribute:
        if attribute.name == "sparse_value" and not attribute.ref_attr_name:
            return dense_array_of(attribute.sparse_tensor)
    return None


_CONSTANT_FIELDS: dict[str, tuple[str, Any]] = {
    "value_float": ("f", np.float32),
    "value_floats": ("floats", np.float32),
    "value_int": ("i", np.int64),
    "value_ints": ("ints", np.int64),
    "value_string": ("s", object),
    "value_strings": ("strings", object),
}
