"""ArgMax and TopK, the decisions behind a head; their kernels are NumPy's, but for the largest of floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import decisions
from .axis import within
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import INTEGERS, Attribute, Parameter, floats

Indices = NDArray[np.int64]
_topk = numba_kernel("topk")


def _arg_max_by(index_of: Callable[..., Indices]) -> Implementation:
    """Make an operator of ``index_of(x, axis, last=...)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x = inputs[0]
        axis = within(attributes["axis"], x.ndim, row.name)
        if not x.shape[axis]:
            message = (
                f"{row.name} expected elements along axis {axis} (got shape {x.shape}); pass at least one"
            )
            raise ValueError(message)
        index = index_of(x, axis, last=bool(attributes.get("select_last_index")))
        return (np.expand_dims(index, axis) if attributes["keepdims"] else index,)

    return run


def _arg_max(x: NDArray[Any], axis: int, *, last: bool) -> Indices:
    if last:
        return np.asarray(x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis), np.int64)
    return np.asarray(np.argmax(x, axis), np.int64)


def _arg_max_row(since_version: int) -> Operator:
    attributes = {"axis": Attribute("int", 0), "keepdims": Attribute("int", 1)}
    if since_version >= 12:
        attributes["select_last_index"] = Attribute("int", 0)
    notes = [
        "A NaN counts as the largest, as in numpy.argmax and in TopK; ONNX does not speak of it, onnxruntime "
        "passes over it.",
        "An axis of length 0 has no largest element: an error.",
    ]
    if since_version < 12:
        notes.append("Of equal elements the first, which version 12 is the first to say.")
    if since_version < 11:
        notes.append("A negative axis, of which the text does not speak, is counted from the end.")
    return Operator(
        op_type="ArgMax",
        since_version=since_version,
        axis_rule="single",
        default_axis=0,
        types={"T": INTEGERS + floats(since_version >= 13)},
        inputs=(Parameter("data", "T"),),
        outputs=(Parameter("reduced", "int64"),),
        attributes=attributes,
        kernel=_arg_max_by(_arg_max),
        reference=_arg_max_by(decisions.arg_max),
        notes=tuple(notes),
    )


def _top_k_by(index_of: Callable[..., Indices]) -> Implementation:
    """Make an operator of ``index_of(lines, k, largest=...)``, lines along the last axis."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        axis, k = _axis_and_k(row, inputs, attributes)
        lines = np.moveaxis(inputs[0], axis, -1)
        index = index_of(lines, k, largest=bool(attributes.get("largest", 1)))
        values = np.take_along_axis(lines, index, -1)
        return np.moveaxis(values, -1, axis), np.moveaxis(index, -1, axis)

    return run


def _in_one_piece(implementation: Implementation) -> Implementation:
    return lambda *node: tuple(map(np.ascontiguousarray, implementation(*node)))


def _axis_and_k(row: Operator, inputs: Inputs, attributes: Attributes) -> tuple[int, int]:
    """Return the axis, counted from the start, and k: an attribute in version 1, an input since 10."""
    x = inputs[0]
    axis = within(attributes["axis"], x.ndim, row.name)
    if len(row.inputs) == 1:
        k = attributes["k"]
    else:
        if inputs[1].shape != (1,):
            message = (
                f"{row.name} expected K of shape (1,) (got {inputs[1].shape}); pass one number in a vector"
            )
            raise ValueError(message)
        k = int(inputs[1][0])
    # Of the attribute onnx's shape inference says that it is positive; of the input nobody does.
    least = 1 if len(row.inputs) == 1 else 0
    if not least <= k <= x.shape[axis]:
        message = (
            f"{row.name} expected k from {least} to {x.shape[axis]}, the length of axis {axis} (got {k}); "
            "ask for as many as there are"
        )
        raise ValueError(message)
    return axis, k


# Where no more are wanted, or lines are no longer, a heap is faster than a partition of the line.
_FEW, _SHORT = 256, 1024


def _top_k(lines: NDArray[Any], k: int, *, largest: bool) -> Indices:
    """Sort stably, or where k is small first pick what can be among the k; few of floats by the kernel."""
    if largest and lines.dtype.kind not in "iu" and (k <= _FEW or lines.shape[-1] <= _SHORT):
        indices: Indices = _topk(lines, k)[1]
        return indices
    # NumPy sorts halves by comparing them one by one; float32 keeps their order.
    x = lines.astype(np.float32) if lines.dtype.itemsize == 2 and lines.dtype.kind not in "iu" else lines
    n = x.shape[-1]
    if not 8 * k < n or np.isnan(x.max(initial=0)):
        return _order(x, largest=largest)[..., :k]
    if k == 0:
        return np.empty((*x.shape[:-1], 0), np.int64)
    bound = np.partition(x, n - k if largest else k - 1, -1)[..., [n - k if largest else k - 1]]
    inside = x > bound if largest else x < bound
    ties = x == bound
    room = k - inside.sum(-1, keepdims=True)
    inside |= ties & (np.cumsum(ties, -1) <= room)
    index = np.nonzero(inside)[-1].reshape(*x.shape[:-1], k)
    return np.take_along_axis(index, _order(np.take_along_axis(x, index, -1), largest=largest), -1)


def _order(x: NDArray[Any], *, largest: bool) -> Indices:
    if not largest:
        return np.argsort(x, -1, kind="stable")
    # Sorted upwards from the far end and read backwards: NaN first, and of equal values the earlier first.
    backwards = np.argsort(np.flip(x, -1), -1, kind="stable")
    return np.asarray(x.shape[-1] - 1 - np.flip(backwards, -1), np.int64)


def _top_k_row(since_version: int) -> Operator:
    inputs = [Parameter("X", "T")]
    attributes = {"axis": Attribute("int", -1)}
    notes = [
        "A NaN counts as the largest, as in onnxruntime; ONNX does not speak of it.",
    ]
    if since_version < 10:
        attributes["k"] = Attribute("int", required=True)
    else:
        inputs.append(Parameter("K", "int64"))
        notes.append(
            "k = 0 gives empty outputs, as in onnxruntime, although the text asks for a positive number."
        )
    if since_version >= 11:
        attributes |= {"largest": Attribute("int", 1), "sorted": Attribute("int", 1)}
        notes.append(
            "With sorted = 0, which leaves the order undefined, the elements are sorted all the same."
        )
    else:
        notes.append("The largest come first; the text does not name an order.")
    if since_version < 11:
        notes.append("A negative axis, of which the text does not speak, is counted from the end.")
    return Operator(
        op_type="TopK",
        since_version=since_version,
        axis_rule="single",
        default_axis=-1,
        types={
            "T": (INTEGERS if since_version >= 11 else ()) + floats(since_version >= 24),
            "I": ("int64",),
        },
        inputs=tuple(inputs),
        outputs=(Parameter("Values", "T"), Parameter("Indices", "I")),
        attributes=attributes,
        kernel=_in_one_piece(_top_k_by(_top_k)),
        reference=_top_k_by(decisions.top_k),
        notes=tuple(notes),
    )


ROWS: tuple[Operator, ...] = (
    *(_arg_max_row(version) for version in (1, 11, 12, 13)),
    *(_top_k_row(version) for version in (1, 10, 11, 24)),
)
