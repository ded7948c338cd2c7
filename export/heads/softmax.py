"""Classifier heads: features → logits → label and probabilities, as plain tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal, Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.arguments import TEMPERATURE_KEY, check_bias, check_temperature, check_weight
from ..builder.choice import HeadOptions, read_choice, split_options
from ..builder.graph import Graph
from ..builder.options import Options, check_dtype, read_options
from ..builder.outputs import add_outputs
from ..builder.steps import linear

# Activation -> the scores it has, the one given by default first.
Activation = Literal["softmax", "log_softmax", "hardmax", "none"]
SCORES: dict[Activation, tuple[str, ...]] = {
    "softmax": ("probabilities", "log_probabilities", "logits"),
    "log_softmax": ("log_probabilities", "probabilities", "logits"),
    "hardmax": ("probabilities", "logits"),
    "none": ("logits",),
}


def classifier_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    activation: Activation = "softmax",
    temperature: ArrayLike | None = None,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build a linear classifier as an ONNX model.

    ``logits = features @ weight.T + bias``, ``probabilities = softmax(logits / temperature)`` along the
    classes and ``label = labels[argmax(logits / temperature)]``. With N rows, F features and C classes the
    model takes ``features`` (N, F) and gives those of these that ``outputs`` names, in its order:

    - ``label`` (N,), int64 or string;
    - ``probabilities``, ``log_probabilities``, ``logits`` (N, C);
    - ``top_k_values``, ``top_k_indices`` (int64), ``top_k_labels`` (N, k), best class first.

    All are tensors, never a sequence of maps unless ``zipmap`` asks for it. Label and order of the k best
    are taken from the logits: they do not depend on the activation, and two probabilities that round to the
    same number do not hide which logit was larger. Of equal logits the first class wins.

    The graph is ``Gemm`` (with the weight as it is given, ``transB=1``), the activation with ``axis=1``
    written out (for a matrix that is the last axis under the rule of every opset version) and ``ArgMax``;
    ``Gather`` looks the label up where labels are not simply 0 … C−1. The model is checked by
    ``onnx.checker`` with strict shape inference and by loading it in onnxruntime, its IR version is the
    lowest that the opset allows, and equal arguments give equal bytes.

    Parameters
    ----------
    weight
        (C, F), float32, float64, float16 or bfloat16, finite.
    bias
        (C,), finite; none by default.
    activation
        What the scores of the default outputs are: ``softmax`` and ``log_softmax`` (which both have all
        three scores), ``hardmax`` (1 for the winner, 0 for the others, as ``probabilities``) or ``none``
        (logits alone).
    temperature
        Positive: a number, or (C,) for one of each class; kept in the model's metadata under
        ``softops.temperature``. The output ``logits`` is not divided by it.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``)
        and `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``).

    Raises
    ------
    TypeError
        A dtype, a label or an option is of a type that is not taken.
    ValueError
        A shape, a number of labels or an opset that does not fit; a weight that is NaN or infinite, or
        overflows in ``dtype``; labels that repeat; an unknown activation or output; a temperature of 0.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32, temperature and threshold included, and rounded once at the outputs.
    The error bound is derived in ``docs/export.md``.

    Sources: ``ai.onnx@7::Gemm`` and later, ``ai.onnx@1::Softmax``, ``@11``, ``@13`` and its siblings,
    ``ai.onnx@1::ArgMax`` and later, ``ai.onnx@1::Gather`` and later.

    Examples
    --------
    >>> model = classifier_head(np.eye(3, dtype=np.float32), labels=["a", "b", "c"], top_k=2)
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities', 'top_k_values', 'top_k_indices', 'top_k_labels']
    """
    check_activation(activation)
    head, common = split_options(options)
    graph, logits, (classes, features) = start_linear("classifier_head", weight, bias, common)
    metadata = add_classifier(graph, logits, classes, head, activation=activation, temperature=temperature)
    text = f"Linear classifier: {features} features to {classes} classes, activation {activation}."
    return graph.finish(text, metadata)


def start_linear(
    name: str, weight: ArrayLike, bias: ArrayLike | None, options: Options
) -> tuple[Graph, str, tuple[int, int]]:
    """Return a graph with ``features`` (N, F), its logits (N, C), and (C, F)."""
    settings = read_options(options)
    matrix = check_weight(weight, settings.dtype)
    offset = check_bias(bias, matrix)
    classes, features = matrix.shape
    graph = Graph(name, settings, check_dtype(matrix.dtype, settings.opset))
    x = graph.input("features", [settings.batch, features])
    return graph, linear(graph, x, matrix, offset, name="logits"), (classes, features)


def scale(
    graph: Graph, logits: str, temperature: ArrayLike | None, classes: int
) -> tuple[str, dict[str, str]]:
    """Return the logits divided by the temperature, and what the model's metadata says about it."""
    if temperature is None:
        return logits, {}
    divisor = check_temperature(temperature, classes, graph.compute)
    scaled = graph.node("Div", logits, graph.number("temperature", divisor), name="scaled_logits")
    # By str, the shortest number that is the same in its dtype: 0.1, not 0.10000000149011612.
    numbers = [float(str(number)) for number in np.ravel(divisor)]
    return scaled, {TEMPERATURE_KEY: json.dumps(numbers if np.ndim(temperature) else numbers[0])}


def check_activation(activation: object) -> None:
    """Raise unless ``activation`` is one of `SCORES`."""
    if activation not in SCORES:
        message = f"expected an activation among {', '.join(SCORES)} (got {activation!r}); choose one"
        raise ValueError(message)


def add_classifier(
    graph: Graph,
    logits: str,
    classes: int,
    options: HeadOptions,
    *,
    activation: Activation,
    temperature: ArrayLike | None = None,
) -> dict[str, str]:
    """Add everything after the logits (N, C); return what the model's metadata says about it."""
    choice = read_choice(options, classes=classes, scores=SCORES[activation])
    scaled, metadata = scale(graph, logits, temperature, classes)

    def activated(op_type: str, name: str) -> Callable[[], str]:
        return lambda: graph.node(op_type, scaled, name=name, axis=1)

    made = {
        "probabilities": activated("Hardmax" if activation == "hardmax" else "Softmax", "probabilities"),
        "log_probabilities": activated("LogSoftmax", "log_probabilities"),
        "logits": lambda: logits,
    }
    add_outputs(
        graph, choice, {name: made[name] for name in SCORES[activation]}, lambda: scaled, classes=classes
    )
    return choice.metadata() | metadata
