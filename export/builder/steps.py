"""Operators whose form changed between opsets, as the one form that is right for the graph's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph import Graph


def reduce(
    graph: Graph, op_type: str, x: str, axes: Sequence[int], *, keepdims: bool = True, name: str | None = None
) -> str:
    """Add ReduceMax, ReduceSum, ReduceMean … over ``axes``: an attribute that became an input.

    Negative axes are taken from opset 11 on.
    """
    name = name or op_type.lower()
    if graph.opset >= (13 if op_type == "ReduceSum" else 18):
        return graph.node(
            op_type, x, _integers(graph, f"{name}_axes", axes), name=name, keepdims=int(keepdims)
        )
    return graph.node(op_type, x, name=name, axes=list(axes), keepdims=int(keepdims))


def squeeze(graph: Graph, x: str, axes: Sequence[int], *, name: str = "squeezed") -> str:
    """Add Squeeze: drop axes of length 1."""
    return _with_axes(graph, "Squeeze", x, axes, name)


def unsqueeze(graph: Graph, x: str, axes: Sequence[int], *, name: str = "unsqueezed") -> str:
    """Add Unsqueeze: insert axes of length 1."""
    return _with_axes(graph, "Unsqueeze", x, axes, name)


def slice_axis(graph: Graph, x: str, axis: int, start: int, end: int, *, name: str = "slice") -> str:
    """Add Slice: ``x[start:end]`` along ``axis``."""
    if graph.opset < 10:
        return graph.node("Slice", x, name=name, starts=[start], ends=[end], axes=[axis])
    ranges = [
        _integers(graph, f"{name}_{what}", [i])
        for what, i in (("start", start), ("end", end), ("axis", axis))
    ]
    return graph.node("Slice", x, *ranges, name=name)


def top_k(graph: Graph, x: str, k: int, *, axis: int, names: Sequence[str]) -> tuple[str, str]:
    """Add TopK: the ``k`` largest along ``axis`` in descending order, and where they are (int64)."""
    if graph.opset < 10:
        values, indices = graph.split("TopK", x, names=names, axis=axis, k=k)
    else:
        values, indices = graph.split(
            "TopK", x, _integers(graph, f"{names[0]}_k", [k]), names=names, axis=axis
        )
    return values, indices


def where(graph: Graph, condition: str, x: str, y: str, *, name: str) -> str:
    """Choose ``x`` or ``y`` by a condition; both int64, or both finite floats of `Graph.compute`.

    Before opset 9, which brought Where, as y + condition · (x − y): exact for integers, which is what it is for.
    """
    if graph.opset >= 9:
        return graph.node("Where", condition, x, y, name=name)
    chosen = graph.cast(condition, np.int64)
    return graph.node("Add", y, graph.node("Mul", chosen, graph.node("Sub", x, y)), name=name)


def clip(graph: Graph, x: str, low: float, high: float, *, name: str = "clipped") -> str:
    """Add Clip of floats in `Graph.compute`; of float64 from opset 8 on.

    Its bounds were attributes until opset 11, no wider than float32, and it took float64 from opset 12 on.
    """
    if graph.compute == np.float32 and graph.opset < 11:
        return graph.node("Clip", x, name=name, min=float(low), max=float(high))
    if graph.opset < 12 and graph.compute != np.float32:
        bounded = graph.node("Max", x, graph.number(f"{name}_min", low))
        return graph.node("Min", bounded, graph.number(f"{name}_max", high), name=name)
    bounds = graph.number(f"{name}_min", low), graph.number(f"{name}_max", high)
    return graph.node("Clip", x, *bounds, name=name)


def linear(graph: Graph, x: str, weight: NDArray[Any], bias: NDArray[Any] | None, *, name: str) -> str:
    """Add Gemm: ``x @ weight.T + bias`` for a matrix ``x``, the weight stored as it is given."""
    prefix = "" if name == "logits" else f"{name}_"
    if bias is None and graph.opset < 11:
        # Only from version 11 on may Gemm go without its third input.
        bias = np.zeros(len(weight), weight.dtype)
    matrix = graph.weight(f"{prefix}weight", weight)
    terms = [matrix] if bias is None else [matrix, graph.weight(f"{prefix}bias", bias)]
    return graph.node("Gemm", x, *terms, name=name, transB=1)


def _with_axes(graph: Graph, op_type: str, x: str, axes: Sequence[int], name: str) -> str:
    if graph.opset >= 13:
        return graph.node(op_type, x, _integers(graph, f"{name}_axes", axes), name=name)
    return graph.node(op_type, x, name=name, axes=list(axes))


def _integers(graph: Graph, name: str, values: Sequence[int]) -> str:
    return graph.constant(name, np.array(values, np.int64))
