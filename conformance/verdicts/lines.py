"""The lines that an operator works along: an input and an output as matrices, a line in each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator

from ..cases.calls import line_axis, row_of
from ..cases.case import Case
from ..measure.errors import Errors
from ..measure.ulp import Doubles, spacing, unit_roundoff
from .question import HALF

Array = NDArray[Any]
Wide = NDArray[np.floating[Any]]


class Lines:
    """An input and an output of an operator, as matrices of a line in each row; only the finite lines."""

    def __init__(self, case: Case, x: Array, found: Errors) -> None:
        row = row_of(case)
        cut = [
            as_lines(row, case.axis, array)
            for array in (x, found.actual, found.exact, found.allowed, ~found.special | (found.exact == 0))
        ]
        regular = cut[4].all(axis=1) & np.isfinite(cut[1].astype(np.float64)).all(axis=1)
        if row.op_type == "LogSoftmax":  # -inf is the logarithm of 0
            regular = ~np.isnan(cut[2]).any(axis=1) & ~np.isnan(cut[1].astype(np.float64)).any(axis=1)
        # In float64 where that holds every number of the dtype; the sums of float64 need more.
        wide: Any = np.longdouble if found.actual.dtype == np.float64 else np.float64
        self.op = row.op_type
        self.x: Doubles = cut[0][regular].astype(np.float64)
        # An infinity that a number beyond the range is right to become counts as that number.
        y = as_lines(
            row,
            case.axis,
            np.where(np.isinf(found.actual.astype(wide)) & (found.used <= 1), found.exact, found.actual),
        )
        self.y: Wide = y[regular].astype(wide)
        self.exact: Wide = cut[2][regular].astype(wide)
        self.allowed: Doubles = cut[3][regular]
        self.u = unit_roundoff(max(found.actual.dtype, np.dtype(np.float32), key=lambda kind: kind.itemsize))
        self.tiny = float(np.finfo(np.float32 if found.actual.dtype.itemsize <= 4 else np.float64).tiny)
        half = found.actual.dtype.itemsize == HALF
        self.half_spacing = (
            spacing(self.exact, found.actual.dtype).astype(np.float64) if half else np.zeros(self.y.shape)
        )

    @property
    def logarithmic(self) -> bool:
        """Whether the output is a logarithm of probabilities."""
        return self.op == "LogSoftmax"

    @property
    def order_slack(self) -> Doubles:
        """How far an element may fall behind one that it should not be below."""
        size = np.nan_to_num(np.abs(self.exact).astype(np.float64), posinf=0)
        return np.asarray((4 if self.logarithmic else 10) * self.u * size + self.half_spacing + 2 * self.tiny)


def as_lines(row: Operator, axis: int | None, array: Array) -> Array:
    """Return an array as a matrix with a line of the operator in each row."""
    place = line_axis(row, array.ndim, axis)
    if place is None:
        return array.reshape(1, -1)
    if row.axis_rule == "flatten":
        return array.reshape(-1, int(np.prod(array.shape[place:], dtype=int)))
    turned = np.moveaxis(array, place, -1)
    return turned.reshape(-1, turned.shape[-1])
