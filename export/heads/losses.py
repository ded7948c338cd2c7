"""The cross-entropy, for training graphs: as one operator or of plain ones, at any opset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Unpack, get_args

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.arguments import check_chosen
from ..builder.counts import check_axis, check_batch_name
from ..builder.graph import Graph, Shape
from ..builder.labels import LabelRule, Reduction, counted_labels, counted_only, ones, read_rule, row_weights
from ..builder.options import Options, check_dtype, read_options
from ..builder.rows import pick
from ..builder.steps import reduce

LossOutput = Literal["loss", "log_probabilities"]
LOSS_OUTPUTS: tuple[LossOutput, ...] = get_args(LossOutput)


def loss(
    classes: int,
    *,
    reduction: Reduction = "mean",
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    dims: Sequence[str | int] = (),
    outputs: Sequence[LossOutput] = ("loss",),
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
    onnxruntime runs the operator as the function that defines it, which takes no empty batch; its parts do
    (``decompose=True``). Halves are computed in float32 and rounded once at the outputs. A label out of range, other
    than ``ignore_index``, is refused by onnxruntime from opset 11 on; before, its loss is +inf.

    Sources: ``ai.onnx@12::SoftmaxCrossEntropyLoss``, ``ai.onnx@13::SoftmaxCrossEntropyLoss``.
    """
    settings = read_options(options)
    dtype = check_dtype(settings.dtype or np.float32, settings.opset)
    chosen = check_chosen("outputs", outputs, LOSS_OUTPUTS)
    graph = Graph("loss", settings, dtype)
    rule = read_rule(graph, classes, reduction, class_weight, ignore_index)
    axes = _check_dims(dims)
    for axis in axes:
        check_batch_name(settings.batch, dims=axis)
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


def _operator(
    graph: Graph, rule: LabelRule, logits: str, labels: str, axes: int, chosen: Sequence[str]
) -> dict[str, str]:
    weight = None if rule.weight is None else graph.number("class_weight", rule.weight)
    attributes: dict[str, Any] = {"reduction": rule.reduction}
    if rule.ignore_index is not None:
        attributes["ignore_index"] = rule.ignore_index
    names = ["loss", "log_probabilities"][: 1 + ("log_probabilities" in chosen)]
    made = graph.split("SoftmaxCrossEntropyLoss", logits, labels, weight, names=names, **attributes)
    return dict(zip(names, made, strict=True))


def _decomposed(
    graph: Graph, rule: LabelRule, logits: str, labels: str, axes: int, chosen: Sequence[str]
) -> dict[str, str]:
    """Rows of classes, whatever the axes: below opset 13 LogSoftmax of an inner axis is another function."""
    rows, flat = logits, labels
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

    counted, safe = counted_labels(graph, rule, flat)
    losses = graph.node("Neg", pick(graph, logs, safe, rule.classes), name="losses")
    weights = row_weights(graph, rule, counted, safe)
    if rule.weight is not None and weights is not None:
        losses = graph.node("Mul", losses, weights, name="weighted_losses")
    if counted is not None:
        losses = counted_only(graph, losses, counted)
    made = {}
    if rule.reduction == "none":
        shape = graph.node("Shape", labels, name="shape_of_labels") if axes else None
        made["loss"] = losses if shape is None else graph.node("Reshape", losses, shape, name="loss")
    else:
        made["loss"] = reduce(graph, "ReduceSum", losses, [0], keepdims=False, name="total")
    if rule.reduction == "mean":
        total = reduce(
            graph, "ReduceSum", weights or ones(graph, flat), [0], keepdims=False, name="total_weight"
        )
        made["loss"] = graph.node("Div", made["loss"], total, name="loss")
    if "log_probabilities" in chosen:
        made["log_probabilities"] = logs
        if axes:
            whole = graph.node("Reshape", logs, shape_of_moved, name="log_probabilities_last")
            back = [0, axes + 1, *range(1, axes + 1)]
            made["log_probabilities"] = graph.node("Transpose", whole, name="log_probabilities", perm=back)
    return made


def _check_dims(dims: object) -> list[str | int]:
    if isinstance(dims, str) or not isinstance(dims, Sequence):
        message = (
            f"expected dims as a list of names or lengths (got {dims!r}); pass for instance dims=['time']"
        )
        raise TypeError(message)
    return [check_axis("dims", dim) for dim in dims]
