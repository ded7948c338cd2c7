"""What a model is run on: arrays that were given, read from a file, or made up."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper

from softops.export.sources.arrays import read_npz

from ..measure.ulp import is_float
from ..runtimes.loading import model_inputs

Inputs = ArrayLike | Mapping[str, ArrayLike] | str | os.PathLike[str] | None

ELEMENTS_MAX = 2**28
"""Generated inputs are not made larger than this."""

_OTHER_AXES = 16
"""Length of a dynamic axis that is not the first, in generated inputs."""


def prepare_inputs(
    model: onnx.ModelProto, inputs: Inputs, *, seed: int = 0, batch: int = 256, scale: float = 3.0
) -> dict[str, NDArray[Any]]:
    """
    Return one array for each input of ``model``, of its dtype and a shape that fits.

    ``inputs`` is an array, for a model of one input; arrays by name; the path of an ``.npz`` file of arrays by name
    (never a pickle); or None to make them up. A bfloat16 may come as its bits in uint16. Made up, floats are Gaussian
    of standard deviation ``scale``, integers 0 or 1, a dynamic first axis has length ``batch`` and other dynamic axes
    16, the same name the same length.

    TypeError: an array is not of the dtype that the model takes; ValueError: one is missing, not asked for, of another
    shape, or cannot be made up.
    """
    wanted = model_inputs(model)
    if inputs is None:
        random = np.random.default_rng(seed)
        lengths: dict[str, int] = {}
        return {value.name: _generate(value, random, lengths, batch, scale) for value in wanted}
    given = _named(wanted, inputs)
    names = [value.name for value in wanted]
    if set(given) != set(names):
        message = (
            f"expected inputs named {', '.join(names) or '(none)'} (got {', '.join(given) or 'none'}); "
            "give one array for each name"
        )
        raise ValueError(message)
    for value in wanted:
        given[value.name] = _with_meaning(value, given[value.name])
        _check(value, given[value.name])
    return {name: given[name] for name in names}


def _named(wanted: list[onnx.ValueInfoProto], inputs: Any) -> dict[str, NDArray[Any]]:
    if isinstance(inputs, str | os.PathLike):
        return read_npz(Path(inputs))
    if isinstance(inputs, Mapping):
        return {str(name): np.asarray(array) for name, array in inputs.items()}
    if len(wanted) != 1:
        names = ", ".join(value.name for value in wanted)
        message = f"expected arrays by name for {len(wanted)} inputs (got one array); pass a dict of {names}"
        raise ValueError(message)
    return {wanted[0].name: np.asarray(inputs)}


def _type_of(value: onnx.ValueInfoProto) -> tuple[np.dtype[Any], list[int | str | None] | None]:
    """Return dtype and dimensions: length, or name if any, of each axis; None without rank."""
    if not value.type.HasField("tensor_type"):
        message = f"expected tensors as inputs (input {value.name} is not one); use a model of plain tensors"
        raise ValueError(message)
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if not tensor.HasField("shape"):
        return dtype, None
    return dtype, [
        int(dim.dim_value) if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in tensor.shape.dim
    ]


def _with_meaning(value: onnx.ValueInfoProto, array: NDArray[Any]) -> NDArray[Any]:
    """Return bits for which NumPy's files have no name as the bfloat16 that the model takes."""
    dtype, _ = _type_of(value)
    bits = array.dtype == np.uint16 or array.dtype == np.dtype("V2")
    return array.view(dtype) if dtype == ml_dtypes.bfloat16 and bits else array


def _check(value: onnx.ValueInfoProto, array: NDArray[Any]) -> None:
    dtype, dims = _type_of(value)
    same = array.dtype.kind in "OSUT" if dtype.kind == "O" else array.dtype == dtype
    if not same:
        message = (
            f"expected input {value.name} in {_name(dtype)} (got {array.dtype}); "
            "convert it with .astype, or make it so from the start"
        )
        raise TypeError(message)
    if dims is None:
        return
    fits = len(dims) == array.ndim and all(
        not isinstance(dim, int) or dim == length for dim, length in zip(dims, array.shape, strict=True)
    )
    if not fits:
        shape = ", ".join("?" if dim is None else str(dim) for dim in dims)
        message = f"expected input {value.name} of shape [{shape}] (got {list(array.shape)}); reshape it"
        raise ValueError(message)


def _generate(
    value: onnx.ValueInfoProto, random: np.random.Generator, lengths: dict[str, int], batch: int, scale: float
) -> NDArray[Any]:
    dtype, dims = _type_of(value)
    if dims is None:
        message = f"expected a known rank to make up input {value.name} (it has none); pass inputs"
        raise ValueError(message)
    shape = []
    for axis, dim in enumerate(dims):
        default = batch if axis == 0 else _OTHER_AXES
        if isinstance(dim, str):
            dim = lengths.setdefault(dim, default)  # noqa: PLW2901
        shape.append(default if dim is None else dim)
    if math.prod(shape) > ELEMENTS_MAX:
        message = (
            f"expected an input of at most {ELEMENTS_MAX:,} elements to make up (input {value.name} has "
            f"{shape}); pass inputs, or a smaller batch"
        )
        raise ValueError(message)
    if is_float(dtype):
        return (scale * random.standard_normal(shape)).astype(dtype)
    if dtype.kind in "iub":
        # Indices, counts and flags alike can be 0 or 1, whatever they are used for.
        return random.integers(0, 2, shape).astype(dtype)
    message = (
        f"expected floats, integers or booleans to make up (input {value.name} takes {_name(dtype)}); "
        "pass inputs"
    )
    raise ValueError(message)


def _name(dtype: np.dtype[Any]) -> str:
    return "strings" if dtype.kind == "O" else dtype.name
