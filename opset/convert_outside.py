"""Large tensors kept out of a model while onnx's C++ looks at it, which takes no more than 2 GiB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnx
from onnx import TensorProto, external_data_helper

from .domains import imported_opset
from .walk import bodies, tensors

_KEPT_BYTES_MIN = 1 << 16
_MARK = "softops.kept"
_LONG_NAME = "ai.onnx"


@contextmanager
def kept_outside(model: onnx.ModelProto) -> Iterator[None]:
    """Take the bytes of large tensors out of the model; they come back when the context ends."""
    kept: dict[str, bytes] = {}
    for tensor in tensors(model):
        if len(tensor.raw_data) >= _KEPT_BYTES_MIN and not external_data_helper.uses_external_data(tensor):
            mark = str(len(kept))
            kept[mark] = tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key=_MARK, value=mark)
    try:
        yield
    finally:
        for tensor in tensors(model):
            if len(tensor.external_data) == 1 and tensor.external_data[0].key == _MARK:
                tensor.raw_data = kept[tensor.external_data[0].value]
                tensor.ClearField("external_data")
                tensor.ClearField("data_location")


def plainly_named(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    The model with the domain of ONNX's own operators called ``""`` everywhere; itself where it is so already.

    ``"ai.onnx"`` is the same domain, but neither onnx's checker nor its inference knows it by that name.
    """
    own = [entry for entry in model.opset_import if entry.domain == _LONG_NAME]
    if not own and not any(node.domain == _LONG_NAME for body in bodies(model) for node in body.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for holder in (copy, *copy.functions):
        for entry in holder.opset_import:
            entry.domain = "" if entry.domain == _LONG_NAME else entry.domain
    for body in bodies(copy):
        for node in body.node:
            node.domain = "" if node.domain == _LONG_NAME else node.domain
    return copy


def checkable(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    A copy for `onnx.checker`, in which tensors that lie elsewhere are empty.

    Inputs and outputs of unknown rank have one there, and functions of another opset than the model's are
    left out: ONNX allows both and runtimes take them, but the checker does not.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(plainly_named(model))
    for tensor in tensors(copy):
        if external_data_helper.uses_external_data(tensor):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.dims[:] = [0]
    own = imported_opset(copy)
    for function in [f for f in copy.functions if imported_opset(f) not in (own, None)]:
        copy.functions.remove(function)
    for body in bodies(copy):
        if isinstance(body, onnx.GraphProto):
            for value in (*body.input, *body.output):
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.shape.SetInParent()
    return copy
