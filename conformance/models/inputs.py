"""What a model is run on: arrays that were given, read from a file, or made up."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray

from softops.export.sources.arrays import read_npz
from softops.opset import ModelError
from softops.opset.graph.given import as_array
from softops.opset.graph.types import check_element_type, dimension_of, dtype_of

from ..measure.ulp import is_float
from ..runtimes.loading import model_inputs

Inputs = ArrayLike | Mapping[str, ArrayLike] | str | os.PathLike[str] | None

ELEMENTS_MAX = 2**28
"""Generated inputs are not made larger than this."""

OTHER_AXES = 16
"""Length of an open axis that is not the first, in generated inputs."""

Shapes = Mapping[str, Sequence[int]]
"""Shapes of generated inputs, by name."""


def prepare_inputs(model: onnx.ModelProto, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """
    Return one array for each input of ``model``, of its dtype and a shape that fits.

    ``inputs`` is an array, for a model of one input; arrays by name; or the path of an ``.npz`` file of arrays by name
    (never a pickle). A bfloat16 may come as its bits in uint16.

    TypeError: an array is not of the dtype that the model takes; ValueError: one is missing, not asked for, or of
    another shape.
    """
    wanted = model_inputs(model)
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


def made_up(
    model: onnx.ModelProto,
    *,
    seed: int = 0,
    batch: int = 256,
    scale: float = 3.0,
    shapes: Shapes | None = None,
    length: int = OTHER_AXES,
) -> dict[str, NDArray[Any]]:
    """
    Make up one array for each input of ``model``.

    Floats are Gaussian of standard deviation ``scale``, integers 0 or 1. An open first axis has length ``batch`` and
    other open axes ``length``, the same name the same length, unless ``shapes`` has the input's shape by its name.

    ValueError: an input cannot be made up, or is none of the model's.
    """
    wanted = model_inputs(model)
    given = dict(shapes or {})
    if unknown := [name for name in given if name not in [value.name for value in wanted]]:
        names = ", ".join(value.name for value in wanted) or "none"
        message = f"expected shapes of the inputs {names} (got one of {', '.join(unknown)}); name an input"
        raise ValueError(message)
    random = np.random.default_rng(seed)
    lengths: dict[str, int] = {}
    return {
        value.name: _generate(
            value, _shape(value, given.get(value.name), lengths, batch, length), random, scale
        )
        for value in wanted
    }


def _named(wanted: list[onnx.ValueInfoProto], inputs: Any) -> dict[str, NDArray[Any]]:
    if isinstance(inputs, str | os.PathLike):
        return read_npz(Path(inputs))
    if isinstance(inputs, Mapping):
        return {str(name): as_array(array, f"input {name}") for name, array in inputs.items()}
    if len(wanted) != 1:
        names = ", ".join(value.name for value in wanted)
        message = f"expected arrays by name for {len(wanted)} inputs (got one array); pass a dict of {names}"
        raise ValueError(message)
    return {wanted[0].name: as_array(inputs, f"input {wanted[0].name}")}


def _type_of(value: onnx.ValueInfoProto) -> tuple[np.dtype[Any], list[int | str | None] | None]:
    """Return dtype and dimensions: length, or name if any, of each axis; None without rank."""
    if not value.type.HasField("tensor_type"):
        message = f"expected tensors as inputs (input {value.name} is not one); use a model of plain tensors"
        raise ValueError(message)
    check_element_type(value)
    tensor = value.type.tensor_type
    if not tensor.elem_type:
        message = f"expected an element type of the input {value.name!r} (got none); export the model again"
        raise ModelError(message)
    dtype = dtype_of(tensor.elem_type, f"the input {value.name!r}")
    if not tensor.HasField("shape"):
        return dtype, None
    return dtype, [*map(dimension_of, tensor.shape.dim)]


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


def _shape(
    value: onnx.ValueInfoProto, given: Sequence[int] | None, lengths: dict[str, int], batch: int, length: int
) -> list[int]:
    _, dims = _type_of(value)
    if given is not None:
        fits = dims is None or (
            len(dims) == len(given)
            and all(not isinstance(dim, int) or dim == own for dim, own in zip(dims, given, strict=True))
        )
        if not fits:
            listed = ", ".join("?" if dim is None else str(dim) for dim in dims or ())
            message = (
                f"expected a shape of {value.name} that fits [{listed}] (got {list(given)}); pass another"
            )
            raise ValueError(message)
        # What stands for an open length stands for it elsewhere, too.
        lengths.update(
            (dim, own) for dim, own in zip(dims or (), given, strict=False) if isinstance(dim, str)
        )
        return list(given)
    if dims is None:
        message = (
            f"expected a known rank to make up input {value.name} (it has none); pass inputs, or its shape "
            f"(--shape {value.name}=1,3,96,96)"
        )
        raise ValueError(message)
    shape = []
    for axis, dim in enumerate(dims):
        default = batch if axis == 0 else length
        if isinstance(dim, str):
            dim = lengths.setdefault(dim, default)  # noqa: PLW2901
        shape.append(default if dim is None else dim)
    return shape


def _generate(
    value: onnx.ValueInfoProto, shape: list[int], random: np.random.Generator, scale: float
) -> NDArray[Any]:
    dtype, _ = _type_of(value)
    if math.prod(shape) > ELEMENTS_MAX:
        message = (
            f"expected an input of at most {ELEMENTS_MAX:,} elements to make up (input {value.name} has "
            f"{shape}); pass inputs, or a smaller batch"
        )
        raise ValueError(message)
    if is_float(dtype):
        return np.asarray(scale * random.standard_normal(shape), dtype)  # of one number, too
    if dtype.kind in "iub":
        # Indices, counts and flags alike can be 0 or 1, whatever they are used for.
        return np.asarray(random.integers(0, 2, shape), dtype)
    message = (
        f"expected floats, integers or booleans to make up (input {value.name} takes {_name(dtype)}); "
        "pass inputs"
    )
    raise ValueError(message)


def _name(dtype: np.dtype[Any]) -> str:
    return "strings" if dtype.kind == "O" else dtype.name
