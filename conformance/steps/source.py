"""The model that is validated: whole, or with its tensors left in the files where they lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper

from softops.opset import ModelError, ModelSource, load_model
from softops.opset.backend.checks import check_model
from softops.opset.graph.external import check_data, external_tensors, is_external, read_tensor
from softops.opset.graph.files import MODEL_BYTES_MAX
from softops.opset.graph.types import dtype_of
from softops.opset.graph.walk import tensors

WHOLE_BYTES_MAX = 2**30
"""A model with files of more bytes than this is not read into one message, which could not be serialized."""

_SMALL_BYTES = 2**16
"""Tensors in files up to this are read: they may be shapes, which shape inference asks for."""


class Source(NamedTuple):
    """
    A model to validate, the folder of its tensors' files where the large ones are not in it, and what was changed in
    it.

    ``notes`` has a sentence for each change that was made so that the model can be compared.
    """

    model: onnx.ModelProto
    folder: Path | None = None
    notes: tuple[str, ...] = ()


def open_source(model: ModelSource) -> Source:
    """
    Read a model; ``model`` itself is left alone.

    ZipMap at an output is taken out, and what goes into it compared: it is the numbers that matter, and not
    every runtime has maps. ModelError: not a model, not a valid one, one whose files are missing, or of more than 2 GiB
    in memory.
    """
    proto, folder = _read(model)
    if _too_large(proto):
        message = (
            "expected a model under 2 GiB, or the path of one with its tensors in files (got a larger one in "
            "memory); save it with external data and pass its path"
        )
        raise ModelError(message)
    check_model(proto, model)
    without, names = _without_zip_maps(proto)
    notes = [f"{name} is compared as it goes into ZipMap" for name in names]
    return Source(without, folder, tuple(notes))


def _too_large(model: onnx.ModelProto) -> bool:
    try:
        return bool(model.ByteSize() > MODEL_BYTES_MAX)
    except EncodeError:  # which is what becomes of counting the bytes of such a model
        return True


def _read(model: ModelSource) -> tuple[onnx.ModelProto, Path | None]:
    if not isinstance(model, str | os.PathLike):
        return load_model(model), None
    proto = load_model(model, external_data=False)
    if not external_tensors(proto):
        return proto, None
    folder = Path(os.path.abspath(model)).parent
    if sum(check_data(tensors(proto), folder).values()) <= WHOLE_BYTES_MAX:
        return load_model(model), None
    for tensor in filter(is_external, proto.graph.initializer):
        if _bytes_of(tensor) <= _SMALL_BYTES:
            read_tensor(tensor, folder)
    return proto, folder


def _bytes_of(tensor: TensorProto) -> int:
    size = dtype_of(tensor.data_type, f"tensor {tensor.name!r}").itemsize
    for length in tensor.dims:
        size *= length
    return size


def _without_zip_maps(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """Return the model with what goes into each ZipMap as output in its place, and the outputs' names."""
    outputs = {value.name for value in model.graph.output}
    maps = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "ZipMap"}
    maps = {name: source for name, source in maps.items() if name in outputs}
    if not maps:
        return model, []
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type == "ZipMap" and node.output[0] in maps:
            # In its place, so that the output keeps its name.
            node.CopyFrom(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
    for value in copy.graph.output:
        if value.name in maps:
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [None, None]))
    return copy, list(maps)
