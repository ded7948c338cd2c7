"""A model that is measured: what it is called, how its inputs are made, and torch's module where there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import onnx
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

DISABLED = "onnxruntime:level=disabled"
"""The runtime that faults are planted in: it rewrites nothing."""

RIGHT = (
    DISABLED,
    *(f"onnxruntime:level={level}" for level in ("basic", "extended", "all")),
    "openvino:precision=f32",
    "softops",
)
"""Runtimes that round as they like and are right."""


class Entry(NamedTuple):
    """
    A model to measure.

    ``inputs`` gives its inputs for a seed. ``torch`` runs what it was exported from, its outputs in the model's order;
    None where there is no such module.
    """

    name: str
    model: onnx.ModelProto
    trained: bool
    inputs: Callable[[int], Arrays]
    torch: Callable[[Arrays], Sequence[NDArray[Any]]] | None = None
