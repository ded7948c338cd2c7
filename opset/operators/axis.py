"""
The two meanings that `axis` has had in Softmax, LogSoftmax and Hardmax.

flatten (opset 1 to 12)
    The array is read as a matrix: the dimensions before `axis` make the rows, `axis` and all after it
    the columns. The operator works along a row, over the product of all trailing dimensions.
single (since opset 13)
    The operator works along dimension `axis` alone.

Both agree where `axis` is the last dimension, and only there in general.

`axis` lies in [-r, r-1] for an array of rank r, under both rules:

- Opset 11 and 13 say so, and their shape inference rejects anything else. So an array of rank 1 with the
  default axis 1 of opset 11 is invalid, and one of rank 0 is invalid under any axis.
- Opset 1 names no range. Its text needs a dimension a_k to start the columns with, hence axis < r: the
  empty product for axis == r, which Flatten allows, is not taken. A negative axis is counted from the end
  as in opset 11, since no other reading is possible. onnxruntime reads opset 1 in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from numpy.exceptions import AxisError
from numpy.typing import NDArray

AxisRule = Literal["flatten", "single"]


def rule_at(opset: int) -> AxisRule:
    """Return the rule of an opset of ai.onnx."""
    return "flatten" if opset < 13 else "single"


def within(axis: int, rank: int, name: str) -> int:
    """Return ``axis`` counted from the start; an AxisError of that name where it lies outside [-r, r-1]."""
    if not -rank <= axis < rank:
        expected = f"an axis in [{-rank}, {rank - 1}]" if rank else "an array of rank 1 or more"
        raise AxisError(axis, rank, f"{name}: expected {expected}")
    return axis % rank


def along(
    rule: AxisRule,
    function: Callable[[NDArray[Any], int], NDArray[Any]],
    x: NDArray[Any],
    axis: int,
    *,
    name: str | None = None,
) -> NDArray[Any]:
    """
    Apply ``function(array, axis)``, which works along one axis and keeps the shape, to ``x`` under an axis rule.

    ``x`` may have any strides; it is copied only where its trailing dimensions cannot be merged in place. An
    AxisError, where ``axis`` lies outside [-r, r-1], speaks of ``name``, such as ``"Softmax-11"``.
    """
    axis = within(axis, x.ndim, name or rule)
    if rule == "single" or axis == x.ndim - 1:
        return function(x, axis)
    columns = math.prod(x.shape[axis:])
    # The leading dimensions stay as they are: merging them as well would only force more copies.
    return function(x.reshape(*x.shape[:axis], columns), axis).reshape(x.shape)
