"""An evaluation set cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from ..models.inputs import prepare_inputs
from ..runtimes.loading import model_inputs

Arrays = dict[str, NDArray[Any]]


class Batch(NamedTuple):
    """The number of the first row, what is fed, how many rows that is, and how many of these count."""

    start: int
    feeds: Arrays
    rows: int
    real: int


class Batches:
    """
    The rows of a dataset in batches that fit the model.

    Attributes
    ----------
    rows
        How many rows there are.
    first
        The first batch; empty where there are none.

    Raises
    ------
    ValueError, TypeError
        An array is missing, or does not fit the model or the others.
    """

    def __init__(self, model: onnx.ModelProto, arrays: Arrays, batch: int) -> None:
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
    return int(shape[0].dim_value) if len(shape) and shape[0].HasField("dim_value") else None
