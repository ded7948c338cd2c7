"""Weights in a file beside the model: for models over the 2 GiB that one file can hold, without a copy in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from softops.opset.graph.files import check_target, serialize

from .checks import check_file

_CHUNK_BYTES = 2**25


def data_name(path: str | os.PathLike[str]) -> str:
    """Return the name of the file of weights beside the model at ``path``, such as ``model.onnx.data``."""
    return f"{os.path.basename(os.path.realpath(path))}.data"


def external_tensor(shape: tuple[int, ...], dtype: np.dtype[Any], location: str) -> TensorProto:
    """Return a tensor whose numbers lie at the beginning of the file ``location`` beside the model."""
    tensor = TensorProto(
        dims=shape,
        data_type=helper.np_dtype_to_tensor_dtype(dtype),
        data_location=TensorProto.EXTERNAL,
    )
    length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    for key, value in (("location", location), ("offset", 0), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def finite_chunks(name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """
    Return an array in contiguous pieces of some rows each, in little-endian ``dtype``.

    Raises
    ------
    ValueError
        A number is NaN or infinite, or becomes so in ``dtype``.
    """
    rows = max(1, _CHUNK_BYTES // max(1, array[:1].size * max(array.dtype.itemsize, dtype.itemsize)))
    for start in range(0, len(array), rows):
        with np.errstate(over="ignore"):
            chunk = np.ascontiguousarray(array[start : start + rows], dtype.newbyteorder("<"))
        finite = np.isfinite(chunk)
        if not finite.all():
            at = tuple(int(i) for i in np.argwhere(~finite)[0])
            message = (
                f"expected {name} of finite {dtype} numbers (got {chunk[at]} at {[start + at[0], *at[1:]]}); "
                "look at the training, or choose a wider dtype"
            )
            raise ValueError(message)
        yield chunk


def save_with_data(
    model: onnx.ModelProto,
    path: str | os.PathLike[str],
    location: str,
    chunks: Iterator[NDArray[Any]],
    for_runtime: str | None = None,
) -> None:
    """
    Check a model and write it to ``path``, and its weights to ``location`` beside it.

    Both are written and checked in a folder of their own beside their place and then moved: first the weights,
    then the model, so that no model is ever there without its weights.

    Raises
    ------
    OSError
        The folder does not exist or cannot be written to, or ``path`` is a folder.
    ValueError
        What ``chunks`` raises.
    """
    target = check_target(path)
    folder = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
    try:
        with (folder / location).open("xb") as file:
            for chunk in chunks:
                file.write(chunk.data.cast("B") if chunk.dtype.isbuiltin == 1 else chunk.view(np.uint8).data)
        (folder / target.name).write_bytes(serialize(model))
        check_file(model, folder / target.name, for_runtime)
        os.replace(folder / location, target.with_name(location))
        os.replace(folder / target.name, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
