"""Arrays in .npz files, bfloat16 among them as its bits in uint16: NumPy's format has no name for it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from softops.export.sources.arrays import read_npz
from softops.opset.graph.files import write_atomic

Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name, whole or not at all: never as pickles, strings as those of fixed length."""
    # In C order, which is all that a small reader of the format knows.
    # Not by numpy.savez, whose own arguments (`file`, `allow_pickle`) are names that a model may use.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(_plain(array), order="C"), allow_pickle=False)
    write_atomic(path, buffer.getvalue())


def read_outputs(path: Path, model: onnx.ModelProto) -> list[NDArray[Any]]:
    """Return a model's outputs from a file, in its order; ValueError where one lacks or is no plain array."""
    arrays = read_npz(path)
    outputs = []
    for value in model.graph.output:
        if value.name not in arrays:
            message = (
                f"{path}: expected an array for each output (none named {value.name!r}); "
                "save the outputs under the model's own names"
            )
            raise ValueError(message)
        array = arrays[value.name]
        if value.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16 and array.dtype.itemsize == 2:
            # Whether as uint16 or as two bytes without a meaning, which is what numpy.savez makes of it.
            array = array.view(np.uint16).view(ml_dtypes.bfloat16) if array.dtype.kind in "uV" else array
        outputs.append(array)
    return outputs


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == ml_dtypes.bfloat16:
        return np.asarray(array, order="C").view(np.uint16)
    return array.astype(str) if array.dtype.kind == "O" else array
