"""The kernels of ArgMax, TopK and Multinomial, the decisions behind a head, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis import within
from .draws import check_multinomial, uniform
from .kernels import Outputs, compiled
from .row import Attributes, Inputs, Operator
from .topk import wanted


def arg_max(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """`numpy.argmax`; from the other end for the last index."""
    x = inputs[0]
    assert x is not None
    axis = within(attributes["axis"], x.ndim, row.name)
    if not x.shape[axis]:
        message = f"{row.name} expected elements along axis {axis} (got shape {x.shape}); pass at least one"
        raise ValueError(message)
    keepdims = bool(attributes["keepdims"])
    if attributes.get("select_last_index"):
        last = np.argmax(np.flip(x, axis), axis, keepdims=keepdims)
        return (np.asarray(x.shape[axis] - 1 - last, np.int64),)
    return (np.asarray(np.argmax(x, axis, keepdims=keepdims), np.int64),)


def top_k(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """Sort stably, or where k is small first pick what can be among the k."""
    x = inputs[0]
    assert x is not None
    axis, k = wanted(row, inputs, attributes)
    lines = np.moveaxis(x, axis, -1)
    largest = bool(attributes.get("largest", 1))
    # NumPy sorts halves by comparing them one by one; float32 keeps their order.
    keys = lines.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else lines
    index = _first_k(keys, k, largest)
    values = np.take_along_axis(lines, index, -1)
    return (
        np.ascontiguousarray(np.moveaxis(values, -1, axis)),
        np.ascontiguousarray(np.moveaxis(index, -1, axis)),
    )


def multinomial(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """Cumulated probabilities in float64, searched for each random number."""
    x = inputs[0]
    assert x is not None
    dtype, count = attributes["dtype"], attributes["sample_size"]
    check_multinomial(row.name, x, dtype, count)
    numbers = uniform(attributes["seed"], (x.shape[0], count))
    probabilities = compiled().softmax(x.astype(np.float64), 1)
    samples = np.empty(numbers.shape, np.int32 if dtype == 6 else np.int64)
    for sample, number, probability in zip(samples, numbers, probabilities, strict=True):
        cumulated = np.cumsum(probability)
        found = np.searchsorted(cumulated, number * cumulated[-1], side="right")
        sample[:] = np.minimum(
            found, np.flatnonzero(probability)[-1]
        )  # where the product rounds up to the sum
    return (samples,)


def _first_k(x: NDArray[Any], k: int, largest: bool) -> NDArray[np.int64]:
    """Return the indices of the k largest (or smallest) of each last-axis line: in order, ties by index."""
    n = x.shape[-1]
    if not 8 * k < n or np.isnan(x.max(initial=0)):
        return _order(x, largest)[..., :k]
    if k == 0:
        return np.empty((*x.shape[:-1], 0), np.int64)
    bound = np.partition(x, n - k if largest else k - 1, -1)[..., [n - k if largest else k - 1]]
    inside = x > bound if largest else x < bound
    ties = x == bound
    room = k - inside.sum(-1, keepdims=True)
    inside |= ties & (np.cumsum(ties, -1) <= room)
    index = np.nonzero(inside)[-1].reshape(*x.shape[:-1], k)
    return np.take_along_axis(index, _order(np.take_along_axis(x, index, -1), largest), -1)


def _order(x: NDArray[Any], largest: bool) -> NDArray[np.int64]:
    if not largest:
        return np.argsort(x, -1, kind="stable")
    # Sorted upwards from the far end and read backwards: NaN first, and of equal values the earlier first.
    backwards = np.argsort(np.flip(x, -1), -1, kind="stable")
    return np.asarray(x.shape[-1] - 1 - np.flip(backwards, -1), np.int64)
