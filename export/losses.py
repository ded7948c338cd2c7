"""Losses and gradients, for training graphs: plain operators of ONNX, at any opset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray

from .arguments import as_floats, check_chosen, check_count
from .graph import Graph, Shape
from .options import Options, check_dtype, read_options
from .rows import masked, one_hot, pick
from .steps import reduce, unsqueeze, where

LOSS_OUTPUTS = ("loss", "log_probabilities")

REDUCTIONS = ("mean", "sum", "none")

GRADIENTS = ("softmax", "log_softmax", "loss")


@dataclass(frozen=True)
class _Labels:
    """How labels count: the options of a loss after their checks."""

    classes: int
    reduction: str
    weight: NDArray[Any] | None
    ignore_index: int | None


def loss(
    classes: int,
    *,
    reduction: str = "mean",
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    dims: Sequence[str | int] = (),
    outputs: Sequence[str] = ("loss",),
    decompose: bool | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build the cross-entropy of logits and labels: ``-log(softmax(logits))[label]``, weighted and reduced.

    With N rows, C classes and further axes D the model takes ``logits`` (N, C, D…) and ``labels`` (N, D…),
    int64, and gives those of these that ``outputs`` names, in its order:

    - ``loss``: a scalar, or (N, D…) for the reduction ``none``;
    - ``log_probabilities`` (N, C, D…).

    Parameters
    ----------
    classes
        C.
    reduction
        ``mean``: the sum divided by the sum of the weights of the labels that count; NaN where none does.
        ``sum``, or ``none``.
    class_weight
        (C,), finite: what each label's loss is multiplied by.
    ignore_index
        A label that does not count, of any value.
    dims
        Names or lengths of the axes after the classes.
    outputs
        Which outputs, in which order.
    decompose
        Build the loss of LogSoftmax, GatherElements and sums instead of the operator
        SoftmaxCrossEntropyLoss, which came with opset 12; only before it by default.
    **options
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``); float32 by default.

    Raises
    ------
    TypeError
        A dtype or an option is of a type that is not taken.
    ValueError
        An unknown reduction or output; weights that are NaN, infinite or not one for each class; the operator
        at an opset that does not have it.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32 and rounded once at the outputs. A label out of range, other than
    ``ignore_index``, is refused by onnxruntime from opset 11 on; before, its loss is +inf.

    Sources: ``ai.onnx@12::SoftmaxCrossEntropyLoss``, ``ai.onnx@13::SoftmaxCrossEntropyLoss``.
    """
    settings = read_options(options)
    dtype = check_dtype(settings.dtype or np.float32, settings.opset)
    chosen = check_chosen("outputs", outputs, LOSS_OUTPUTS)
    graph = Graph("loss", settings, dtype)
    rule = _read_rule(graph, classes, reduction, class_weight, ignore_index)
    axes = _check_dims(dims)
    if decompose is None:
        decompose = settings.opset < 12
    if not decompose and settings.opset < 12:
        message = (
            f"expected opset 12 or newer for SoftmaxCrossEntropyLoss (got {settings.opset}); "
            "raise the opset, or pass decompose=True"
        )
        raise ValueError(message)

    batch = settings.batch
    logits = graph.input("logits", [batch, rule.classes, *axes])
    labels = graph.input("labels", [batch, *axes], np.int64)
    made = (_decomposed if decompose else _operator)(graph, rule, logits, labels, len(axes), chosen)
    shapes: dict[str, Shape] = {
        "loss": [batch, *axes] if rule.reduction == "none" else [],
        "log_probabilities": [batch, rule.classes, *axes],
    }
    for name in chosen:
        graph.output(name, made[name], shapes[name])
    return graph.finish(f"Cross-entropy over {rule.classes} classes, reduction {rule.reduction}.", {})


def gradient(
    of: str,
    classes: int,
    *,
    reduction: str = "mean",
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
    rule = _read_rule(graph, classes, reduction, class_weight, ignore_index)
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


def _loss_gradient(graph: Graph, rule: _Labels, shape: Shape) -> str:
    logits, labels = graph.input("logits", shape), graph.input("labels", shape[:1], np.int64)
    dy = graph.input("dy", shape[:1]) if rule.reduction == "none" else None
    chosen = graph.cast(one_hot(graph, labels, rule.classes), graph.compute)
    distance = graph.node("Sub", graph.node("Softmax", logits, name="probabilities", axis=1), chosen)
    counted, safe = _counted(graph, rule, labels)
    weights = _weights(graph, rule, counted, safe)
    if dy is not None:
        weights = dy if weights is None else graph.node("Mul", weights, dy)
    elif rule.reduction == "mean":
        weights = weights or _ones(graph, labels)
        weights = graph.node("Div", weights, reduce(graph, "ReduceSum", weights, [0], name="total_weight"))
    if weights is None:
        return distance
    dx = graph.node("Mul", distance, unsqueeze(graph, weights, [1], name="row_weights"), name="dx")
    if counted is None or graph.opset < 9:
        return dx
    # of a row that does not count nothing may come through, not even the NaN of its logits
    return masked(graph, dx, unsqueeze(graph, counted, [1], name="counted_rows"), 0, name="counted_dx")


def _operator(
    graph: Graph, rule: _Labels, logits: str, labels: str, axes: int, chosen: Sequence[str]
) -> dict[str, str]:
    weight = None if rule.weight is None else graph.number("class_weight", rule.weight)
    attributes: dict[str, Any] = {"reduction": rule.reduction}
    if rule.ignore_index is not None:
        attributes["ignore_index"] = rule.ignore_index
    names = ["loss", "log_probabilities"][: 1 + ("log_probabilities" in chosen)]
    made = graph.split("SoftmaxCrossEntropyLoss", logits, labels, weight, names=names, **attributes)
    return dict(zip(names, made, strict=True))


def _decomposed(
    graph: Graph, rule: _Labels, logits: str, labels: str, axes: int, chosen: Sequence[str]
) -> dict[str, str]:
    """Rows of classes, whatever the axes: below opset 13 LogSoftmax of an inner axis is another function."""
    rows, flat, original = logits, labels, labels
    moved = [0, *range(2, axes + 2), 1]
    shape_of_moved = ""
    if axes:
        last = graph.node("Transpose", logits, name="classes_last", perm=moved)
        shape_of_moved = graph.node("Shape", last, name="shape_of_logits")
        rows = graph.node("Reshape", last, graph.constant("rows", np.array([-1, rule.classes], np.int64)))
        flat = graph.node(
            "Reshape", labels, graph.constant("flat", np.array([-1], np.int64)), name="flat_labels"
        )
    logs = graph.node("LogSoftmax", rows, name="log_probabilities", axis=1)

    counted, safe = _counted(graph, rule, flat)
    losses = graph.node("Neg", pick(graph, logs, safe, rule.classes), name="losses")
    weights = _weights(graph, rule, counted, safe)
    if rule.weight is not None and weights is not None:
        losses = graph.node("Mul", losses, weights, name="weighted_losses")
    if counted is not None:
        losses = _counted_only(graph, losses, counted)
    made = {}
    if rule.reduction == "none":
        shape = graph.node("Shape", original, name="shape_of_labels") if axes else None
        made["loss"] = losses if shape is None else graph.node("Reshape", losses, shape, name="loss")
    else:
        made["loss"] = reduce(graph, "ReduceSum", losses, [0], keepdims=False, name="total")
    if rule.reduction == "mean":
        total = reduce(
            graph, "ReduceSum", weights or _ones(graph, flat), [0], keepdims=False, name="total_weight"
        )
        made["loss"] = graph.node("Div", made["loss"], total, name="loss")
    if "log_probabilities" in chosen:
        made["log_probabilities"] = logs
        if axes:
            whole = graph.node("Reshape", logs, shape_of_moved, name="log_probabilities_last")
            back = [0, axes + 1, *range(1, axes + 1)]
            made["log_probabilities"] = graph.node("Transpose", whole, name="log_probabilities", perm=back)
    return made


def _counted(graph: Graph, rule: _Labels, labels: str) -> tuple[str | None, str]:
    """Return which labels count, None for all, and the labels with a 0 for those that don't."""
    if rule.ignore_index is None:
        return None, labels
    ignored = graph.constant("ignore_index", np.array(rule.ignore_index, np.int64))
    zero = graph.constant("first_class", np.array(0, np.int64))
    skipped = graph.node("Equal", labels, ignored, name="skipped")
    return graph.node("Not", skipped, name="counted"), where(graph, skipped, zero, labels, name="safe_labels")


def _weights(graph: Graph, rule: _Labels, counted: str | None, safe: str) -> str | None:
    """Return the weight of each row; None where all are 1."""
    weights = None if counted is None else graph.cast(counted, graph.compute)
    if rule.weight is None:
        return weights
    table = graph.number("class_weight", rule.weight)
    own = graph.node("Gather", table, safe, name="label_weights", axis=0)
    return own if weights is None else graph.node("Mul", own, weights, name="weights")


def _counted_only(graph: Graph, losses: str, counted: str) -> str:
    if graph.opset >= 9:
        return masked(graph, losses, counted, 0, name="counted_losses")
    return graph.node("Mul", losses, graph.cast(counted, graph.compute), name="counted_losses")


def _ones(graph: Graph, labels: str) -> str:
    same = graph.node("Equal", labels, labels, name="every_row")
    return graph.cast(same, graph.compute, name="ones")


def _read_rule(
    graph: Graph, classes: object, reduction: object, class_weight: ArrayLike | None, ignore_index: object
) -> _Labels:
    count = check_count("classes", classes)
    if reduction not in REDUCTIONS:
        message = f"expected a reduction among {', '.join(REDUCTIONS)} (got {reduction!r}); choose one"
        raise ValueError(message)
    weight = None if class_weight is None else as_floats("class_weight", class_weight, graph.compute)
    if weight is not None and weight.shape != (count,):
        message = f"expected class_weight of shape ({count},), one for each class (got {weight.shape}); pass as many"
        raise ValueError(message)
    if ignore_index is not None:
        if isinstance(ignore_index, bool) or not isinstance(ignore_index, int | np.integer):
            message = f"expected ignore_index as an integer (got {ignore_index!r}); pass for instance -100"
            raise TypeError(message)
        if not -(2**63) <= ignore_index < 2**63:
            message = f"expected ignore_index within int64 (got {ignore_index}); pass for instance -100"
            raise ValueError(message)
        ignore_index = int(ignore_index)
    return _Labels(count, str(reduction), weight, ignore_index)


def _check_dims(dims: object) -> list[str | int]:
    if isinstance(dims, str) or not isinstance(dims, Sequence):
        message = (
            f"expected dims as a list of names or lengths (got {dims!r}); pass for instance dims=['time']"
        )
        raise TypeError(message)
    for dim in dims:
        if not (isinstance(dim, str) and dim) and (isinstance(dim, str) or check_count("an axis", dim) < 1):
            message = f"expected dims as names or lengths (got {dim!r}); pass for instance dims=['time']"
            raise ValueError(message)
    return [dim if isinstance(dim, str) else int(dim) for dim in dims]
