"""What onnx's checker and its inference can be asked of a model that they do not take as it is."""

from __future__ import annotations

import onnx
from onnx import external_data_helper

from .domains import imported_opset
from .walk import bodies, tensors

_LONG_NAME = "ai.onnx"


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


def checkable(model: onnx.ModelProto, *, mixed_opsets: bool) -> onnx.ModelProto:
    """
    A copy for `onnx.checker`, in which tensors that lie elsewhere are empty.

    Inputs and outputs of unknown rank, and the long name of ONNX's own domain, are allowed and taken by runtimes,
    but not by the checker: the copy has a rank, and the short name.

    Parameters
    ----------
    model
        The model, which stays as it is.
    mixed_opsets
        Whether a function may read an operator by another version than the model: ONNX forbids it, although
        each function names its opset. Such functions are left out then.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(plainly_named(model))
    for tensor in tensors(copy):
        if external_data_helper.uses_external_data(tensor):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.dims[:] = [0]
    own = imported_opset(copy)
    for function in [f for f in copy.functions if mixed_opsets and imported_opset(f) not in (own, None)]:
        copy.functions.remove(function)
    for body in bodies(copy):
        if isinstance(body, onnx.GraphProto):
            for value in (*body.input, *body.output):
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.shape.SetInParent()
    return copy
