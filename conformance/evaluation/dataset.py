"""An evaluation set: its rows in batches, and their true labels."""

from __future__ import annotations

import copy
import errno
import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from softops.export.sources.arrays import read_npz
from softops.opset.graph.given import as_array
from softops.opset.graph.types import dimension_of

from ..models.inputs import prepare_inputs
from ..runtimes.loading import model_inputs
from ..steps.graph import Arrays
from .parquet import is_parquet, parquet_columns
from .rows import InMemory, Npy, Rows, npy_folder, zarr_group

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_USUAL_NAMES = ("labels", "label", "y")


class Batch(NamedTuple):
    """
    The number of the first row, what is fed, how many rows that is, and how many of these count.

    ``truth`` has the true labels of these, shape (real,); None where they are not known.
    """

    start: int
    feeds: Arrays
    rows: int
    real: int
    truth: NDArray[Any] | None


class Dataset:
    """
    The rows of a dataset in batches that fit the model; arguments as for `softops.conformance.evaluate`.

    Attributes
    ----------
    rows, size
        How many rows there are, and how many are in a batch.
    first
        The first batch; empty where there are none.

    Raises
    ------
    ValueError, TypeError, OSError
        An array is missing, does not fit the model or the others, or cannot be read.
    """

    def __init__(self, model: onnx.ModelProto, dataset: Any, labels: Any, batch: int) -> None:
        if isinstance(dataset, Mapping):
            arrays: Mapping[str, Rows] = {
                str(name): InMemory(as_array(array, f"dataset: {name}")) for name, array in dataset.items()
            }
        else:
            arrays = _opened(Path(dataset), model, labels)
        wanted = model_inputs(model)
        missing = [value.name for value in wanted if value.name not in arrays]
        if missing:
            message = (
                f"expected an array for each input, {', '.join(value.name for value in wanted)} "
                f"(none named {', '.join(missing)} among {', '.join(arrays) or 'none'}); rename those of the dataset"
            )
            raise ValueError(message)
        given = {value.name: arrays[value.name] for value in wanted}
        fixed = {value.name: _first_length(value) for value in wanted}
        cut = [name for name, x in given.items() if x.shape and fixed[name] != x.shape[0]]
        # Where every shape is the one that the model fixes, all of it is one batch.
        self._cut = cut or [name for name, x in given.items() if x.shape]
        lengths = {given[name].shape[0] for name in self._cut}
        if len(lengths) != 1:
            listed = ", ".join(f"{name} {given[name].shape[0]}" for name in self._cut) or "none"
            message = f"expected as many rows in every input (got {listed}); cut them to the same rows"
            raise ValueError(message)
        (self.rows,) = lengths
        sizes = {fixed[name] for name in self._cut} - {None}
        if len(sizes) > 1:
            message = f"expected inputs of one batch size (the model fixes {sorted(map(str, sizes))}); export it anew"
            raise ValueError(message)
        self._fixed: int | None = next(iter(sizes), None)
        self.size = self._fixed or batch
        self._given = given
        self._labels: Rows | None = None
        self._bits: set[str] = set()
        self.first = prepare_inputs(model, self.batch(0).feeds) if self.rows else {}
        # Bits for which files have no name, of every batch as of the first.
        self._bits = {
            name for name, x in self.first.items() if x.dtype != given[name].dtype and x.dtype == _BFLOAT16
        }
        self._labels = _true_labels(labels, arrays, set(given), self.rows)

    @property
    def starts(self) -> range:
        """The number of the first row of each batch."""
        return range(0, self.rows, self.size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batch after batch."""
        return map(self.batch, self.starts)

    def batch(self, start: int) -> Batch:
        """Return the batch that begins with a row."""
        count = min(self.size, self.rows - start)
        feeds = {name: self._read(name, start, count) for name in self._given}
        truth = None if self._labels is None else self._labels.read(start, start + count).reshape(count)
        return Batch(start, feeds, self._fixed or count, count, truth)

    def part(self, start: int, stop: int) -> Dataset:
        """Return what another process needs for the batches that begin with these rows."""
        found = copy.copy(self)
        end = min(stop, self.rows)
        found._given = {
            name: x.part(start, end) if name in self._cut else x for name, x in self._given.items()
        }
        found._labels = None if self._labels is None else self._labels.part(start, end)
        found.first = {}
        return found

    def _read(self, name: str, start: int, count: int) -> NDArray[Any]:
        rows = self._given[name]
        if name not in self._cut:
            array = rows.read(0, rows.shape[0] if rows.shape else 0)
        else:
            array = rows.read(start, start + count)
            if self._fixed is not None and count < self._fixed:
                # A batch size that the model fixes is kept: the last row is repeated, and its answers dropped.
                array = array[np.minimum(np.arange(self._fixed), count - 1)]
        return array.view(_BFLOAT16) if name in self._bits else array


def _opened(path: Path, model: onnx.ModelProto, labels: Any) -> Mapping[str, Rows]:
    """Return the arrays of a dataset by name, of a .npz file in memory, of others to be read some rows at a time."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if path.suffix.lower() == ".zarr":
        return zarr_group(path)
    if not path.is_dir() and not is_parquet(path):
        return {name: InMemory(array) for name, array in read_npz(path).items()}
    if not path.is_dir() or any(map(is_parquet, path.iterdir())):
        ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model_inputs(model)}
        others: Collection[str] = {*_USUAL_NAMES, *([labels] if isinstance(labels, str) else [])}
        return parquet_columns(path, ranks, others)
    if found := npy_folder(path):
        return found
    message = (
        f"{path}: expected a folder of .npy files, a file for each input, of .parquet files, or one that ends in "
        ".zarr (got none of these in it); name another"
    )
    raise ValueError(message)


def _first_length(value: onnx.ValueInfoProto) -> int | None:
    shape = value.type.tensor_type.shape.dim
    first = dimension_of(shape[0]) if len(shape) else None
    return first if isinstance(first, int) else None


def _true_labels(labels: Any, arrays: Mapping[str, Rows], inputs: set[str], rows: int) -> Rows | None:
    """Return the true labels, shape (rows,), from wherever they are named; None where there are none."""
    if labels is None:
        name = next((name for name in _USUAL_NAMES if name in arrays and name not in inputs), None)
        return None if name is None else _checked(arrays[name], name, rows)
    if not isinstance(labels, str | os.PathLike):
        return _checked(InMemory(as_array(labels, "labels")), "labels", rows)
    if isinstance(labels, str) and labels in arrays:
        return _checked(arrays[labels], labels, rows)
    if Path(labels).suffix != ".npy":
        message = (
            f"expected labels as an array of the dataset or a .npy file (got {os.fspath(labels)!r}, and arrays "
            f"{', '.join(arrays) or 'none'}); name one of these"
        )
        raise ValueError(message)
    return _checked(Npy(Path(labels)), str(labels), rows)


def _checked(array: Rows, name: str, rows: int) -> Rows:
    if array.dtype.kind not in "iuOSUT":
        message = f"expected {name} as integers or strings (got {array.dtype}); convert them"
        raise TypeError(message)
    if math.prod(array.shape) != rows or (array.shape and array.shape[0] != rows):
        message = (
            f"expected {name} of shape [{rows}], a label for each row (got {list(array.shape)}); reshape them"
        )
        raise ValueError(message)
    return array
