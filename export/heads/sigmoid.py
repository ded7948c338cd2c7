"""Heads that end in a sigmoid: one logit for two classes, or one for each of several labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray

from ..builder.arguments import check_fractions
from ..builder.choice import THRESHOLD_KEY, read_choice
from ..builder.floats import as_array
from ..builder.graph import Graph
from ..builder.options import Options
from ..builder.outputs import add_outputs
from ..builder.steps import squeeze
from .softmax import scale, start_linear


def binary_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    labels: Sequence[str] | Sequence[int] | NDArray[Any] | None = None,
    columns: int = 2,
    threshold: float = 0.5,
    temperature: float | None = None,
    outputs: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build a linear classifier of two classes that has one logit.

    ``logits = features @ weight + bias``, ``p = 1 / (1 + exp(-logits / temperature))`` is the probability of
    the second class, which is the ``label`` where ``p > threshold``. With N rows and F features the model
    takes ``features`` (N, F) and gives those of these that ``outputs`` names, in its order:

    - ``label`` (N,), int64 or string;
    - ``probabilities`` (N, 2), of the first and of the second class, or (N, 1), of the second;
    - ``logits`` (N, 1).

    The first column is 1 / (1 + exp(logits / temperature)), not 1 − p: it keeps its digits where p is close to 1.
    The label compares the logit with log(threshold / (1 − threshold)): it is right where p rounds to the
    threshold, too. A NaN has the first label.

    Parameters
    ----------
    weight
        (F,) or (1, F), float32, float64, float16 or bfloat16, finite.
    bias
        A number or (1,), finite; none by default.
    labels
        Two different strings or integers, the negative class first; 0 and 1 by default. They are also kept
        in the model's metadata, under ``softops.labels``, as a JSON list.
    columns
        2 or 1: the columns of ``probabilities``.
    threshold
        Between 0 and 1; kept in the model's metadata under ``softops.threshold``.
    temperature
        Positive; kept in the model's metadata under ``softops.temperature``. ``logits`` is not divided by it.
    outputs
        Among ``label``, ``probabilities`` and ``logits``; the first two by default.
    **options
        `Options`: ``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``, ``metadata``,
        ``path``.

    Raises
    ------
    TypeError, ValueError, OSError
        As `classifier_head`.

    Notes
    -----
    Two columns are the softmax of ∓logits / 2 / temperature, one is ``Sigmoid``. Halves are computed in float32
    and rounded once at the outputs. Sources: ``ai.onnx@6::Sigmoid``, ``@13``, ``ai.onnx@1::Softmax``, ``@11``, ``@13``.
    """
    if columns not in (1, 2):
        message = f"expected 1 or 2 columns of probabilities (got {columns!r}); choose one of these"
        raise ValueError(message)
    choice = read_choice(
        {"labels": labels, "outputs": outputs}, classes=2, scores=("probabilities", "logits")
    )
    row = as_array("weight", weight)
    offset = None if bias is None else as_array("bias", bias)
    graph, logits, (rows, features) = start_linear(
        "binary_head",
        row[None] if row.ndim == 1 else row,
        offset if offset is None or offset.ndim else offset.reshape(1),
        options,
    )
    if rows != 1:
        message = (
            f"expected weight of one row, the second class's (got {rows} rows); "
            "pass their difference, or call classifier_head"
        )
        raise ValueError(message)
    scaled, scaling = scale(graph, logits, temperature, 1)
    cut, cutting = _cut(graph, threshold, 1)
    add_outputs(
        graph,
        choice,
        {
            "probabilities": lambda: (pair_of_logistic if columns == 2 else sigmoid)(graph, scaled),
            "logits": lambda: logits,
        },
        lambda: scaled,
        classes=2,
        index=lambda: second_class(graph, scaled, cut),
        widths={"probabilities": columns, "logits": 1},
    )
    text = f"Linear classifier of two classes: {features} features, one logit, sigmoid."
    return graph.finish(text, choice.metadata() | scaling | cutting)


def multilabel_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    labels: Sequence[str] | Sequence[int] | NDArray[Any] | None = None,
    threshold: ArrayLike = 0.5,
    temperature: ArrayLike | None = None,
    outputs: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build a linear model that says of each of several labels whether it applies.

    ``logits = features @ weight.T + bias``, ``probabilities = 1 / (1 + exp(-logits / temperature))`` of each
    label by itself, and ``label = probabilities > threshold``. With N rows, F features and C labels the
    model takes ``features`` (N, F) and gives those of these that ``outputs`` names, in its order:

    - ``label`` (N, C), int64: 1 where the label applies, 0 where it does not;
    - ``probabilities``, ``logits`` (N, C).

    As in `binary_head`, the label compares the logit, and is 0 where it is NaN.

    Parameters
    ----------
    weight
        (C, F), float32, float64, float16 or bfloat16, finite.
    bias
        (C,), finite; none by default.
    labels
        C different strings or integers that name the columns in the model's metadata, under
        ``softops.labels``, as a JSON list.
    threshold
        Between 0 and 1: a number, or (C,) for one of each label; kept in the model's metadata under
        ``softops.threshold``.
    temperature
        Positive: a number, or (C,); kept in the model's metadata under ``softops.temperature``. ``logits``
        is not divided by it.
    outputs
        Among ``label``, ``probabilities`` and ``logits``; the first two by default.
    **options
        `Options`: ``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``, ``metadata``,
        ``path``.

    Raises
    ------
    TypeError, ValueError, OSError
        As `classifier_head`.

    Notes
    -----
    Halves are computed in float32 and rounded once at the outputs. Sources: ``ai.onnx@6::Sigmoid``, ``@13``.
    """
    graph, logits, (classes, features) = start_linear("multilabel_head", weight, bias, options)
    choice = read_choice(
        {"labels": labels, "outputs": outputs}, classes=classes, scores=("probabilities", "logits")
    )
    scaled, scaling = scale(graph, logits, temperature, classes)
    cut, cutting = _cut(graph, threshold, classes)
    shape = [graph.settings.batch, classes]
    for name in choice.outputs:
        if name == "label":
            graph.output(name, exceeds(graph, scaled, cut), shape, np.int64)
        else:
            graph.output(name, logits if name == "logits" else sigmoid(graph, scaled), shape)
    text = f"Linear multilabel classifier: {features} features to {classes} labels, sigmoid."
    return graph.finish(text, choice.metadata() | scaling | cutting)


def sigmoid(graph: Graph, logits: str) -> str:
    """Add the probabilities, each of its logit."""
    return graph.node("Sigmoid", logits, name="probabilities")


def pair_of_logistic(graph: Graph, logit: str) -> str:
    """Add 1 / (1 + exp(logit)) and 1 / (1 + exp(−logit)), (N, 2), of a logit (N, 1).

    As the softmax of ∓logit / 2, which keeps its digits in both tails; some runtimes' Sigmoid does not.
    """
    half = graph.node("Mul", logit, graph.shared("half", np.asarray(0.5, graph.compute)), name="half_logit")
    return graph.node("Softmax", both_signs(graph, half), name="probabilities", axis=1)


def both_signs(graph: Graph, decision: str) -> str:
    """Add the decision (N, 1) for the first class, its negative, and for the second: (N, 2)."""
    return graph.node("Concat", graph.node("Neg", decision, name="negative"), decision, name="both", axis=1)


def second_class(graph: Graph, score: str, cut: str) -> str:
    """Add the index (N,): 1 where the score (N, 1) exceeds the cut, else 0."""
    return squeeze(graph, exceeds(graph, score, cut), [1], name="class_index")


def exceeds(graph: Graph, score: str, cut: str) -> str:
    """Add 1 where the score is larger than the cut, and 0 where it is not, as int64."""
    return graph.cast(graph.node("Greater", score, cut, name="exceeds"), np.int64)


def _cut(graph: Graph, threshold: ArrayLike, classes: int) -> tuple[str, dict[str, str]]:
    """Return the logit whose probability is the threshold, and what the model's metadata says about it."""
    fractions = check_fractions("threshold", threshold, classes)
    logits = np.log(fractions) - np.log1p(-fractions)
    entry = fractions.tolist() if np.ndim(threshold) else fractions.item()
    return graph.number("cut", logits), {THRESHOLD_KEY: json.dumps(entry)}
