"""What a fitted estimator takes: a matrix, the columns of a DataFrame, or text; and rows of it as a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bridges.conversion import Block
from ..bridges.mended import MISSING
from ..builder.graph import Graph
from .sklearn_parts import active_steps, is_step, kind_of

STRINGS, FLOATS = np.dtype(object), np.dtype(np.float64)


@dataclass(frozen=True)
class Inputs:
    """
    The inputs of a model.

    Attributes
    ----------
    columns
        One input (N, 1) for each column, by name: its position among those that the estimator was fitted on,
        and its dtype, of which float64 stands for the floats of the model. None for one input, ``features``.
    width
        Columns in all.
    strings
        Whether the one input is of strings.
    """

    columns: Mapping[str, tuple[int, np.dtype[Any]]] | None
    width: int
    strings: bool = False

    def add(self, graph: Graph) -> list[Block]:
        """Add the inputs; columns that the estimator drops have an empty tensor."""
        batch = graph.settings.batch
        if self.columns is None:
            dtype = STRINGS if self.strings else graph.compute
            tensor = graph.input("features", [batch, self.width], dtype if self.strings else None)
            return [Block(tensor, self.width, dtype)]
        blocks = [Block("", 1, FLOATS)] * self.width
        for name, (at, dtype) in self.columns.items():
            tensor = graph.input(name, [batch, 1], None if dtype == FLOATS else dtype)
            kind = graph.compute if dtype == FLOATS else dtype
            if kind == np.dtype(bool):
                tensor, kind = graph.cast(tensor, np.int64), np.dtype(np.int64)
            blocks[at] = Block(tensor, 1, kind)
        return blocks

    def feeds(self, rows: Any, dtype: np.dtype[Any], names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """Return rows as the model takes them."""
        if self.columns is None:
            name = names.get("features", "features")
            if self.strings:
                array = np.asarray(rows, object).reshape(len(rows), self.width)
                return {name: _strings(array)}
            array = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
            return {name: array.astype(dtype)}
        given = {}
        for name, (_, kind) in self.columns.items():
            column = np.asarray(rows[name]).reshape(-1, 1)
            given[names.get(name, name)] = (
                _strings(column.astype(object))
                if kind == STRINGS
                else column.astype(dtype if kind == FLOATS else kind)
            )
        return given


def read_inputs(estimator: Any, front: Sequence[Any], features: int | None, rows: Any) -> Inputs:
    """Return what the estimator takes, as far as its first step and the rows tell."""
    first = _first(front)
    if hasattr(first, "vocabulary_") or hasattr(first, "ngram_range"):
        return Inputs(None, 1, strings=True)
    names = getattr(first, "feature_names_in_", None)
    kinds = _kinds_at_fit(first)
    if names is None or not (
        hasattr(first, "transformers_") or any(kind == STRINGS for kind in kinds.values())
    ):
        width = features if first is None else getattr(first, "n_features_in_", features)
        if width is None:
            width = np.shape(rows)[1] if np.ndim(rows) == 2 else None
        if width is None:
            message = (
                f"expected rows for {kind_of(estimator)}, which does not say how many features it takes (got "
                "none); pass rows=X"
            )
            raise ValueError(message)
        return Inputs(None, int(width), strings=bool(kinds) and set(kinds.values()) == {STRINGS})
    table = hasattr(rows, "columns") and hasattr(rows, "dtypes")
    if rows is not None and not table:
        message = (
            f"expected rows as a DataFrame of the columns that {kind_of(estimator)} was fitted on (got "
            f"{type(rows).__name__}); pass for instance rows=X.head(200)"
        )
        raise TypeError(message)
    columns = {}
    for at in _used(first, len(names)):
        name = str(names[at])
        if rows is not None and name not in rows.columns:
            message = (
                f"expected rows with the column {name!r} (got {', '.join(map(str, rows.columns))}); add it"
            )
            raise ValueError(message)
        columns[name] = (at, kinds.get(at, FLOATS) if rows is None else _kind(name, rows[name]))
    return Inputs(columns, len(names))


def made_up(inputs: Inputs, front: Sequence[Any], count: int = 64) -> Any:
    """Return rows of no meaning that a model can be tried on, None where the estimator takes strings or columns."""
    if inputs.columns is not None or inputs.strings:
        return None
    first = _first(front)
    rng = np.random.default_rng(0)
    rows = np.abs(rng.normal(size=(count, inputs.width)))
    scale, mean = (getattr(first, name, None) for name in ("scale_", "mean_"))
    if scale is not None and mean is not None and np.shape(scale) == np.shape(mean) == (inputs.width,):
        rows = rng.normal(size=rows.shape) * scale + mean
    return rows.astype(np.float32)


def _strings(array: NDArray[Any]) -> NDArray[Any]:
    return np.array([[MISSING if x is None or x != x else str(x) for x in row] for row in array], object)


def _first(front: Sequence[Any]) -> Any:
    first = front[0] if front else None
    while hasattr(first, "steps") and active_steps(first):
        first = active_steps(first)[0]
    return first


def _used(first: Any, width: int) -> list[int]:
    """Return the columns that a ColumnTransformer does not drop; all of another transformer's."""
    if not hasattr(first, "transformers_"):
        return list(range(width))
    indices = first._transformer_to_input_indices
    kept = [name for name, part, _ in first.transformers_ if not (isinstance(part, str) and part == "drop")]
    return sorted({int(at) for name in kept for at in indices[name]})


def _kinds_at_fit(first: Any) -> dict[int, np.dtype[Any]]:
    """Return the dtype of columns as transformers remember it: strings, or floats where they say nothing."""
    if hasattr(first, "transformers_"):
        indices = first._transformer_to_input_indices
        return {
            int(indices[name][at]): kind
            for name, part, _ in first.transformers_
            if is_step(part)
            for at, kind in _kinds_at_fit(_first([part])).items()
        }
    found = getattr(first, "categories_", None)
    if not isinstance(found, list):
        statistics = getattr(first, "statistics_", None)
        found = (
            None
            if statistics is None
            else [np.asarray([x]) if isinstance(x, str) else None for x in statistics]
        )
    return {
        at: STRINGS if array is not None and array.dtype.kind in "OUT" else FLOATS
        for at, array in enumerate(found or [])
    }


def _kind(name: str, column: Any) -> np.dtype[Any]:
    """Return the dtype of an input for a column of a DataFrame."""
    array = np.asarray(column)
    if array.dtype.kind in "iub":
        return np.dtype(bool) if array.dtype.kind == "b" else np.dtype(np.int64)
    if array.dtype.kind == "f":
        return FLOATS
    if array.dtype.kind in "OUT" and all(isinstance(x, str) or x is None or x != x for x in array):
        return STRINGS
    message = (
        f"expected a column of numbers or strings (got {column.dtype} for {name!r}); convert it before the model, "
        f"for instance by X[{name!r}].astype(str), and fit again"
    )
    raise TypeError(message)
