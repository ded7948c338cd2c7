"""Whether two runs of a model decide the same: labels, and the largest element of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import first_place
from .ulp import is_float


@dataclass(frozen=True)
class Decisions:
    """
    The decisions in one output.

    Attributes
    ----------
    output
        Its name.
    count, changed
        How many decisions there are, and how many of them differ.
    first
        Where the first differs: the index of a label, or that of a row without the axis of its classes.
    margin
        The largest lead, by the other's own scores, of the class that was not chosen: 0 where ties fell
        differently, NaN where one has no number; None for labels, which have no scores, and if none differs.
    """

    output: str
    count: int
    changed: int
    first: tuple[int, ...] | None = None
    margin: float | None = None


def decisions(name: str, actual: NDArray[Any], expected: NDArray[Any], axis: int = -1) -> Decisions | None:
    """
    Compare the decisions of two outputs of one shape and dtype.

    Parameters
    ----------
    axis
        Of floats the axis of the classes: the largest element along it is decided for, the first of equals,
        a NaN before all.

    Returns
    -------
    Decisions or None
        None where the output decides nothing: floats with fewer than two classes, and empty ones.
    """
    if not expected.size:
        return None
    if not is_float(expected.dtype):
        differs = np.asarray(actual != expected)
        return Decisions(name, differs.size, int(differs.sum()), first_place(differs))
    if not expected.ndim or expected.shape[axis] < 2:
        return None
    # In float64: NumPy's argmax does not know every small float.
    left, right = (np.moveaxis(x.astype(np.float64), axis, -1) for x in (actual, expected))
    chosen, wanted = left.argmax(-1), right.argmax(-1)
    differs = np.asarray(chosen != wanted)
    margin = None
    if differs.any():
        mine, others = (
            np.take_along_axis(right, place[..., None], -1)[..., 0][differs] for place in (wanted, chosen)
        )
        with np.errstate(invalid="ignore"):
            margin = float(np.max(np.where(mine == others, 0, mine - others)))
    return Decisions(name, differs.size, int(differs.sum()), first_place(differs), margin)
