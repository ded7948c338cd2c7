"""
Tensors whose values lie in files beside the model: which they are, where they lie, and reading them.

Whoever wrote the model named the files, and a name may lead anywhere: by ``..``, an absolute path, or a link, be it the
file itself or a folder on the way. A file is taken only where all links followed it lies in the model's folder, which
every reader asks here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import onnx
from onnx import TensorProto

from ..errors import ModelError
from .walk import tensors


class Place(NamedTuple):
    """Where a tensor lies: the file as the model names it and as it is, the first byte, how many (None: the rest)."""

    location: str
    path: Path
    offset: int
    length: int | None


def is_external(tensor: TensorProto) -> bool:
    """Whether the tensor's values lie in another file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def external_tensors(model: onnx.ModelProto) -> list[str]:
    """Names of the tensors whose values lie outside the model, in files that were not read."""
    return [tensor.name for tensor in tensors(model) if is_external(tensor)]


def data_files(model: onnx.ModelProto) -> list[str]:
    """Return the files that hold tensors of the main graph, as the model names them, each once."""
    return list(
        dict.fromkeys(_entries(tensor)["location"] for tensor in filter(is_external, model.graph.initializer))
    )


def place_of(tensor: TensorProto, folder: Path) -> Place:
    """
    Return where a tensor lies, in a file of the model's folder that may not be there.

    Raises
    ------
    ModelError
        The file lies outside the folder, or the place in it is none.
    """
    entries = _entries(tensor)
    location, inside = entries["location"], Path(os.path.realpath(folder))
    real = inside if _leaves(location) else Path(os.path.realpath(folder / location))
    if real == inside or not real.is_relative_to(inside):
        leads = "" if _leaves(location) else f", which leads to {real}"
        message = (
            f"expected external data within {folder} (tensor {tensor.name!r} lies in {location!r}{leads}); "
            "put the file itself beside the model, for instance by cp -L, which follows links"
        )
        raise ModelError(message)
    try:
        offset, length = (
            int(entries.get("offset") or 0),
            int(entries["length"]) if "length" in entries else None,
        )
        if offset < 0 or (length is not None and length < 0):
            raise ValueError
    except ValueError:
        message = (
            f"expected the external data of tensor {tensor.name!r} at a number of bytes (got offset "
            f"{entries.get('offset')!r}, length {entries.get('length')!r}); export the model again"
        )
        raise ModelError(message) from None
    return Place(location, real, offset, length)


def check_data(found: Iterable[TensorProto], folder: Path) -> dict[str, int]:
    """
    Return the size of each file that one of the tensors lies in, by its name in the model's folder.

    Raises
    ------
    ModelError
        A file is missing, too short, or outside the folder.
    """
    sizes: dict[str, int] = {}
    for tensor in filter(is_external, found):
        place = place_of(tensor, folder)
        if not place.path.is_file():
            message = (
                f"expected the external data of tensor {tensor.name!r} in {folder / place.location} (no such "
                "file); keep the files that were exported together in one folder"
            )
            raise ModelError(message)
        size = sizes[place.location] = place.path.stat().st_size
        if place.offset + (place.length or 0) > size:
            message = (
                f"expected {place.offset + (place.length or 0):,} bytes in {folder / place.location}, up to the end of "
                f"the external data of tensor {tensor.name!r} (got {size:,}); export the model again"
            )
            raise ModelError(message)
    return sizes


def read_tensor(tensor: TensorProto, folder: Path) -> None:
    """
    Put a tensor's values into it, in place.

    Raises
    ------
    ModelError
        As for `check_data`.
    OSError
        The file cannot be read.
    """
    check_data([tensor], folder)
    place = place_of(tensor, folder)
    with place.path.open("rb") as file:
        file.seek(place.offset)
        tensor.raw_data = file.read(-1 if place.length is None else place.length)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def read_external_data(model: onnx.ModelProto, folder: Path) -> None:
    """Read every tensor that lies in a file of the model's folder; raises as `read_tensor` does."""
    for tensor in filter(is_external, tensors(model)):
        read_tensor(tensor, folder)


def _entries(tensor: TensorProto) -> dict[str, str]:
    return {"location": ""} | {entry.key: entry.value for entry in tensor.external_data}


def _leaves(location: str) -> bool:
    """Whether a name leads out of a folder by itself, on whichever system it was written."""
    parts = PurePosixPath(location.replace("\\", "/")).parts
    rooted = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).anchor)
    return not parts or rooted or ".." in parts or "\0" in location
