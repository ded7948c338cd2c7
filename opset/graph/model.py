"""Read an ONNX model from wherever it lies: a file, bytes, or a ModelProto already in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from ..errors import ModelError
from .domains import IR_WITH_OPSETS
from .expansion import check_depth, check_expansion
from .external import read_external_data
from .names import names_in
from .walk import bodies

ModelSource = onnx.ModelProto | bytes | bytearray | memoryview | str | os.PathLike[str]
"""What is taken wherever a model is asked for."""


def load_model(
    source: ModelSource, *, external_data: bool = True, any_functions: bool = False
) -> onnx.ModelProto:
    """
    Return the model that ``source`` holds.

    Only the container is looked at: that it is a serialized ``ModelProto`` with an IR version and a
    graph, and that it can be followed. Whether the graph is right is for ``onnx.checker`` to say.

    Parameters
    ----------
    source
        Path of an ``.onnx`` file (``str`` or ``os.PathLike``), its content as bytes, or a ``ModelProto``,
        which is returned as it is.
    external_data
        Read tensors that lie in files beside the model as well. Only a path tells where they are.
    any_functions
        Take functions that call themselves, or come to more nodes than anyone can follow (see `check_expansion`).

    Raises
    ------
    ModelError
        The file or the bytes are not an ONNX model, a name in it is not UTF-8, a tensor's file is missing, too
        short, or outside the model's folder, a function calls itself, functions come to more than 100,000 nodes, or
        graphs lie more than 30 deep in each other.
    OSError
        The file cannot be read (``FileNotFoundError``, ``PermissionError``).
    TypeError
        ``source`` is something else.
    """
    if isinstance(source, onnx.ModelProto):
        _check(source, "the ModelProto", any_functions=any_functions)
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        model = _parse(bytes(source), f"{len(source)} bytes")
        _check(model, f"{len(source)} bytes", any_functions=any_functions)
        return model
    if not isinstance(source, str | os.PathLike):
        message = (
            f"expected a model as a path, bytes or onnx.ModelProto (got {type(source).__name__}); "
            "pass the path of an .onnx file"
        )
        raise TypeError(message)

    path = Path(source)
    if path.is_dir():
        message = f"expected an ONNX model file (got the folder {path}); name the .onnx file inside it"
        raise ModelError(message)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        message = f"expected an ONNX model file (no file at {path}); check the path"
        raise FileNotFoundError(message) from None
    model = _parse(content, str(path))
    _check(model, str(path), any_functions=any_functions)
    if external_data:
        read_external_data(model, path.parent)
    return model


def _parse(content: bytes, name: str) -> onnx.ModelProto:
    if not content:
        message = f"expected an ONNX model (got nothing: {name} is empty); export the model again"
        raise ModelError(message)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        message = (
            f"expected an ONNX model ({name} is not one, or cut short, or its graphs lie too deep in each other); "
            "pass a file written by an ONNX exporter, and for a text form parse it first with onnx.load"
        )
        raise ModelError(message) from None
    return model


def _check(model: onnx.ModelProto, name: str, *, any_functions: bool) -> None:
    _check_is_model(model, name)
    check_depth(model)
    _check_names(model, name)
    if model.functions and not any_functions:
        check_expansion(model)


def _check_is_model(model: onnx.ModelProto, name: str) -> None:
    # Protobuf takes many byte strings for a message, all of it unknown fields: ask for what every model has.
    missing = [field for field in ("ir_version", "graph") if not model.HasField(field)]
    if model.ir_version >= IR_WITH_OPSETS and not model.opset_import:
        missing.append("opset_import")
    if missing:
        message = (
            f"expected an ONNX model ({name} has no {' and no '.join(missing)}); "
            "pass a file written by an ONNX exporter"
        )
        raise ModelError(message)


def _check_names(model: onnx.ModelProto, name: str) -> None:
    try:
        for text in _texts(model):
            if isinstance(text, bytes):  # how protobuf hands out what is not UTF-8, where it does not raise
                text.decode()
    except UnicodeDecodeError as error:
        message = (
            f"expected an ONNX model with names in UTF-8 (got byte {error.object[error.start]:#04x} in one of {name}); "
            "export the model again"
        )
        raise ModelError(message) from None


def _texts(model: onnx.ModelProto) -> Iterator[str | bytes]:
    """Every name in a model."""
    for holder in (model, *model.functions):
        yield from (entry.domain for entry in holder.opset_import)
    for body in bodies(model):
        yield body.name
        yield from names_in(body)
        if isinstance(body, onnx.FunctionProto):
            yield from (body.domain, body.overload, *body.attribute)
        else:
            for value in (*body.input, *body.output, *body.value_info):
                yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
        for node in body.node:
            yield from (node.op_type, node.domain, node.overload)
            yield from (
                text for attribute in node.attribute for text in (attribute.name, attribute.ref_attr_name)
            )
