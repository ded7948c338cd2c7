"""Tensors whose values lie in files beside the model: which they are, where they lie, and taking them along."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import onnx
from onnx import TensorProto, external_data_helper

from ..errors import ModelError, one_line
from .files import put_in_place, save_model
from .walk import tensors


def is_external(tensor: TensorProto) -> bool:
    """Whether the tensor's values lie in another file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def external_tensors(model: onnx.ModelProto) -> list[str]:
    """Names of the tensors whose values lie outside the model, in files that were not read."""
    return [tensor.name for tensor in tensors(model) if is_external(tensor)]


def read_external_data(model: onnx.ModelProto, path: Path) -> None:
    """Read the tensors in files of the model at ``path``; a ModelError where one cannot be read."""
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        message = (
            f"expected the external data of {path} beside it ({one_line(error)}); "
            "keep the files that were exported together in one folder"
        )
        raise ModelError(message) from error


def data_files(model: onnx.ModelProto) -> list[str]:
    """
    Return the files that hold tensors of the main graph, as the model names them, each once.

    Raises
    ------
    ModelError
        A name points outside the model's folder.
    """
    found: dict[str, None] = {}
    for tensor in filter(is_external, model.graph.initializer):
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        parts = PurePosixPath(location.replace("\\", "/")).parts
        if not parts or Path(location).is_absolute() or ".." in parts:
            message = (
                f"expected tensors in files inside the model's folder (got {location!r} for {tensor.name!r}); "
                "save the model again with its data beside it"
            )
            raise ModelError(message)
        found[location] = None
    return list(found)


def data_file_sizes(model: onnx.ModelProto, folder: Path) -> dict[str, int]:
    """
    Return the size of each file that a tensor of the model lies in, by its name in the model's folder.

    Raises
    ------
    ModelError
        A file is missing, too short, or outside the folder.
    """
    sizes: dict[str, int] = {}
    inside = Path(os.path.realpath(folder))
    for tensor in filter(is_external, tensors(model)):
        info = external_data_helper.ExternalDataInfo(tensor)
        path = Path(os.path.realpath(folder / info.location))
        if not info.location or PurePosixPath(info.location).is_absolute() or not path.is_relative_to(inside):
            message = (
                f"expected external data within {folder} (tensor {tensor.name!r} lies in {info.location!r}); "
                "put it beside the model"
            )
            raise ModelError(message)
        if not path.is_file():
            message = (
                f"expected the external data of tensor {tensor.name!r} in {folder / info.location} (no such "
                "file); keep the files that were exported together in one folder"
            )
            raise ModelError(message)
        sizes[info.location] = path.stat().st_size
        end = (info.offset or 0) + (info.length or 0)
        if end > sizes[info.location]:
            message = (
                f"expected {end:,} bytes in {folder / info.location}, up to the end of tensor {tensor.name!r} "
                f"(got {sizes[info.location]:,}); export the model again"
            )
            raise ModelError(message)
    return sizes


@contextmanager
def taken_along(files: Mapping[Path, Path]) -> Iterator[None]:
    """Copy files to their new places; what came into being by that goes again where the context fails."""
    made: list[Path] = []
    try:
        for original, copy in files.items():
            for parent in reversed([parent for parent in copy.parents if not parent.exists()]):
                parent.mkdir()
                made.append(parent)
            is_new = not copy.exists()
            with put_in_place(copy) as part:
                shutil.copyfile(original, part)
            made += [copy] * is_new
        yield
    except BaseException:
        for entry in reversed(made):
            entry.rmdir() if entry.is_dir() else entry.unlink(missing_ok=True)
        raise


def save_beside_data(model: onnx.ModelProto, path: str | os.PathLike[str], folder: Path | None) -> None:
    """
    Write a model to ``path``, and beside it the files of its tensors, copied from ``folder``.

    Where both folders are the same the files stay as they are. The model is written last, and what was
    copied is removed again when anything fails.

    Raises
    ------
    FileExistsError
        A file of that name, of another content, is there already.
    ModelError
        A file of tensors is missing or outside the folder, or no folder is known.
    OSError
        A file cannot be read or written.
    """
    target = Path(os.path.realpath(path))
    locations = data_files(model)
    if locations and folder is None:
        message = (
            f"expected the path of a model whose tensors lie in other files (got it without its folder, "
            f"and {locations[0]!r} is needed); pass the path"
        )
        raise ModelError(message)
    files: dict[Path, Path] = {}
    if folder is not None and folder.resolve() != target.parent and target.parent.is_dir():
        pairs = [(folder / location, target.parent / location) for location in locations]
        files = {original: copy for original, copy in pairs if _is_to_be_copied(original, copy, target)}
    with taken_along(files):
        save_model(model, path)


def _is_to_be_copied(original: Path, copy: Path, model: Path) -> bool:
    if not original.is_file():
        message = f"expected the model's tensors in {original} (no such file); keep the files in one folder"
        raise ModelError(message)
    if copy.exists() and filecmp.cmp(original, copy, shallow=False):
        return False
    if copy.exists() or copy == model:
        message = (
            f"expected no file at {copy}, where the model's tensors go (there is one with another content); "
            "choose another folder"
        )
        raise FileExistsError(message)
    return True
