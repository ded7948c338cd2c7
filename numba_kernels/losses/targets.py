"""What the right answer of every row is, checked: a label, a label that is smoothed, or probabilities of the classes.

The last two give every class a share q of the loss, and are called spread:

    q[c] = weight[c] * (target[c] * (1 - s) + s / C)        target: 1 at the label, else 0; or as it is given
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.foreign import as_array
from ..arrays.inputs import as_floats, as_pair, check_axis, check_out
from ..arrays.labels import Reduction, check_reduction, class_weights, classified
from ..vector import KINDS, VECTOR_BYTES


class Spread(NamedTuple):
    """How rows share out their loss among the classes; see the module."""

    kept: float
    """What is left to a target, 1 less the smoothing."""
    even: float
    """s / C: what every class has."""
    weights: Array
    """Of the classes, in float64, and zeros behind them for as many lanes as a vector may have."""
    labels: Array | None
    """The labels of the rows, negative where ignored."""
    own: Array | None
    """The label's share in every row, beside the even one."""
    probabilities: Array | None
    """Instead of labels, in C order with the classes along the last axis."""

    @property
    def facts(self) -> tuple[Array, tuple[int, ...]]:
        """What kernels are told, and what must live as long."""
        numbers = np.array([self.kept, self.even])
        places = [address(numbers), address(self.weights)]
        if self.labels is not None and self.own is not None:
            places += [address(self.labels), address(self.own)]
        elif self.probabilities is not None:
            places.append(address(self.probabilities))
        return numbers, tuple(places)


class Targets(NamedTuple):
    """Scores of classes along an axis, and what is right of every row."""

    x: Array
    axis: int
    counted: Array
    """The weight of every row in a mean, in float64: its label's weight, 0 where ignored; 1 of given probabilities."""
    labels: Array
    """The labels, negative where ignored; empty where probabilities are given."""
    spread: Spread | None

    def of_rows(self, scores: Array, begin: int, end: int) -> "Targets":
        """Those of some rows, whose scores lie elsewhere; of one label for each row."""
        labels, spread = self.labels[begin:end], self.spread
        if spread is not None and spread.own is not None:
            spread = spread._replace(labels=labels, own=spread.own[begin:end])
        return Targets(scores, 1, self.counted[begin:end], labels, spread)


def checked_targets(
    name: str,
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    axis: int,
    weight: npt.ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    reduction: Reduction,
    out: Array | None = None,
) -> Targets:
    """The arguments of a cross-entropy, checked."""
    smoothing = checked_smoothing(name, label_smoothing)
    given = as_array(name, labels, "labels", "labels.filled(-1) and ignore_index=-1")
    if given.dtype.kind == "f" or given.dtype in KINDS:
        x = as_floats(name, logits)
        if given.shape == x.shape:
            return _of_probabilities(name, x, given, axis, weight, ignore_index, smoothing, reduction, out)
    x, axis, of_rows, counted = classified(name, logits, given, axis, weight, ignore_index, reduction, out)
    if smoothing == 0.0:
        return Targets(x, axis, counted, of_rows, None)
    classes, kept = x.shape[axis], 1.0 - smoothing
    weights = _padded(class_weights(name, weight, classes))
    spread = Spread(kept, smoothing / max(classes, 1), weights, of_rows, counted * kept, None)
    return Targets(x, axis, counted, of_rows, spread)


def _of_probabilities(
    name: str,
    x: Array,
    given: Array,
    axis: int,
    weight: npt.ArrayLike | None,
    ignore_index: int | None,
    smoothing: float,
    reduction: Reduction,
    out: Array | None,
) -> Targets:
    check_reduction(name, reduction)
    if ignore_index is not None:
        message = f"{name} takes ignore_index beside integer labels (got probabilities); give such rows zeros"
        raise ValueError(message)
    as_pair(name, x, given)
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
        given = given.copy() if np.may_share_memory(out, given) else given
    classes = x.shape[axis]
    weights = _padded(class_weights(name, weight, classes))
    rows = in_c_order(np.moveaxis(given, axis, -1))
    spread = Spread(1.0 - smoothing, smoothing / max(classes, 1), weights, None, None, rows)
    counted = np.ones(x.shape[:axis] + x.shape[axis + 1 :])
    return Targets(x, axis, counted, np.zeros(0, np.int64), spread)


def checked_smoothing(name: str, label_smoothing: Any) -> float:
    """A number from 0 to 1."""
    given = np.asarray(label_smoothing)
    if given.shape != () or given.dtype.kind not in "fiu" or not 0.0 <= float(given) <= 1.0:
        message = f"{name} takes a label_smoothing from 0 to 1 (got {label_smoothing!r})"
        raise ValueError(message)
    return float(given)


def _padded(weights: Array) -> Array:
    return np.append(weights, np.zeros(VECTOR_BYTES // 4))
