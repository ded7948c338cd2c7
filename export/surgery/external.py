"""Tensors in files beside a model: where they lie, and taking them along to another folder."""

from __future__ import annotations

import filecmp
import os
import secrets
import shutil
from pathlib import Path, PurePosixPath

import onnx

from softops.opset import ModelError
from softops.opset.graph.files import save_model


def data_files(model: onnx.ModelProto) -> list[str]:
    """
    Return the files that hold tensors of the main graph, as the model names them, each once.

    Raises
    ------
    ModelError
        A name points outside the model's folder.
    """
    found: dict[str, None] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
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
    made: list[Path] = []
    try:
        if folder is not None and folder.resolve() != target.parent and target.parent.is_dir():
            for location in locations:
                _copy_file(folder / location, target.parent / location, target, made)
        save_model(model, path)
    except BaseException:
        for entry in reversed(made):
            entry.rmdir() if entry.is_dir() else entry.unlink(missing_ok=True)
        raise


def _copy_file(source: Path, to: Path, model: Path, made: list[Path]) -> None:
    """Copy one file; what comes into being by that is added to ``made``."""
    if not source.is_file():
        message = f"expected the model's tensors in {source} (no such file); keep the files in one folder"
        raise ModelError(message)
    if to.exists() and filecmp.cmp(source, to, shallow=False):
        return
    if to.exists() or to == model:
        message = (
            f"expected no file at {to}, where the model's tensors go (there is one with another content); "
            "choose another folder"
        )
        raise FileExistsError(message)
    missing = [parent for parent in to.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        made.append(parent)
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, to)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    made.append(to)
