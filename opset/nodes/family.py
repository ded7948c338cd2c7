"""The operators of the table: by their rows, and by the kernels themselves where that is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operators.row import Operator
from ..operators.table import operator
from .arrays import Array
from .node import Node, Operation

_KERNELS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Hardmax": "hardmax", "Sigmoid": "sigmoid"}

_LISTS: dict[str, Any] = {"floats": np.float32, "ints": np.int64, "strings": object}
"""The dtypes of attributes that are lists, by what ONNX calls them."""


def family(node: Node) -> Operation:
    """What a node of the softmax family does: its row's `run`, with a short way for the common operators."""
    row = operator(node.proto.op_type, node.version, node.proto.domain)
    if row.domain == "" and row.op_type in _KERNELS:
        return _short_way(row, node)
    # Long lists, such as the weights of a linear model, become arrays here and not in every run.
    lists = {name: attribute.type for name, attribute in row.attributes.items() if attribute.type in _LISTS}
    attributes = {
        name: np.array(value, _LISTS[lists[name]]) if name in lists else value
        for name, value in node.attributes.items()
    }
    return Operation(row.bound(attributes, outputs=node.outputs), many=True, fresh=True, plain_errors=True)


def _short_way(row: Operator, node: Node) -> Operation:
    from softops import numba_kernels

    kernel: Callable[..., Array] = getattr(numba_kernels, _KERNELS[row.op_type])
    row.bound(node.attributes)  # says what is wrong with them
    dtypes = frozenset(np.dtype(name) for name in row.dtypes)
    if row.axis_rule is None:
        return Operation(
            lambda x: np.asarray(kernel(x)) if x.dtype in dtypes else row.compute(x),
            fresh=True,
            finish=lambda x: np.asarray(kernel(x, out=x)) if x.dtype in dtypes else row.compute(x),
            plain_errors=True,
        )
    given = node.attributes.get("axis")
    axis: Any = row.default_axis if given is None else given
    single = row.axis_rule == "single"

    def plain(x: Array) -> bool:
        """Whether the kernel's axis is the node's: one axis alone, or the last one, and nothing to complain about."""
        rank = x.ndim
        return -rank <= axis < rank and (single or axis in (-1, rank - 1)) and x.dtype in dtypes

    def finish(x: Array) -> Array:
        return kernel(x, axis, out=x) if plain(x) else row.compute(x, axis)

    return Operation(
        lambda x: kernel(x, axis) if plain(x) else row.compute(x, axis),
        fresh=True,
        finish=finish if axis in (-1, 1) else None,
        plain_errors=True,
    )
