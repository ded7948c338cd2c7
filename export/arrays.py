"""Reading .npz files: weights, inputs, saved outputs."""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file by name.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no .npz file, is damaged, or holds anything but plain arrays: Python objects are never
        unpickled.
    """
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise _unreadable(path, "another kind of file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        # RuntimeError is how zipfile names encryption and compressions it does not know.
        except (BadZipFile, EOFError, RuntimeError, ValueError, zlib.error) as error:
            raise _unreadable(path, "a damaged one, or one of Python objects") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise _unreadable(path, f"one that holds the file {name!r}")
    return arrays


def _unreadable(path: Path, got: str) -> ValueError:
    return ValueError(
        f"{path}: expected a .npz file of plain arrays (got {got}); "
        "write one with numpy.savez(file, name=array)"
    )
