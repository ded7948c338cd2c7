"""The call of a node: its inputs and attributes, and how an array lies in lines for an operator."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator, operator

from .case import Case
from .families import dtype_of, rows_of

Array = NDArray[Any]


class Call(NamedTuple):
    """The inputs (None for one left out), the attributes and the number of outputs of one node."""

    inputs: list[Array | None]
    attributes: dict[str, Any]
    outputs: int = 1


def row_of(case: Case) -> Operator:
    """Return the row of the table of operators that holds for a case."""
    return operator(case.op, case.opset, case.domain)


def case_of(row: Operator, dtype: str, shape: tuple[int, ...], family: str, **more: Any) -> Case:
    """Return the case of a row at the version that it is since, or another that is given."""
    fields = {"opset": row.since_version, **more}
    return Case(op=row.op_type, domain=row.domain, dtype=dtype, shape=shape, family=family, **fields)


def lines(row: Operator, shape: tuple[int, ...], axis: int | None) -> tuple[int, int]:
    """Return how many lines of which length an array has for an operator: (rows, length)."""
    place = line_axis(row, len(shape), axis)
    if place is None:
        return 1, math.prod(shape)
    length = math.prod(shape[place:]) if row.axis_rule == "flatten" else shape[place]
    return (math.prod(shape) // length if length else math.prod(shape[:place])), length


def line_axis(row: Operator, rank: int, axis: int | None) -> int | None:
    """Return the axis that an operator works along, counted from the start; None if it is elementwise or takes all."""
    place = row.default_axis if axis is None else axis
    if row.axis_rule is None or place is None:
        return None
    return place + rank if place < 0 else place


def arranged(row: Operator, case: Case, random: np.random.Generator, axis: int | None) -> Array:
    """Return an array of the case's shape whose lines are the rows of its family."""
    shape, place = case.shape, line_axis(row, len(case.shape), axis)
    count, length = lines(row, shape, axis)
    if not math.prod(shape):
        return np.zeros(shape, dtype_of(case.dtype))
    matrix = rows_of(case.family, random, count, length, case.dtype)
    if row.axis_rule != "single" or place is None:
        return matrix.reshape(shape)
    others = shape[:place] + shape[place + 1 :]
    return np.ascontiguousarray(np.moveaxis(matrix.reshape(*others, length), -1, place))
