"""A linear layer with its cross-entropy and the gradients of both, for training: of plain operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Unpack, get_args

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.arguments import check_chosen, check_fraction, check_positive
from ..builder.counts import check_count
from ..builder.graph import Graph, Shape
from ..builder.labels import LabelRule, Reduction, counted_labels, counted_only, ones, read_rule, row_weights
from ..builder.options import Options, check_dtype, read_options
from ..builder.rows import masked, one_hot, pick
from ..builder.steps import reduce, unsqueeze

LinearLossOutput = Literal["loss", "dx", "dweight", "dbias"]
LINEAR_LOSS_OUTPUTS: tuple[LinearLossOutput, ...] = get_args(LinearLossOutput)


def linear_loss(
    classes: int,
    features: int,
    *,
    bias: bool = True,
    reduction: Reduction = "mean",
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    softcap: float | None = None,
    outputs: Sequence[LinearLossOutput] = LINEAR_LOSS_OUTPUTS,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build the cross-entropy of a linear layer and its gradients, of plain ONNX nodes: a step of training.

    With N rows, C classes and F features the model takes ``x`` (N, F), ``weight`` (C, F), ``bias`` (C,) and
    ``labels`` (N,), int64, for the reduction ``none`` also ``dy`` (N,), the gradient with respect to the losses,
    and gives those of these that ``outputs`` names, in its order:

    - ``loss``: a scalar, or (N,) for the reduction ``none``;
    - ``dx`` (N, F), ``dweight`` (C, F), ``dbias`` (C,): the gradients.

    Parameters
    ----------
    classes, features
        C and F.
    bias
        Whether there is one; without it the model has no such input, and ``dbias`` is still given.
    reduction
        ``mean``: the sum divided by the sum of the weights of the labels that count; NaN where none does.
        ``sum``, or ``none``.
    class_weight
        (C,), finite: what each class's term of a loss is multiplied by.
    ignore_index
        A label that does not count, of any value.
    label_smoothing
        So much of each target, 0 or a fraction below 1, is spread evenly over all classes.
    softcap
        The scores are ``softcap * tanh(score / softcap)``.
    outputs
        Which outputs, in which order.
    **options
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``); float32 by default.

    Raises
    ------
    TypeError
        A dtype or an option is of a type that is not taken.
    ValueError
        An unknown reduction or output; weights that are NaN, infinite or not one for each class; a smoothing
        that is no fraction, a softcap that is not positive.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    The array of scores exists, unlike in `numba_kernels.linear_cross_entropy_grad`, which gives the same numbers.
    Halves are computed in float32, and ``dweight`` and ``dbias`` are float32 then. A smoothed loss is a sum over
    all classes: NaN where a class of weight 0 is at −inf. A row that is ignored adds nothing, but one that is NaN
    makes ``dweight`` NaN even so.

    Sources: ``ai.onnx@13::SoftmaxCrossEntropyLoss``, of whose text the formulas are the derivatives.
    """
    settings = read_options(options)
    dtype = check_dtype(settings.dtype or np.float32, settings.opset)
    chosen = check_chosen("outputs", outputs, LINEAR_LOSS_OUTPUTS)
    graph = Graph("linear_loss", settings, dtype)
    rule = read_rule(graph, classes, reduction, class_weight, ignore_index)
    count = check_count("features", features)
    smoothing = 0.0 if label_smoothing == 0 else check_fraction("label_smoothing", label_smoothing)
    batch = settings.batch

    x, weight = graph.input("x", [batch, count]), graph.input("weight", [rule.classes, count])
    scores = _scores(graph, rule, x, weight, bias)
    tangent = None
    if softcap is not None:
        cap = graph.number("softcap", check_positive("softcap", softcap, graph.compute))
        tangent = graph.node("Tanh", graph.node("Div", scores, cap, name="divided"), name="tangent")
        scores = graph.node("Mul", tangent, cap, name="capped")
    rows = _rows(graph, rule, graph.input("labels", [batch], np.int64), smoothing)
    dy = graph.input("dy", [batch]) if rule.reduction == "none" else None
    total = None
    if rule.reduction == "mean":
        total = reduce(graph, "ReduceSum", rows.counted_weights, [0], keepdims=False, name="total_weight")

    made = {}
    if "loss" in chosen:
        made["loss"] = _loss(graph, rule, rows, scores, total)
    if set(chosen) - {"loss"}:
        d = _score_gradient(graph, rows, scores, dy, total)
        if tangent is not None:
            square = graph.node("Mul", tangent, tangent, name="square")
            d = graph.node(
                "Mul", d, graph.node("Sub", graph.number("one", 1), square), name="uncapped_slopes"
            )
        made["dx"] = graph.node("MatMul", d, weight, name="dx")
        turned = graph.node("Transpose", d, name="slopes_by_class", perm=[1, 0])
        made["dweight"] = graph.node("MatMul", turned, x, name="dweight")
        made["dbias"] = reduce(graph, "ReduceSum", d, [0], keepdims=False, name="dbias")
    shapes: dict[str, Shape] = {
        "dweight": [rule.classes, count],
        "dbias": [rule.classes],
        "dx": [batch, count],
    }
    for name in chosen:
        if name == "loss":
            graph.output(name, made[name], [batch] if rule.reduction == "none" else [])
        else:
            graph.output(name, made[name], shapes[name], None if name == "dx" else graph.compute)
    text = f"Cross-entropy of a linear layer: {count} features to {rule.classes} classes, and its gradients."
    return graph.finish(text, {})


def _scores(graph: Graph, rule: LabelRule, x: str, weight: str, bias: bool) -> str:
    terms = [x, weight]
    if bias:
        terms.append(graph.input("bias", [rule.classes]))
    elif graph.opset < 11:
        # Only from version 11 on may Gemm go without its third input.
        terms.append(graph.number("no_bias", np.zeros(rule.classes)))
    return graph.node("Gemm", *terms, name="scores", transB=1)


@dataclass(frozen=True)
class _Rows:
    """What is right of each row."""

    classes: int
    counted: str | None
    safe: str
    weights: str | None
    """The weight of each row, 0 where it does not count; None where all are 1."""
    counted_weights: str
    """The same, with ones for None."""
    shares: str
    """(N, C): how much of the loss each class has."""
    whole: str | None
    """(N, 1): the sum of a row's shares; None where all are 1."""
    smoothed: bool


def _rows(graph: Graph, rule: LabelRule, labels: str, smoothing: float) -> _Rows:
    counted, safe = counted_labels(graph, rule, labels)
    weights = row_weights(graph, rule, counted, safe)
    column = None if weights is None else unsqueeze(graph, weights, [1], name="row_weights")
    shares = graph.cast(one_hot(graph, safe, rule.classes), graph.compute)
    whole = column
    if smoothing:
        kept, even = graph.number("kept", 1 - smoothing), graph.number("even", smoothing / rule.classes)
        shares = graph.node("Add", graph.node("Mul", shares, kept), even, name="smoothed")
        if rule.weight is not None:
            shares = graph.node("Mul", shares, graph.number("class_shares", rule.weight), name="shares")
        whole = reduce(graph, "ReduceSum", shares, [1], name="whole")
    elif column is not None:
        shares = graph.node("Mul", shares, column, name="shares")
    return _Rows(
        rule.classes, counted, safe, weights, weights or ones(graph, labels), shares, whole, bool(smoothing)
    )


def _loss(graph: Graph, rule: LabelRule, rows: _Rows, scores: str, total: str | None) -> str:
    logs = graph.node("LogSoftmax", scores, name="log_probabilities", axis=1)
    if rows.smoothed:
        parts = graph.node("Mul", logs, rows.shares, name="parts")
        losses = graph.node("Neg", reduce(graph, "ReduceSum", parts, [1], keepdims=False), name="losses")
    else:
        losses = graph.node("Neg", pick(graph, logs, rows.safe, rows.classes), name="losses")
        if rule.weight is not None and rows.weights is not None:
            losses = graph.node("Mul", losses, rows.weights, name="weighted_losses")
    if rows.counted is not None:
        losses = counted_only(graph, losses, rows.counted)
    if rule.reduction == "none":
        return losses
    summed = reduce(graph, "ReduceSum", losses, [0], keepdims=False, name="total")
    return summed if total is None else graph.node("Div", summed, total, name="loss")


def _score_gradient(graph: Graph, rows: _Rows, scores: str, dy: str | None, total: str | None) -> str:
    """(N, C): (Σ shares · p − shares) · dy."""
    p = graph.node("Softmax", scores, name="probabilities", axis=1)
    if rows.whole is not None:
        p = graph.node("Mul", p, rows.whole, name="weighted_probabilities")
    d = graph.node("Sub", p, rows.shares, name="slopes")
    if dy is not None:
        d = graph.node("Mul", d, unsqueeze(graph, dy, [1], name="dy_column"), name="scaled_slopes")
    if total is not None:
        d = graph.node("Div", d, total, name="mean_slopes")
    if rows.counted is None:
        return d
    column = unsqueeze(graph, rows.counted, [1], name="counted_rows")
    if graph.opset < 9:
        return graph.node("Mul", d, graph.cast(column, graph.compute), name="counted_slopes")
    return masked(graph, d, column, 0, name="counted_slopes")
