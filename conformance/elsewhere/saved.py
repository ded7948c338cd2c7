"""Outputs that were made elsewhere, on a phone say, as a runtime; and the folder that asks for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray

from softops.opset.graph.files import write_atomic

from ..cases.build import built
from ..cases.case import Case
from ..errors import ModelNotRunError, ModelNotSupportedError
from ..runtimes.protocol import Feeds
from .saved_arrays import read_outputs, write_arrays

SCHEMA = 1
INDEX = "index.json"

_READ_ME = """Run every model on every one of its inputs-*.npz, and save the outputs beside them as outputs-*.npz.

index.json lists the cases: `model` is the ONNX file, `inputs` the arrays to feed by name, `outputs` the file to
write, a .npz of the outputs by name. In these files bfloat16 stands as its bits in uint16, and strings as
NumPy's own. What your runtime does not take, leave out. Then: softops conformance check THIS_FOLDER
"""


class Saved(NamedTuple):
    """A case of a folder, and where its outputs belong."""

    case: Case
    model: Path
    outputs: Path


def dump(cases: Iterable[Case], directory: Path, *, advance: Any = None) -> int:
    """
    Write the models and inputs of cases into a new or empty folder; return how many cases there are.

    FileExistsError: the folder holds something already.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        message = f"expected a new or empty folder (got {directory}, which holds something); name another"
        raise FileExistsError(message)
    directory.mkdir(parents=True, exist_ok=True)
    folders: dict[bytes, Path] = {}
    counts: dict[Path, int] = {}
    entries = []
    for case in cases:
        model, feeds = built(case)
        digest = hashlib.sha256(model).digest()
        if digest not in folders:
            name = f"{len(folders):05d}-{case.op}-{case.opset}-{case.dtype}"
            folders[digest] = directory / name
            folders[digest].mkdir()
            write_atomic(folders[digest] / "model.onnx", model)
        folder = folders[digest]
        number = counts[folder] = counts.get(folder, -1) + 1
        write_arrays(folder / f"inputs-{number}.npz", feeds)
        entries.append(
            {
                **asdict(case),
                "model": f"{folder.name}/model.onnx",
                "inputs": f"{folder.name}/inputs-{number}.npz",
                "outputs": f"{folder.name}/outputs-{number}.npz",
                "key": key_of(model, feeds),
            }
        )
        if advance is not None:
            advance()
    write_atomic(directory / "README.txt", _READ_ME.encode())
    # Last: a folder without it is not whole.
    index = {"schema": SCHEMA, "cases": entries}
    write_atomic(directory / INDEX, json.dumps(index, indent=1).encode())
    return len(entries)


def saved_cases(directory: Path) -> list[Case]:
    """Return the cases of a folder that `dump` wrote."""
    return [entry.case for entry in _index(directory).values()]


class SavedRuntime:
    """
    The outputs in a folder that `dump` wrote and someone else filled.

    ValueError: the index is none of this schema, or names files outside the folder.
    """

    version = ""

    def __init__(self, directory: Path) -> None:
        self.name = f"saved:{directory}"
        self._entries = _index(directory)

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """What was left out counts as not supported, case by case."""
        return None

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Look the outputs up."""
        entry = self._entries.get(key_of(model, feeds))
        if entry is None:
            message = (
                "expected a case of the folder (this is none); dump it again with this version of softops"
            )
            raise ModelNotRunError(message)
        if not entry.outputs.exists():
            message = f"expected outputs in {entry.outputs} (there is no such file); save them there"
            raise ModelNotSupportedError(message)
        return read_outputs(entry.outputs, onnx.load_from_string(model))


def from_options(options: str) -> SavedRuntime:
    """Make the runtime from a folder."""
    if not options:
        message = "expected a folder (got none); write saved:FOLDER"
        raise ValueError(message)
    return SavedRuntime(Path(options))


def key_of(model: bytes, feeds: Feeds) -> str:
    """Return what tells a case's model and inputs from others."""
    digest = hashlib.sha256(model)
    for name, array in feeds.items():
        digest.update(f"{name} {array.dtype.name} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _index(directory: Path) -> dict[str, Saved]:
    path = directory / INDEX
    if not path.is_file():
        message = (
            f"expected a folder that softops conformance dump wrote (no {INDEX} in {directory}); dump one"
        )
        raise FileNotFoundError(message)
    root = directory.resolve()
    try:
        index = json.loads(path.read_text("utf-8"))
        if index["schema"] != SCHEMA:
            message = f"schema {index['schema']!r}"
            raise ValueError(message)
        entries = {}
        for given in index["cases"]:
            entry = dict(given)
            places = {name: (root / entry.pop(name)).resolve() for name in ("model", "inputs", "outputs")}
            if not all(place.is_relative_to(root) for place in places.values()):
                message = "a file outside the folder"
                raise ValueError(message)
            key = entry.pop("key")
            case = Case(**entry | {"shape": tuple(entry["shape"])})
            entries[key] = Saved(case, places["model"], places["outputs"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"expected an index of schema {SCHEMA} in {path} (got {error}); dump the folder again"
        raise ValueError(message) from error
    return entries
