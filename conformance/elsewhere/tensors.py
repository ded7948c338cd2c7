"""Arrays as files of one TensorProto each (.pb), as ONNX's own test data are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper

from softops.opset.graph.files import write_atomic


def write_tensor(path: Path, name: str, array: NDArray[Any]) -> None:
    """Write an array under the name of the model's input or output that it belongs to, whole or not at all."""
    tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
    write_atomic(path, tensor.SerializeToString(deterministic=True))


def read_tensor(path: Path) -> NDArray[Any]:
    """
    Read an array.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no TensorProto, or one whose numbers lie in another file, which is never opened.
    """
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            message = "one whose numbers lie in another file"
            raise ValueError(message)
        return numpy_helper.to_array(tensor)
    except (DecodeError, TypeError, ValueError, KeyError) as error:
        message = (
            f"{path}: expected a serialized TensorProto (got {error}); "
            "write one with onnx.numpy_helper.from_array(array).SerializeToString()"
        )
        raise ValueError(message) from error
