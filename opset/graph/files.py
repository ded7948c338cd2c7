"""Files that are whole or not there: written beside their place and moved into it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

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
