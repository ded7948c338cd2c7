"""Arrays that are read some rows at a time: from memory, .npy files that are mapped, and Zarr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softops.export.errors import MissingPackageError


class Rows(Protocol):
    """An array of which rows are read when they are asked for; it can be sent to another process."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, rows first."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype; strings are objects."""
        ...

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from ``start`` to before ``stop``; of an array without axes, itself."""
        ...

    def part(self, start: int, stop: int) -> Rows:
        """Return what another process needs in order to read these rows."""
        ...


class InMemory:
    """An array, or some rows of it, of which the first has the number ``offset``."""

    def __init__(self, array: NDArray[Any], offset: int = 0) -> None:
        self.shape, self.dtype = array.shape, array.dtype
        self._array, self._offset = array, offset

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows."""
        return self._array[start - self._offset : stop - self._offset] if self.shape else self._array

    def part(self, start: int, stop: int) -> InMemory:
        """Return these rows."""
        return InMemory(self.read(start, stop), start) if self.shape else self


class Npy:
    """
    A .npy file, mapped and not loaded; never a pickle.

    ValueError: it is none, or holds Python objects; OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError) as error:
            message = (
                f"{path}: expected a .npy file of a plain array (got another kind); write it with numpy.save"
            )
            raise ValueError(message) from error
        self.shape, self.dtype, self._array = array.shape, array.dtype, array

    def __reduce__(self) -> tuple[Any, ...]:
        return Npy, (self._path,)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows, as an array of their own."""
        return np.array(self._array[start:stop] if self.shape else self._array)

    def part(self, start: int, stop: int) -> Rows:
        """Return itself: its path is what is sent."""
        return self


class ZarrArray:
    """
    An array of a Zarr group.

    ValueError: its chunks are pickles, or of a type that NumPy has not; MissingPackageError: there is no zarr.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path.absolute(), name
        with _readable(path, f"{name} as an array of numbers or strings"):
            self._array = _zarr_group(path)[name]
        metadata = self._array.metadata.to_dict()
        codecs = [
            *(metadata.get("filters") or ()),
            metadata.get("compressor"),
            *(metadata.get("codecs") or ()),
        ]
        if any("pickle" in str(codec).lower() for codec in codecs):
            message = (
                f"{path}: expected {name} without pickles, which are never read (got {codecs}); write it anew"
            )
            raise ValueError(message)
        self.shape = tuple(self._array.shape)
        dtype = np.dtype(self._array.dtype)
        self.dtype = np.dtype(object) if dtype.kind == "T" else dtype

    def __reduce__(self) -> tuple[Any, ...]:
        return ZarrArray, (self._path, self._name)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows; strings as objects."""
        with _readable(self._path, f"rows of {self._name} that zarr can read"):
            read = self._array[start:stop] if self.shape else self._array[...]
        return np.asarray(read, self.dtype)

    def part(self, start: int, stop: int) -> Rows:
        """Return itself: path and name are what is sent."""
        return self


def npy_folder(path: Path) -> dict[str, Rows]:
    """Return the arrays of a folder of .npy files, by the files' names."""
    return {file.stem: Npy(file) for file in sorted(path.glob("*.npy"))}


def zarr_group(path: Path) -> dict[str, Rows]:
    """Return the arrays of a Zarr group by name, not those of groups in it."""
    group = _zarr_group(path)
    with _readable(path, "arrays of numbers or strings"):
        names = sorted(group.array_keys())
    return {name: ZarrArray(path, name) for name in names}


@contextmanager
def _readable(path: Path, what: str) -> Iterator[None]:
    """Name what was expected where zarr, or a codec that it reads with, cannot; there are many kinds of errors."""
    try:
        yield
    except Exception as error:
        message = f"{path}: expected {what} (got {type(error).__name__}: {error}); write it anew"
        raise ValueError(message) from error


def _zarr_group(path: Path) -> Any:
    try:
        import zarr
    except ImportError as error:
        message = f"{path}: expected the package zarr (it is not installed); pip install 'softops[datasets]'"
        raise MissingPackageError(message) from error
    with _readable(path, "a group of Zarr"):
        return zarr.open_group(path, mode="r")
