"""A model as onnx's checker and its inference take it, which is not always as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    SparseTensorProto,
    TensorProto,
    helper,
)

from .domains import imported_opset
from .external import is_external
from .walk import bodies, tensors

_LONG_NAME = "ai.onnx"
_KEPT_BYTES_MIN = 1 << 16
_MARK = "softops.kept"


def plainly_named(model: ModelProto) -> ModelProto:
    """
    The model with the domain of ONNX's own operators called ``""`` everywhere; itself where it is so already.

    ``"ai.onnx"`` is the same domain, but neither onnx's checker nor its inference knows it by that name.
    """
    if all(named.domain != _LONG_NAME for named in _naming_domains(model)):
        return model
    copy = deepcopy(model)
    for named in _naming_domains(copy):
        named.domain = "" if named.domain == _LONG_NAME else named.domain
    return copy


def _naming_domains(model: ModelProto) -> Iterator[OperatorSetIdProto | NodeProto]:
    for holder in (model, *model.functions):
        yield from holder.opset_import
    for body in bodies(model):
        yield from body.node


def checkable(model: ModelProto, *, mixed_opsets: bool) -> ModelProto:
    """
    A copy for `onnx.checker`, in which tensors that lie elsewhere are empty.

    Inputs and outputs of unknown rank, and the long name of ONNX's own domain, are allowed and taken by runtimes,
    but not by the checker: the copy has a rank, and the short name. ONNX forbids that a function reads an operator by
    another version than the model, although each function names its opset: with ``mixed_opsets`` such functions are
    left out.
    """
    copy = deepcopy(plainly_named(model))
    for tensor in filter(is_external, tensors(copy)):
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.dims[:] = [0]
    own = imported_opset(copy)
    for function in [f for f in copy.functions if mixed_opsets and imported_opset(f) not in (own, None)]:
        copy.functions.remove(function)
    for body in bodies(copy):
        if isinstance(body, GraphProto):
            for value in (*body.input, *body.output):
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.shape.SetInParent()
    return copy


def skeleton(model: ModelProto, leaves_out: Callable[[TensorProto | SparseTensorProto], bool]) -> ModelProto:
    """
    The model without some of its main graph's initializers, which become inputs; itself where it has none of them.

    What is left is a valid model that can be checked and inferred, whatever the size of the tensors.
    """
    graph = model.graph
    out = [tensor for tensor in graph.initializer if leaves_out(tensor)]
    sparse = [tensor for tensor in graph.sparse_initializer if leaves_out(tensor)]
    if not out and not sparse:
        return model
    types = {tensor.name: (tensor.data_type, tensor.dims) for tensor in out}
    types |= {tensor.values.name: (tensor.values.data_type, tensor.dims) for tensor in sparse}
    for value in graph.input:
        types.pop(value.name, None)
    inputs = [helper.make_tensor_value_info(name, element, dims) for name, (element, dims) in types.items()]
    return ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        functions=model.functions,
        metadata_props=model.metadata_props,
        training_info=model.training_info,
        graph=GraphProto(
            name=graph.name,
            node=graph.node,
            input=[*graph.input, *inputs],
            output=graph.output,
            value_info=graph.value_info,
            initializer=[tensor for tensor in graph.initializer if not leaves_out(tensor)],
            sparse_initializer=[tensor for tensor in graph.sparse_initializer if not leaves_out(tensor)],
        ),
    )


@contextmanager
def kept_outside(model: ModelProto) -> Iterator[None]:
    """Take the bytes of large tensors out of a model, since onnx's C++ takes no more than 2 GiB; they come back."""
    kept: dict[str, bytes] = {}
    for tensor in tensors(model):
        if len(tensor.raw_data) >= _KEPT_BYTES_MIN and not is_external(tensor):
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
