"""Tensors of a model as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .errors import ModelError, one_line


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
        array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # numbers that do not fill the shape, unknown types, text that is none
        message = (
            f"expected values that fill tensor {tensor.name!r} of shape {list(tensor.dims)} "
            f"({one_line(error)}); export the model again"
        )
        raise ModelError(message) from error
    return array


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


def constant_of(node: onnx.NodeProto) -> Any:
    """The value of a Constant node, or None where it has none of the known attributes."""
    for attribute in node.attribute:
        if attribute.name in _CONSTANTS and not attribute.ref_attr_name:
            return _CONSTANTS[attribute.name](attribute)
    return None


_CONSTANTS: dict[str, Callable[[onnx.AttributeProto], NDArray[Any]]] = {
    "value": lambda attribute: array_of(attribute.t),
    "sparse_value": lambda attribute: dense_array_of(attribute.sparse_tensor),
    "value_float": lambda attribute: np.array(attribute.f, np.float32),
    "value_floats": lambda attribute: np.array(attribute.floats, np.float32),
    "value_int": lambda attribute: np.array(attribute.i, np.int64),
    "value_ints": lambda attribute: np.array(attribute.ints, np.int64),
    "value_string": lambda attribute: np.array(attribute.s.decode("utf-8"), object),
    "value_strings": lambda attribute: np.array([text.decode("utf-8") for text in attribute.strings], object),
}
