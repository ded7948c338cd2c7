"""An evaluation set: its rows in batches, and their true labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.export.sources.arrays import read_npz
from softops.opset.graph.given import as_array
from softops.opset.graph.types import dimension_of

from ..models.inputs import prepare_inputs
from ..runtimes.loading import model_inputs
from ..steps.graph import Arrays

_USUAL_NAMES = ("labels", "label", "y")


class Batch(NamedTuple):
    """The number of the first row, what is fed, how many rows that is, and how many of these count."""

    start: int
    feeds: Arrays
    rows: int
    real: int


class Dataset:
    """
    The rows of a dataset in batches that fit the model; arguments as for `softops.conformance.evaluate`.

    Attributes
    ----------
    rows, labels
        How many rows there are, and the true label of each, shape (rows,); None where these are not known.
    first
        The first batch; empty where there are none.

    Raises
    ------
    ValueError, TypeError, OSError
        An array is missing, does not fit the model or the others, or cannot be read.
    """

    def __init__(self, model: onnx.ModelProto, dataset: Any, labels: Any, batch: int) -> None:
        if isinstance(dataset, Mapping):
            arrays = {str(name): as_array(array, f"dataset: {name}") for name, array in dataset.items()}
        else:
            arrays = read_npz(Path(dataset))
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
        cut = [name for name, x in given.items() if x.ndim and fixed[name] != len(x)]
        # Where every shape is the one that the model fixes, all of it is one batch.
        self._cut = cut or [name for name, x in given.items() if x.ndim]
        lengths = {len(given[name]) for name in self._cut}
        if len(lengths) != 1:
            listed = ", ".join(f"{name} {len(given[name])}" for name in self._cut) or "none"
            message = f"expected as many rows in every input (got {listed}); cut them to the same rows"
            raise ValueError(message)
        (self.rows,) = lengths
        sizes = {fixed[name] for name in self._cut} - {None}
        if len(sizes) > 1:
            message = f"expected inputs of one batch size (the model fixes {sorted(map(str, sizes))}); export it anew"
            raise ValueError(message)
        self._fixed: int | None = next(iter(sizes), None)
        self._size = self._fixed or batch
        self._given = given
        self.first = prepare_inputs(model, next(iter(self)).feeds) if self.rows else {}
        self.labels = _true_labels(labels, arrays, set(given), self.rows)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batch after batch."""
        for start in range(0, self.rows, self._size):
            count = min(self._size, self.rows - start)
            places = np.arange(start, start + (self._fixed or count))
            # A batch size that the model fixes is kept: the last row is repeated, and its answers dropped.
            places = np.minimum(places, self.rows - 1)
            feeds = {name: x[places] if name in self._cut else x for name, x in self._given.items()}
            yield Batch(start, feeds, len(places), count)


def _first_length(value: onnx.ValueInfoProto) -> int | None:
    shape = value.type.tensor_type.shape.dim
    first = dimension_of(shape[0]) if len(shape) else None
    return first if isinstance(first, int) else None


def _true_labels(
    labels: Any, arrays: Mapping[str, NDArray[Any]], inputs: set[str], rows: int
) -> NDArray[Any] | None:
    """Return the true labels, shape (rows,), from wherever they are named; None where there are none."""
    if labels is None:
        name = next((name for name in _USUAL_NAMES if name in arrays and name not in inputs), None)
        return None if name is None else _checked(arrays[name], name, rows)
    if not isinstance(labels, str | os.PathLike):
        return _checked(as_array(labels, "labels"), "labels", rows)
    if isinstance(labels, str) and labels in arrays:
        return _checked(arrays[labels], labels, rows)
    if Path(labels).suffix != ".npy":
        message = (
            f"expected labels as an array of the dataset or a .npy file (got {os.fspath(labels)!r}, and arrays "
            f"{', '.join(arrays) or 'none'}); name one of these"
        )
        raise ValueError(message)
    with Path(labels).open("rb") as file:
        try:
            array = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            message = f"{labels}: expected a .npy file of a plain array (got another kind); write it with numpy.save"
            raise ValueError(message) from error
    return _checked(array, str(labels), rows)


def _checked(array: NDArray[Any], name: str, rows: int) -> NDArray[Any]:
    if array.dtype.kind not in "iuOSUT":
        message = f"expected {name} as integers or strings (got {array.dtype}); convert them"
        raise TypeError(message)
    if array.size != rows or (array.ndim and len(array) != rows):
        message = (
            f"expected {name} of shape [{rows}], a label for each row (got {list(array.shape)}); reshape them"
        )
        raise ValueError(message)
    return array.reshape(rows)
