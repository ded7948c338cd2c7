"""Columns of Parquet files as arrays, a row group at a time."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.export.errors import MissingPackageError

from .rows import Rows

_LIKE_PARQUET = (".parquet", ".pq")


class Columns:
    """
    Some columns of Parquet files with as many rows as these have: one as it is, several side by side.

    A plain column has the shape (rows,), one of lists of equal lengths (rows, length); of columns side by side it is
    (rows, columns), be it one.
    """

    def __init__(self, path: Path, names: tuple[str, ...], side_by_side: bool = False) -> None:
        self._path, self._names, self._side_by_side = path.absolute(), names, side_by_side
        self._groups = _groups(path)
        self._at = -1
        self._read: NDArray[Any] = np.empty(0)

    def __reduce__(self) -> tuple[Any, ...]:
        return Columns, (self._path, self._names, self._side_by_side)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Its shape, the rows by the files' footers, other lengths by the first row group."""
        return sum(rows for *_, rows in self._groups), *self._first.shape[1:]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self._first.dtype

    def part(self, start: int, stop: int) -> Rows:
        """Return itself: its path is what is sent."""
        return self

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows; the row groups that they lie in are read, of which the last is kept."""
        parts, begin = [self._first], 0
        for place, (_, _, rows) in enumerate(self._groups):
            if begin < stop and start < begin + rows:
                group = self._group(place)
                if group.shape[1:] != self.shape[1:]:
                    message = (
                        f"{self._path}: expected lists of one length in {self._names[0]} (got {list(group.shape[1:])} "
                        f"and {list(self.shape[1:])}); pad or cut them"
                    )
                    raise ValueError(message)
                parts.append(group[max(start - begin, 0) : stop - begin])
            begin += rows
        return np.concatenate(parts)

    @cached_property
    def _first(self) -> NDArray[Any]:
        """No rows, of the form of the first."""
        if self._groups:
            return self._group(0)[:0].copy()
        return self._as_array(_opened(_files(self._path)[0]).schema_arrow.empty_table())

    def _group(self, place: int) -> NDArray[Any]:
        if place != self._at:
            file, group, _ = self._groups[place]
            table = _opened(file).read_row_group(group, columns=[*self._names])
            self._read, self._at = self._as_array(table), place
        return self._read

    def _as_array(self, table: Any) -> NDArray[Any]:
        arrays = [_as_numpy(table.column(name).combine_chunks(), self._path, name) for name in self._names]
        return np.stack(arrays, 1) if self._side_by_side else arrays[0]


def parquet_columns(path: Path, ranks: dict[str, int], labels: Collection[str]) -> dict[str, Rows]:
    """
    Return the columns of a file, or of all files in a folder, as arrays by name.

    ``ranks`` has the rank of each input of a model. A plain column for an input of rank 2 has the shape (rows, 1).
    Where the model's only input is no column and has rank 2, it is all columns of numbers but ``labels``, side by side
    in the file's order.
    """
    schema = _opened(_files(path)[0]).schema_arrow
    found: dict[str, Rows] = {}
    for name in schema.names:
        upright = ranks.get(name) == 2 and _is_plain(schema.field(name).type)
        found[name] = Columns(path, (name,), side_by_side=upright)
    missing = [name for name in ranks if name not in found]
    if len(ranks) == len(missing) == 1 and ranks[missing[0]] == 2:
        numbers = [
            name for name in schema.names if name not in labels and _is_number(schema.field(name).type)
        ]
        kinds = {str(schema.field(name).type) for name in numbers}
        if len(kinds) > 1:
            message = (
                f"{path}: expected columns of one type for the input {missing[0]} (got {', '.join(sorted(kinds))}); "
                "cast them, or write a column of lists of that name"
            )
            raise TypeError(message)
        if numbers:
            found[missing[0]] = Columns(path, tuple(numbers), side_by_side=True)
    return found


def is_parquet(path: Path) -> bool:
    """Whether the name says Parquet."""
    return path.suffix.lower() in _LIKE_PARQUET


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if is_parquet(file)) if path.is_dir() else [path]


def _groups(path: Path) -> list[tuple[Path, int, int]]:
    """Return file, number and rows of each row group that has rows."""
    found = []
    for file in _files(path):
        metadata = _opened(file).metadata
        counts = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
        found += [(file, place, rows) for place, rows in enumerate(counts) if rows]
    return found


def _opened(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        message = (
            f"{path}: expected the package pyarrow (it is not installed); pip install 'softops[datasets]'"
        )
        raise MissingPackageError(message) from error
    try:
        return ParquetFile(path)
    except ArrowException as error:
        message = (
            f"{path}: expected a Parquet file (got another kind, or a damaged one: {error}); write it anew"
        )
        raise ValueError(message) from error


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    return not types.is_nested(kind)


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _as_numpy(array: Any, path: Path, name: str) -> NDArray[Any]:
    from pyarrow import types

    if array.null_count:
        message = f"{path}: expected no missing values in {name} (got {array.null_count}); fill them, or drop the rows"
        raise ValueError(message)
    kind = array.type
    if types.is_dictionary(kind):
        return _as_numpy(array.dictionary_decode(), path, name)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        if len(lengths) and lengths.min() != lengths.max():
            message = (
                f"{path}: expected lists of one length in {name} (got {lengths.min()} to {lengths.max()}); pad or cut "
                "them"
            )
            raise ValueError(message)
        inner = _as_numpy(array.flatten(), path, name)
        length = int(lengths[0]) if len(lengths) else getattr(kind, "list_size", 0)
        return inner.reshape(len(array), length, *inner.shape[1:])
    if _is_number(kind) or types.is_string(kind) or types.is_large_string(kind):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    message = f"{path}: expected {name} of numbers, strings, or lists of them (got {kind}); convert it"
    raise TypeError(message)
