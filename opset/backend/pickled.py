"""A prepared model put into bytes and made again: its graph without initializers, and the values of these as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..graph.functions import Library


def without_values(graph: onnx.GraphProto, opsets: Mapping[str, int], library: Library) -> onnx.ModelProto:
    """Return a model of a graph, a copy, without its initializers: their arrays are held anyway, for the runs."""
    model = onnx.ModelProto(ir_version=onnx.IR_VERSION)
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items())
    model.functions.extend(library.values())
    model.graph.name = graph.name
    for field in ("node", "input", "output", "sparse_initializer"):
        getattr(model.graph, field).extend(getattr(graph, field))
    return model


def with_values(content: bytes, values: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Return the model that `without_values` took from its initializers, with these."""
    model: onnx.ModelProto = onnx.ModelProto.FromString(content)
    model.graph.initializer.extend(_tensor(name, array) for name, array in values.items())
    return model


def _tensor(name: str, array: NDArray[Any]) -> onnx.TensorProto:
    if array.dtype != np.object_:
        return onnx.numpy_helper.from_array(array, name)
    texts = [text.encode() for text in array.ravel()]
    return onnx.TensorProto(name=name, data_type=onnx.TensorProto.STRING, dims=array.shape, string_data=texts)
