"""Rows of a layer through a loss, as many at a time as leave the memory of their scores small."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.foreign import as_array
from ..arrays.labels import Reduction
from ..losses.targets import Targets, checked_targets
from .inputs import Layer, layer_of
from .product import product
from .softcap import cap, checked_softcap

# The scores of the rows at a time take so many bytes; those of a panel of rows, for which all weights are read once,
# may take more, up to a limit.
_BYTES, _MOST_BYTES, _PANEL = 20 << 20, 56 << 20, 48


class Problem(NamedTuple):
    """The rows that count of a layer, a label for each, and what the scores are capped at."""

    layer: Layer
    """With the rows that count alone."""
    targets: Targets
    softcap: float
    counted: Array
    """The weight of every row in a mean, 0 of those that do not count."""
    kept: Array
    """Which rows count, as indices."""

    @property
    def is_empty(self) -> bool:
        return len(self.layer.x) == 0 or len(self.layer.weight) == 0

    def of_all(self, values: Array) -> Array:
        """What was found for the rows that count, as that for all rows, 0 for the others."""
        if len(self.kept) == len(self.counted):
            return values
        result = np.zeros((len(self.counted), *values.shape[1:]), values.dtype)
        result[self.kept] = values
        return result

    def slabs(self, count: int, times: int = 1) -> Iterator[tuple[Targets, slice, list[Array]]]:
        """Some rows at a time: their targets, with scores that are not capped, which rows, and `count` arrays.

        The first of these holds the scores. `times`: so much more memory pays.
        """
        for rows, arrays in rows_at_a_time(self.layer, count, times):
            yield self.targets.of_rows(arrays[0], rows.start, rows.stop), rows, arrays


def rows_at_a_time(layer: Layer, count: int = 1, times: int = 1) -> Iterator[tuple[slice, list[Array]]]:
    """Some rows of a layer at a time: which, and `count` arrays of the size of their scores, which are in the first.

    They are gone with the next ones. `times`: so much more memory pays.
    """
    total, classes = len(layer.x), len(layer.weight)
    each = _rows_at_once(classes * layer.x.itemsize * count, times)
    room = [np.empty((min(each, total), classes), layer.x.dtype) for _ in range(count)]
    for begin in range(0, total, each):
        end = min(begin + each, total)
        arrays = [array[: end - begin] for array in room]
        product(layer._replace(x=layer.x[begin:end]), arrays[0])
        yield slice(begin, end), arrays


def _rows_at_once(row: int, times: int = 1) -> int:
    """How many rows, whose scores take so many bytes each, are at hand at a time; `times`: so much more memory pays."""
    rows = times * _BYTES // row
    if rows >= _PANEL:
        return rows // _PANEL * _PANEL
    return max(min(_MOST_BYTES // row, _PANEL), 1)


def capped(scores: Array, softcap: float, into: Array) -> None:
    """softcap · tanh(scores / softcap) of scores, which may be the same array; without a softcap nothing is done."""
    if softcap:
        cap(scores, softcap, into)


def checked_problem(
    name: str,
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    labels: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    class_weight: npt.ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    softcap: float,
    reduction: Reduction,
) -> Problem:
    """The arguments of a linear cross-entropy, checked."""
    layer = layer_of(name, x, weight, bias)
    given = as_array(name, labels, "labels", "labels.filled(-1) and ignore_index=-1")
    if given.dtype.kind not in "iu":
        message = f"{name} takes integer labels (got {given.dtype}); convert with labels.astype(np.int64)"
        raise TypeError(message)
    # of the shape of the scores, and of no memory
    scores = np.broadcast_to(layer.x.dtype.type(0), (*layer.shape, len(layer.weight)))
    targets = checked_targets(name, scores, given, -1, class_weight, ignore_index, label_smoothing, reduction)
    of_rows, counted, spread = targets.labels.reshape(-1), targets.counted.reshape(-1), targets.spread
    kept = np.flatnonzero(of_rows >= 0)
    if len(kept) < len(of_rows):
        layer, of_rows = layer._replace(x=layer.x[kept]), of_rows[kept]
    if spread is not None and spread.own is not None:
        spread = spread._replace(labels=of_rows, own=spread.own.reshape(-1)[kept])
    flat = Targets(scores, 1, counted[kept], of_rows, spread)
    return Problem(layer, flat, checked_softcap(name, softcap), counted, kept)
