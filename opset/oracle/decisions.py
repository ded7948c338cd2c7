"""The oracle's ArgMax, TopK and Multinomial: by comparing, one definition after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..operators.axis import within
from ..operators.draws import check_multinomial, uniform
from ..operators.row import Attributes, Inputs, Operator
from ..operators.topk import wanted
from .normalizers import softmax

Outputs = tuple[NDArray[Any], ...]


def arg_max(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """The least (or greatest) index of an element that no other exceeds; a NaN exceeds all numbers."""
    x = inputs[0]
    assert x is not None
    axis = within(attributes["axis"], x.ndim, row.name)
    n = x.shape[axis]
    if not n:
        message = f"{row.name} expected elements along axis {axis} (got shape {x.shape}); pass at least one"
        raise ValueError(message)
    lines = np.moveaxis(x if x.dtype.kind in "iu" else x.astype(np.longdouble), axis, -1)
    winners = (lines != lines) | (lines == lines.max(-1, keepdims=True))
    index = np.arange(n)
    if attributes.get("select_last_index"):
        found = np.where(winners, index, -1).max(-1)
    else:
        found = np.where(winners, index, n).min(-1)
    return (np.expand_dims(found, axis) if attributes["keepdims"] else np.asarray(found),)


def top_k(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """Each line sorted by value, a NaN above all numbers, and then by index."""
    x = inputs[0]
    assert x is not None
    axis, k = wanted(row, inputs, attributes)
    lines = np.moveaxis(x, axis, -1)
    largest = attributes.get("largest", 1)
    index = np.empty((*lines.shape[:-1], k), np.int64)
    for place in np.ndindex(lines.shape[:-1]):
        # As numbers of Python, which hold every integer and every float exactly.
        line = lines[place].tolist() if x.dtype.kind in "iu" else lines[place].astype(np.float64).tolist()
        number = [0 if value != value else -value if largest else value for value in line]
        nan = [(value != value) != bool(largest) for value in line]
        order = sorted(range(len(line)), key=lambda i: (nan[i], number[i], i))  # called at once
        index[place] = order[:k]
    values = np.take_along_axis(lines, index, -1)
    return np.moveaxis(values, -1, axis), np.moveaxis(index, -1, axis)


def multinomial(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """The first class up to which the probabilities add up to more than the random number."""
    x = inputs[0]
    assert x is not None
    dtype, count = attributes["dtype"], attributes["sample_size"]
    check_multinomial(row.name, x, dtype, count)
    numbers = uniform(attributes["seed"], (x.shape[0], count))
    cumulated = softmax(x, 1).cumsum(1)
    reached = cumulated[:, None, :] > numbers[:, :, None] * cumulated[:, None, -1:]
    return (reached.argmax(-1).astype(np.int32 if dtype == 6 else np.int64),)
