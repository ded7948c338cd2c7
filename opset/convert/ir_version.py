"""The IR version that a converted model says it is written in."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper

from ..errors import UnsupportedModelError
from ..graph.domains import IR_WITH_PLAIN_INITIALIZERS, ir_version_for
from ..graph.walk import bodies, tensors
from .target import Target

# Element types that came with a later IR version than the opsets that take them might say.
_TYPE_SINCE: dict[int, int] = {
    TensorProto.BFLOAT16: 4,
    TensorProto.FLOAT8E4M3FN: 9,
    TensorProto.FLOAT8E4M3FNUZ: 9,
    TensorProto.FLOAT8E5M2: 9,
    TensorProto.FLOAT8E5M2FNUZ: 9,
    TensorProto.UINT4: 10,
    TensorProto.INT4: 10,
}
_NEWER_TYPES_SINCE = 14


def fits(model: onnx.ModelProto, wanted: Target) -> bool:
    """Whether a model has an IR version that is wanted."""
    newest = model.ir_version if wanted.newest_ir_version is None else wanted.newest_ir_version
    return wanted.ir_version in (None, model.ir_version) and model.ir_version <= newest


def fit_ir_version(model: onnx.ModelProto, wanted: Target, *, lower: bool, raised: bool) -> None:
    """
    Set the IR version that is wanted, or one that fits the model's opsets.

    It may become ``lower`` than it is, down to the lowest that the opsets and the content allow, so that a runtime as
    old as the opset reads the file. Metadata does not count: a reader skips fields it does not know. It is ``raised``
    where the opsets have changed.

    Raises
    ------
    UnsupportedModelError
        The model holds what the wanted version does not have.
    """
    needed = _needed_by_content(model)
    chosen = wanted.ir_version
    if chosen is None:
        kept = min(model.ir_version, needed) if lower else model.ir_version
        by_opsets = ir_version_for(model.opset_import) if raised else 0
        # Runtimes read opsets that are newer than their IR version: what the model holds alone counts.
        chosen = min(max(by_opsets, kept), wanted.newest_ir_version or onnx.IR_VERSION)
    if chosen < needed:
        whose = f", the newest that {wanted.release} reads" if wanted.ir_version is None else ""
        message = (
            f"expected an IR version of {needed} or newer, which has all that the model holds (got {chosen}{whose}); "
            "inline its functions with onnx.inliner, or store its tensors in another type"
        )
        raise UnsupportedModelError(message)
    if chosen < IR_WITH_PLAIN_INITIALIZERS:
        _list_initializers(model.graph)
    model.ir_version = chosen


def _needed_by_content(model: onnx.ModelProto) -> int:
    since: list[int] = [3, *(_TYPE_SINCE.get(element, _NEWER_TYPES_SINCE) for element in _late_types(model))]
    for body in bodies(model):
        if isinstance(body, onnx.FunctionProto):
            since.append(10 if body.overload or body.value_info else 9 if body.attribute_proto else 8)
            continue
        since += [5] * bool(body.quantization_annotation) + [6] * bool(body.sparse_initializer)
        if body is not model.graph and body.initializer:
            since.append(IR_WITH_PLAIN_INITIALIZERS)
    return max([*since, *([7] if model.training_info else [])])


def _late_types(model: onnx.ModelProto) -> Iterator[int]:
    early = set(range(TensorProto.BFLOAT16))
    yield from (tensor.data_type for tensor in tensors(model) if tensor.data_type not in early)
    for body in bodies(model):
        if isinstance(body, onnx.GraphProto):
            for value in (*body.input, *body.output, *body.value_info):
                if value.type.tensor_type.elem_type not in early:
                    yield value.type.tensor_type.elem_type


def _list_initializers(graph: onnx.GraphProto) -> None:
    listed = {value.name for value in graph.input}
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if tensor.name not in listed
    )
