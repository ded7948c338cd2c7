"""Outputs that were made elsewhere, on a phone say, as a runtime; and the folder that asks for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.graph.files import write_atomic

from ..cases.case import Case
from ..errors import ModelNotRunError, ModelNotSupportedError
from ..runtimes.protocol import Feeds
from .layouts import layout_of
from .saved_arrays import read_outputs
from .tensors import read_tensor

SCHEMA = 1
INDEX = "index.json"


class Saved(NamedTuple):
    """A case of a folder, and where its outputs belong: an .npz, or in its place a .pb for each output."""

    case: Case
    outputs: Path

    def tensor(self, place: int) -> Path:
        """Return where an output is looked for that is saved by itself."""
        return self.outputs.with_name(f"{self.outputs.stem}_{place}.pb")


def dump(cases: Iterable[Case], directory: Path, *, layout: str = "npz", advance: Any = None) -> int:
    """
    Write the models and inputs of cases into a new or empty folder; return how many cases there are.

    ``layout`` is one of `softops.conformance.elsewhere.layouts.LAYOUTS`; ``onnx`` has the expected outputs too, and
    no cases that draw samples.

    FileExistsError: the folder holds something already. ValueError: there is no such layout.
    """
    chosen = layout_of(layout)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        message = f"expected a new or empty folder (got {directory}, which holds something); name another"
        raise FileExistsError(message)
    directory.mkdir(parents=True, exist_ok=True)
    folders: dict[bytes, Path] = {}
    counts: dict[Path, int] = {}
    entries = []
    for case in cases:
        if chosen.takes(case):
            made = chosen.made(case)
            digest = hashlib.sha256(made.model).digest()
            if digest not in folders:
                name = chosen.folder.format(f"{len(folders):05d}-{case.op}-{case.opset}-{case.dtype}")
                folders[digest] = directory / name
                folders[digest].mkdir()
                write_atomic(folders[digest] / "model.onnx", made.model)
            folder = folders[digest]
            number = counts[folder] = counts.get(folder, -1) + 1
            files = chosen.write(folder, number, made)
            entries.append(
                {
                    **asdict(case),
                    "model": f"{folder.name}/model.onnx",
                    **files._asdict(),
                    "key": key_of(made.model, made.feeds),
                }
            )
        if advance is not None:
            advance()
    write_atomic(directory / "README.txt", chosen.read_me.encode())
    # Last: a folder without it is not whole.
    index = {"schema": SCHEMA, "layout": layout, "cases": entries}
    write_atomic(directory / INDEX, json.dumps(index, indent=1).encode())
    return len(entries)


def saved_cases(directory: Path) -> list[Case]:
    """Return the cases of a folder that `dump` wrote."""
    return [entry.case for entry in _index(directory).values()]


class SavedRuntime:
    """
    The outputs in a folder that `dump` wrote and someone else filled.

    ``name`` is what made them: its name, its version if it has one, and what it ran on, such as ``onnxruntime-web
    1.24 wasm``. Deviations are known by the first two.

    ValueError: the index is none of this schema, or names files outside the folder; or the name is empty.
    """

    def __init__(self, directory: Path, name: str | None = None) -> None:
        self.name, self.version, self.runs_on = (
            (f"saved:{directory}", "", "") if name is None else name_parts(name)
        )
        self._root = directory.resolve()
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
        proto = onnx.load_from_string(model)
        if entry.outputs.exists():
            return read_outputs(entry.outputs, proto)
        if not entry.tensor(0).exists():
            message = (
                f"expected outputs in {entry.outputs}, or in {entry.tensor(0).name} and so on "
                "(there is no such file); save them there"
            )
            raise ModelNotSupportedError(message)
        return [self._tensor(entry.tensor(place)) for place in range(len(proto.graph.output))]

    def _tensor(self, path: Path) -> NDArray[Any]:
        if not path.resolve().is_relative_to(self._root):
            message = f"expected a file in {self._root} (got {path}, a link to elsewhere); save it there"
            raise ValueError(message)
        return read_tensor(path)


def from_options(options: str) -> SavedRuntime:
    """Make the runtime from a folder."""
    if not options:
        message = "expected a folder (got none); write saved:FOLDER"
        raise ValueError(message)
    return SavedRuntime(Path(options))


def name_parts(text: str) -> tuple[str, str, str]:
    """
    Split what made outputs into its name, its version and what it ran on; the version begins with a digit.

    ValueError: there is no name.
    """
    words = text.split()
    if not words:
        message = "expected the name of a runtime (got an empty one); write for instance 'my-runtime 1.0'"
        raise ValueError(message)
    numbers = [place for place, word in enumerate(words) if place and word.removeprefix("v")[:1].isdigit()]
    place = numbers[0] if numbers else len(words)
    version = words[place].removeprefix("v") if numbers else ""
    return " ".join(words[:place]), version, " ".join(words[place + 1 :]).removeprefix("on ")


def key_of(model: bytes, feeds: Feeds) -> str:
    """Return what tells a case's model and inputs from others."""
    digest = hashlib.sha256(model)
    for name, array in feeds.items():
        digest.update(f"{name} {array.dtype.name} {array.shape} ".encode())
        digest.update(np.asarray(array).tobytes())
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
            model, inputs, outputs, key = (entry.pop(name) for name in ("model", "inputs", "outputs", "key"))
            listed = inputs if isinstance(inputs, list) else [inputs]
            for name in (model, *listed, outputs):
                if not (root / name).resolve().is_relative_to(root):
                    message = "a file outside the folder"
                    raise ValueError(message)
            case = Case(**entry | {"shape": tuple(entry["shape"])})
            entries[key] = Saved(case, root / outputs)
    except (KeyError, TypeError, ValueError) as error:
        message = f"expected an index of schema {SCHEMA} in {path} (got {error}); dump the folder again"
        raise ValueError(message) from error
    return entries
