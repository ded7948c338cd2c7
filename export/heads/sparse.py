"""Heads between softmax and hardmax: sparsemax and entmax15, of standard operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.choice import HeadOptions, read_choice, split_options
from ..builder.graph import Graph
from ..builder.outputs import add_outputs
from ..builder.steps import reduce, top_k
from .softmax import scale, start_linear

_SCORES = ("probabilities", "logits")
# Before CumSum: a triangular matrix of 64 MiB in float32.
_TRIANGLE_MAX = 4096


def sparsemax_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    temperature: ArrayLike | None = None,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build a linear classifier with sparsemax: probabilities that are exactly 0 for most classes.

    ``logits = features @ weight.T + bias``, ``probabilities = max(z − t, 0)`` with ``z = logits / temperature``
    and the threshold t at which they sum to one. With z sorted in descending order, ``t = maxₖ (z₁ + … + zₖ − 1)
    / k``: TopK, CumSum (before opset 11 a product with a triangular matrix of C · C) and ReduceMax.

    Parameters
    ----------
    weight
        (C, F), float32, float64, float16 or bfloat16, finite.
    bias
        (C,), finite; none by default.
    temperature
        Positive: a number, or (C,) for one of each class; kept in the model's metadata under
        ``softops.temperature``. The output ``logits`` is not divided by it.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``)
        and `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``). The scores are ``probabilities`` and ``logits``.

    Raises
    ------
    TypeError
        A dtype, a label or an option is of a type that is not taken.
    ValueError
        A shape, a number of labels or an opset that does not fit; a weight that is NaN or infinite, or
        overflows in ``dtype``; labels that repeat; an unknown output; a temperature of 0.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Computed in float32 (float64 for float64), relative to the largest logit. What the running sum loses a Newton
    step on the threshold makes good: the sum of the probabilities is 1 to some roundings, and each of them right to
    some roundings of the largest. `softops.numba_kernels.sparsemax` is exact.

    Sources: Martins and Astudillo 2016, arXiv:1602.02068; ``ai.onnx@1::TopK`` and later,
    ``ai.onnx@11::CumSum``.
    """
    return _head("sparsemax", _sparsemax, weight, bias, temperature, options)


def entmax15_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    temperature: ArrayLike | None = None,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build a linear classifier with 1.5-entmax: half way from softmax to sparsemax.

    ``logits = features @ weight.T + bias``, ``probabilities = max(z / 2 − t, 0)²`` with ``z = logits /
    temperature`` and the threshold t at which they sum to one. With z / 2 sorted in descending order and μₖ, σₖ²
    the mean and variance of its first k, ``tₖ = μₖ − √(1 / k − σₖ²)`` and ``t = maxₖ min(tₖ, zₖ / 2)``: TopK, two
    CumSum (before opset 11 products with a triangular matrix of C · C), Sqrt, Min and ReduceMax.

    Parameters
    ----------
    weight
        (C, F), float32, float64, float16 or bfloat16, finite.
    bias
        (C,), finite; none by default.
    temperature
        Positive: a number, or (C,) for one of each class; kept in the model's metadata under
        ``softops.temperature``. The output ``logits`` is not divided by it.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``)
        and `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``). The scores are ``probabilities`` and ``logits``.

    Raises
    ------
    TypeError
        A dtype, a label or an option is of a type that is not taken.
    ValueError
        A shape, a number of labels or an opset that does not fit; a weight that is NaN or infinite, or
        overflows in ``dtype``; labels that repeat; an unknown output; a temperature of 0.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Computed in float32 (float64 for float64), relative to the largest logit. What the running sums lose a Newton
    step on the threshold makes good: the sum of the probabilities is 1 to some roundings, and each of them right to
    some roundings of the largest. `softops.numba_kernels.entmax15` is exact.

    Sources: Peters, Niculae and Martins 2019, arXiv:1905.05702; ``ai.onnx@1::TopK`` and later,
    ``ai.onnx@11::CumSum``.
    """
    return _head("entmax15", _entmax15, weight, bias, temperature, options)


def _head(
    name: str,
    activation: Callable[[Graph, str, int], str],
    weight: ArrayLike,
    bias: ArrayLike | None,
    temperature: ArrayLike | None,
    options: HeadOptions,
) -> onnx.ModelProto:
    head, common = split_options(options)
    graph, logits, (classes, features) = start_linear(f"{name}_head", weight, bias, common)
    choice = read_choice(head, classes=classes, scores=_SCORES)
    scaled, metadata = scale(graph, logits, temperature, classes)
    made = {"probabilities": lambda: activation(graph, scaled, classes), "logits": lambda: logits}
    add_outputs(graph, choice, made, lambda: scaled, classes=classes)
    text = f"Linear classifier: {features} features to {classes} classes, activation {name}."
    return graph.finish(text, choice.metadata() | metadata)


def _sparsemax(graph: Graph, logits: str, classes: int) -> str:
    shifted = _below_largest(graph, logits)
    best, _ = top_k(graph, shifted, classes, axis=1, names=["sorted", "order"])
    excess = graph.node("Sub", _running_sum(graph, best, classes, "sums"), graph.number("one", 1))
    thresholds = graph.node("Div", excess, _counts(graph, classes), name="thresholds")
    return _above(graph, shifted, thresholds, squared=False)


def _entmax15(graph: Graph, logits: str, classes: int) -> str:
    halves = graph.node("Mul", logits, graph.number("half", 0.5), name="halves")
    shifted = _below_largest(graph, halves)
    best, _ = top_k(graph, shifted, classes, axis=1, names=["sorted", "order"])
    counts = _counts(graph, classes)
    mean = graph.node("Div", _running_sum(graph, best, classes, "sums"), counts, name="means")
    squares = _running_sum(graph, graph.node("Mul", best, best, name="squares"), classes, "square_sums")
    # k · variance = Σ z² − k μ²: the two sums are close only where the variance is small beside 1 / k.
    spread = graph.node("Sub", squares, graph.node("Mul", graph.node("Mul", mean, mean), counts))
    rest = graph.node("Div", graph.node("Sub", graph.number("one", 1), spread), counts, name="rests")
    root = graph.node("Sqrt", graph.node("Relu", rest), name="roots")
    thresholds = graph.node("Min", graph.node("Sub", mean, root), best, name="thresholds")
    gap = _above(graph, shifted, thresholds, squared=True)
    return graph.node("Mul", gap, gap, name="probabilities")


def _below_largest(graph: Graph, x: str) -> str:
    """Subtract the largest of each row; what lies 1 or more below it has no probability, and is put there."""
    largest = reduce(graph, "ReduceMax", x, [1], name="largest")
    relative = graph.node("Sub", x, largest, name="relative")
    if graph.opset < 8:  # Max did not broadcast yet, and Clip of float64 is nowhere implemented
        one = graph.number("one", 1)
        positive = graph.node("Relu", graph.node("Add", relative, one), name="above_cut")
        return graph.node("Sub", positive, one, name="shifted")
    return graph.node("Max", relative, graph.number("minus_one", -1), name="shifted")


def _running_sum(graph: Graph, x: str, classes: int, name: str) -> str:
    if graph.opset >= 11:
        return graph.node("CumSum", x, graph.shared("along", np.array(1, np.int64)), name=name)
    if classes > _TRIANGLE_MAX:
        message = (
            f"expected opset 11 or newer for more than {_TRIANGLE_MAX} classes (got opset {graph.opset} and "
            f"{classes} classes); raise the opset, which brought CumSum"
        )
        raise ValueError(message)
    triangle = graph.shared("triangle", np.triu(np.ones((classes, classes), graph.compute)))
    return graph.node("MatMul", x, triangle, name=name)


def _counts(graph: Graph, classes: int) -> str:
    return graph.number("counts", np.arange(1, classes + 1))


def _above(graph: Graph, x: str, thresholds: str, *, squared: bool) -> str:
    """How far each number is above the largest threshold, put right by a Newton step on what their sum, or that of
    their squares, is off from 1 by."""
    threshold = reduce(graph, "ReduceMax", thresholds, [1], name="threshold")
    rough = graph.node("Sub", x, threshold, name="rough_gaps")
    positive = graph.node("Relu", rough, name="positive_gaps")
    if squared:
        values = graph.node("Mul", positive, positive, name="rough_squares")
        slopes = graph.node("Add", positive, positive, name="slopes")
    else:
        values = positive
        above = graph.node("Greater", positive, graph.number("zero", 0), name="is_positive")
        slopes = graph.cast(above, graph.compute, name="slopes")
    total = reduce(graph, "ReduceSum", values, [1], name="rough_sum")
    excess = graph.node("Sub", total, graph.number("whole", 1), name="sum_excess")
    step = graph.node(
        "Div", excess, reduce(graph, "ReduceSum", slopes, [1], name="slope"), name="newton_step"
    )
    return graph.node("Relu", graph.node("Sub", rough, step, name="exact_gaps"), name="gaps")
