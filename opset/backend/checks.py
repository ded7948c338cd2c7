"""What a model has to pass before it is planned."""

from __future__ import annotations

import os

import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

from ..errors import ModelError, UnknownOpsetError, one_line
from ..graph.by_onnx import infer_unchecked
from ..graph.checker import checkable
from ..graph.model import ModelSource

_INVALID = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError)


def check_model(proto: onnx.ModelProto, source: ModelSource) -> None:
    """Raise a ModelError where onnx takes neither the model nor its form without what ONNX allows and onnx does not."""
    try:
        # By path, as the checker takes no more than 2 GB in memory.
        _check(
            proto, os.fspath(source) if isinstance(source, str | os.PathLike) and _is_text(source) else proto
        )
    except _INVALID:
        copy = checkable(proto, mixed_opsets=False)
        try:
            _check(copy, copy)
        except _INVALID as error:
            message = f"expected a valid model (onnx: {one_line(error)}); export it again"
            raise ModelError(message) from error


def _is_text(path: str | os.PathLike[str]) -> bool:
    """Whether a path can be handed to C++, which takes no bytes that are none of UTF-8."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(proto: onnx.ModelProto, source: onnx.ModelProto | str | bytes) -> None:
    try:
        onnx.checker.check_model(source)
        # Types alone: shapes that contradict each other are common in what exporters write, and runtimes take it.
        # (A sparse initializer stands for a dense value; type inference takes it for a sparse one.)
        if not proto.graph.sparse_initializer:
            infer_unchecked(proto, check_type=True)
    except (
        ValueError,
        EncodeError,
    ):  # of a model beyond 2 GB without a path we know only that it can be built
        return


def check_opset(version: int) -> None:
    """Raise an UnknownOpsetError where the installed onnx does not know a version of ai.onnx."""
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= version <= newest:
        message = (
            f"expected an opset of ai.onnx from 1 to {newest}, the newest that onnx {onnx.__version__} knows "
            f"(got {version}); upgrade onnx, or export the model for an older opset"
        )
        raise UnknownOpsetError(message)
