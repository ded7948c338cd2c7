"""
Files that are whole or not there: written beside their place and moved into it.

So are a model and the files that its tensors lie in, which are taken along.
"""

from __future__ import annotations

import filecmp
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx

from ..errors import ModelError
from .external import check_data, data_files

# Protobuf cannot serialize a message of 2 GiB or more.
MODEL_BYTES_MAX = 2**31 - 1


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a model, the same for the same model.

    Raises
    ------
    ValueError
        The model is larger than the 2 GiB that one file can hold.
    """
    size = model.ByteSize()
    if size > MODEL_BYTES_MAX:
        message = (
            f"expected a model under 2 GiB, which is all that one file holds (got {size:,} bytes); "
            "use a narrower dtype or fewer classes"
        )
        raise ValueError(message)
    return bytes(model.SerializeToString(deterministic=True))


def save_model(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write ``model`` to ``path``, whole or not at all; equal models give equal bytes.

    Raises
    ------
    OSError
        The folder does not exist or cannot be written to, or ``path`` is a folder, a device or a pipe.
    ValueError
        The model is larger than 2 GiB.
    """
    write_atomic(path, serialize(model))


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path``: a reader sees the old content or the whole of the new, never a part.

    Raises
    ------
    OSError
        The folder does not exist or cannot be written to, or ``path`` is a folder, a device or a pipe.
    """
    with put_in_place(path) as part, part.open("xb") as file:
        # Opened by name and not by tempfile, whose files only their owner may read.
        file.write(data)


@contextmanager
def put_in_place(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the path of a file to write beside ``path``; what was written there moves to ``path`` at the end.

    Raises
    ------
    OSError
        As for `write_atomic`.
    """
    target = check_target(path)
    # Of a name as short as any, since that of the target may be as long as names can be.
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return the file that writing to ``path`` changes.

    Raises
    ------
    OSError
        Its folder does not exist, or it is a folder itself, a device or a pipe.
    """
    # A link is followed, not replaced: whoever made it wants the file behind it to change.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        message = f"expected a folder to write {target.name} to (no folder {target.parent}); make it first"
        raise FileNotFoundError(message)
    if target.is_dir():
        message = f"expected the path of a file to write (got the folder {target}); add a file name"
        raise IsADirectoryError(message)
    if target.exists() and not target.is_file():
        message = f"expected the path of a file to write (got the device or pipe {target}); name a file"
        raise OSError(message)
    return target


@contextmanager
def taken_along(files: Mapping[Path, Path], folder: Path) -> Iterator[None]:
    """
    Copy files to their new places in a folder; what came into being by that goes again where the context fails.

    Raises
    ------
    FileExistsError
        A new place is, or lies behind, a link out of the folder.
    """
    made: list[Path] = []
    inside = os.path.realpath(folder)
    for copy in files.values():
        if not Path(os.path.realpath(copy)).is_relative_to(inside):
            message = (
                f"expected to write the model's tensors within {folder} (got {copy}, a link to "
                f"{os.path.realpath(copy)}); remove the link, or choose another folder"
            )
            raise FileExistsError(message)
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
    if folder is not None:
        check_data(model.graph.initializer, folder)
    if folder is not None and folder.resolve() != target.parent and target.parent.is_dir():
        pairs = [(folder / location, target.parent / location) for location in locations]
        files = {original: copy for original, copy in pairs if _is_to_be_copied(original, copy, target)}
    with taken_along(files, target.parent):
        save_model(model, path)


def _is_to_be_copied(original: Path, copy: Path, model: Path) -> bool:
    if copy.exists() and filecmp.cmp(original, copy, shallow=False):
        return False
    if copy.exists() or copy == model:
        message = (
            f"expected no file at {copy}, where the model's tensors go (there is one with another content); "
            "choose another folder"
        )
        raise FileExistsError(message)
    return True
