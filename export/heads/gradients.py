"""Gradients of softmax, log_softmax and the loss, of plain operators."""

from __future__ import annotations

from typing import Literal, Unpack, get_args

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.graph import Graph, Shape
from ..builder.labels import LabelRule, Reduction, counted_labels, ones, read_rule, row_weights
from ..builder.options import Options, check_dtype, read_options
from ..builder.rows import masked, one_hot
from ..builder.steps import reduce, unsqueeze

GradientOf = Literal["softmax", "log_softmax", "loss"]
GRADIENTS: tuple[GradientOf, ...] = get_args(GradientOf)


def gradient(
    of: GradientOf,
    classes: int,
    *,
    reduction: Reduction = "mean",
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build the gradient of softmax, log_softmax or the loss with respect to the logits, of plain ONNX nodes.

    With N rows and C classes the model takes, for ``of``

    - ``softmax``: ``dy`` and ``y`` (N, C), the gradient with respect to the probabilities and these, and gives
      ``y * (dy - sum(dy * y))``;
    - ``log_softmax``: ``dy`` and ``y`` (N, C), the same for log-probabilities, and gives ``dy - exp(y) *
      sum(dy)``;
    - ``loss``: ``logits`` (N, C) and ``labels`` (N,), int64, and gives ``(softmax(logits) - onehot(labels)) *
      w``, where w is a row's weight, divided by the sum of all for the reduction ``mean`` and multiplied by
      ``dy`` (N,), a further input, for ``none``; 0 for rows that are ignored.

    The output is called ``dx`` (N, C).

    Parameters
    ----------
    of
        ``softmax``, ``log_softmax`` or ``loss``.
    classes
        C.
    reduction, class_weight, ignore_index
        Those of `loss`; for the loss only.
    **options
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``); float32 by default.

    Raises
    ------
    TypeError
        A dtype or an option is of a type that is not taken.
    ValueError
        An unknown function or reduction; weights that are NaN, infinite or not one for each class; an option
        of the loss for another function.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32 and rounded once at the output. A label out of range, other than
    ``ignore_index``, has no one-hot row: with class weights onnxruntime refuses it, without it goes unnoticed.

    Sources: ``ai.onnx@13::Softmax``, ``ai.onnx@13::LogSoftmax``, ``ai.onnx@13::SoftmaxCrossEntropyLoss``, of
    whose text the formulas are the derivatives.
    """
    if of not in GRADIENTS:
        message = f"expected the gradient of {', '.join(GRADIENTS)} (got {of!r}); choose one"
        raise ValueError(message)
    if of != "loss" and (reduction != "mean" or class_weight is not None or ignore_index is not None):
        message = f"expected reduction, class_weight and ignore_index for the loss only (got of={of!r}); leave them out"
        raise ValueError(message)
    settings = read_options(options)
    dtype = check_dtype(settings.dtype or np.float32, settings.opset)
    graph = Graph(f"{of}_gradient", settings, dtype)
    rule = read_rule(graph, classes, reduction, class_weight, ignore_index)
    shape: Shape = [settings.batch, rule.classes]
    if of == "loss":
        dx = _loss_gradient(graph, rule, shape)
    else:
        dy, y = graph.input("dy", shape), graph.input("y", shape)
        dx = (_softmax_gradient if of == "softmax" else _log_softmax_gradient)(graph, dy, y)
    graph.output("dx", dx, shape)
    return graph.finish(f"Gradient of {of} over {rule.classes} classes.", {})


def _softmax_gradient(graph: Graph, dy: str, y: str) -> str:
    total = reduce(graph, "ReduceSum", graph.node("Mul", dy, y), [1], name="total")
    return graph.node("Mul", y, graph.node("Sub", dy, total), name="dx")


def _log_softmax_gradient(graph: Graph, dy: str, y: str) -> str:
    total = reduce(graph, "ReduceSum", dy, [1], name="total")
    return graph.node("Sub", dy, graph.node("Mul", graph.node("Exp", y), total), name="dx")


def _loss_gradient(graph: Graph, rule: LabelRule, shape: Shape) -> str:
    logits, labels = graph.input("logits", shape), graph.input("labels", shape[:1], np.int64)
    dy = graph.input("dy", shape[:1]) if rule.reduction == "none" else None
    chosen = graph.cast(one_hot(graph, labels, rule.classes), graph.compute)
    distance = graph.node("Sub", graph.node("Softmax", logits, name="probabilities", axis=1), chosen)
    counted, safe = counted_labels(graph, rule, labels)
    weights = row_weights(graph, rule, counted, safe)
    if dy is not None:
        weights = dy if weights is None else graph.node("Mul", weights, dy)
    elif rule.reduction == "mean":
        weights = weights or ones(graph, labels)
        weights = graph.node("Div", weights, reduce(graph, "ReduceSum", weights, [0], name="total_weight"))
    if weights is None:
        return distance
    dx = graph.node("Mul", distance, unsqueeze(graph, weights, [1], name="row_weights"), name="dx")
    if counted is None or graph.opset < 9:
        return dx
    # of a row that does not count nothing may come through, not even the NaN of its logits
    return masked(graph, dx, unsqueeze(graph, counted, [1], name="counted_rows"), 0, name="counted_dx")
