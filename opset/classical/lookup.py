"""Where keys are found, be they numbers or text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..nodes.arrays import TEXT, Array


def is_text(x: Array) -> bool:
    """Whether an array holds text."""
    return x.dtype.kind in TEXT


class Lookup:
    """
    Keys, each with its place; of equal ones the last.

    Numbers are equal as numbers, whatever their dtypes, and a NaN is every NaN.
    """

    def __init__(self, keys: ArrayLike) -> None:
        array = np.ravel(np.asarray(keys, object if _holds_text(keys) else None))
        self.size = len(array)
        self._by_text = {_text(key): place for place, key in enumerate(array)} if is_text(array) else None
        if self._by_text is None:
            is_nan = np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), bool)
            self._of_nan = int(np.flatnonzero(is_nan)[-1]) if is_nan.any() else -1
            known, order = np.unique(array[~is_nan][::-1], return_index=True)
            self._keys, self._places = known, np.flatnonzero(~is_nan)[::-1][order]

    def places(self, x: Array) -> NDArray[np.intp]:
        """The place of each element's key; -1 where there is none."""
        if self._by_text is not None or is_text(x):
            table = self._by_text or {}
            found = [table.get(_text(item), -1) for item in x.ravel()]
            return np.array(found, np.intp).reshape(x.shape)
        if not len(self._keys):
            places = np.full(x.shape, -1)
        else:
            near = np.minimum(np.searchsorted(self._keys, x), len(self._keys) - 1)
            places = np.where(self._keys[near] == x, self._places[near], -1)
        return np.where(np.isnan(x), self._of_nan, places) if x.dtype.kind == "f" else places


def _holds_text(keys: Any) -> bool:
    array = np.asarray(keys)
    return array.dtype.kind in TEXT


def _text(item: Any) -> str:
    return item.decode("utf-8", errors="surrogateescape") if isinstance(item, bytes) else str(item)
