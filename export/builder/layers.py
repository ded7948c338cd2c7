"""Layers of networks as operators that every opset has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .floats import as_floats
from .graph import Graph
from .steps import reduce


def add_gelu(graph: Graph, x: str, *, tanh: bool) -> str:
    """Add x / 2 · (1 + erf(x / √2)), or with ``tanh`` x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).

    Source: ``ai.onnx@20::Gelu``; Hendrycks and Gimpel, arXiv:1606.08415.

    Raises
    ------
    ValueError
        Erf came with opset 9.
    """
    if tanh:
        cube = graph.node("Mul", graph.node("Mul", x, x, name="square"), x, name="cube")
        cubic = graph.node("Mul", cube, graph.shared("cubic", np.asarray(0.044715, graph.compute)))
        argument = graph.node("Add", x, cubic)
        factor = graph.shared("tanh_factor", np.asarray(math.sqrt(2 / math.pi), graph.compute))
        curve = graph.node("Tanh", graph.node("Mul", argument, factor), name="tanh")
    elif graph.opset < 9:
        message = (
            f"expected opset 9 or newer for GELU (got {graph.opset}); raise it, or use approximate='tanh'"
        )
        raise ValueError(message)
    else:
        factor = graph.shared("erf_factor", np.asarray(math.sqrt(0.5), graph.compute))
        curve = graph.node("Erf", graph.node("Mul", x, factor), name="erf")
    raised = graph.node("Add", curve, graph.shared("one", np.ones((), graph.compute)))
    half = graph.node("Mul", x, graph.shared("half", np.asarray(0.5, graph.compute)), name="half_of_it")
    return graph.node("Mul", half, raised, name="gelu")


def add_layer_norm(
    graph: Graph, x: str, eps: float, weight: NDArray[Any] | None, bias: NDArray[Any] | None
) -> str:
    """Add (x − mean) / √(variance + eps) · weight + bias over the last axis of (N, F).

    Source: ``ai.onnx@17::LayerNormalization``, whose steps these are.
    """
    centered = graph.node("Sub", x, reduce(graph, "ReduceMean", x, [1], name="mean"), name="centered")
    square = graph.node("Mul", centered, centered, name="square")
    variance = reduce(graph, "ReduceMean", square, [1], name="variance")
    deviation = graph.node("Sqrt", graph.node("Add", variance, graph.number("eps", eps)), name="deviation")
    normal = graph.node("Div", centered, deviation, name="normalized")
    if weight is not None:
        normal = graph.node("Mul", normal, graph.weight("scale", weight), name="scaled")
    return _shifted(graph, normal, bias)


def add_batch_norm(
    graph: Graph,
    x: str,
    mean: NDArray[Any],
    variance: NDArray[Any],
    eps: float,
    weight: NDArray[Any] | None,
    bias: NDArray[Any] | None,
) -> str:
    """
    Add (x − mean) · (weight / √(variance + eps)) + bias of each column.

    The factor is computed in float64 and rounded once, to what the graph computes in: it is no weight of a half.
    """
    factor = (1.0 if weight is None else weight.astype(np.float64)) / np.sqrt(
        variance.astype(np.float64) + eps
    )
    scale = graph.constant("scale", as_floats("weight / sqrt(running_var + eps)", factor, graph.compute))
    centered = graph.node("Sub", x, graph.weight("mean", mean), name="centered")
    return _shifted(graph, graph.node("Mul", centered, scale, name="scaled"), bias)


def _shifted(graph: Graph, x: str, bias: NDArray[Any] | None) -> str:
    return x if bias is None else graph.node("Add", x, graph.weight("shift", bias), name="shifted")
