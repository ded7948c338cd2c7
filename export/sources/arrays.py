"""Reading arrays from files, .npz and .safetensors: weights, inputs, saved outputs."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from softops.opset.errors import raise_interrupt

from ..errors import MissingPackageError

# So many names are listed of a file that has not those looked for.
_SHOWN = 8


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
    return _read_npz(path, lambda names: names)


def _read_npz(path: Path, choose: Callable[[list[str]], Iterable[str]]) -> dict[str, NDArray[Any]]:
    """Read the arrays that ``choose`` names among those in the file; the others are not looked at."""
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise _unreadable(path, "another kind of file")
        file.seek(0)
        with _damage_named(path):
            archive = np.load(file, allow_pickle=False)
        with archive:
            chosen = choose(archive.files)
            with _damage_named(path):
                arrays = {name: archive[name] for name in chosen}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise _unreadable(path, f"one that holds the file {name!r}")
    return arrays


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    # RuntimeError is how zipfile names encryption and compressions it does not know.
    except (BadZipFile, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise _unreadable(path, "a damaged one, or one of Python objects") from error


def read_weights(path: Path, layer: str | None = None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return weight and bias (None where there is none) of a .npz or .safetensors file.

    Parameters
    ----------
    path
        The file; one that ends in ``.safetensors`` is read by the package of that name, any other is a .npz. Arrays
        beside those asked for are not read.
    layer
        Where they stand in a file of many arrays: ``layer.weight`` and ``layer.bias``. By default the file
        holds ``weight`` and perhaps ``bias``, and nothing else.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no such file, is damaged, holds Python objects, or has not these arrays.
    ImportError
        The file is a .safetensors and the package ``safetensors`` is not installed.
    """
    if path.suffix.lower() == ".safetensors":
        with _open_safetensors(path) as file:
            weight, bias = _find(path, list(file.keys()), layer)
            return _tensor(path, file, weight), None if bias is None else _tensor(path, file, bias)
    arrays = _read_npz(path, lambda names: [name for name in _find(path, names, layer) if name is not None])
    matrix, *offsets = [_without_void(array) for array in arrays.values()]
    return matrix, offsets[0] if offsets else None


def _without_void(array: NDArray[Any]) -> NDArray[Any]:
    """Return bfloat16 for two bytes of no type, which is how numpy.savez writes it."""
    return array.view(ml_dtypes.bfloat16) if array.dtype == np.dtype("V2") else array


def _find(path: Path, names: list[str], layer: str | None) -> tuple[str, str | None]:
    prefix = "" if layer is None else f"{layer}."
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    others = [name for name in names if name not in (weight, bias)]
    if weight in names and (layer is not None or not others):
        return weight, bias if bias in names else None
    found = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    layers = [name.removesuffix(".weight") for name in names if name.endswith(".weight")]
    hint = (
        f"name a layer that it holds, for instance --layer {layers[-1]}" if layers else "rename what it holds"
    )
    message = f"{path}: expected the array `{weight}` and perhaps `{bias}` (got {found or 'none'}); {hint}"
    raise ValueError(message)


def _open_safetensors(path: Path) -> Any:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise_interrupt(error)
        message = (
            f"{path}: expected the package safetensors for a file of this kind (it is not installed); "
            "pip install 'softops[safetensors]', or save the arrays with numpy.savez"
        )
        raise MissingPackageError(message) from None
    path.open("rb").close()  # for the error that a folder or an unreadable file deserves
    try:
        return safe_open(path, framework="np")
    except SafetensorError as error:
        message = f"{path}: expected a .safetensors file (got another kind, or a damaged one: {error}); save it again"
        raise ValueError(message) from None


def _tensor(path: Path, file: Any, name: str) -> NDArray[Any]:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in ("F64", "F32", "F16", "BF16"):
        message = f"{path}: expected {name} of F64, F32, F16 or BF16 (got {dtype}); convert it first"
        raise ValueError(message)
    return np.asarray(file.get_tensor(name))


def _unreadable(path: Path, got: str) -> ValueError:
    return ValueError(
        f"{path}: expected a .npz file of plain arrays (got {got}); "
        "write one with numpy.savez(file, name=array)"
    )
