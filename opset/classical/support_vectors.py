"""ai.onnx.ml's SVMClassifier and SVMRegressor, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from ..operators.linear_classifier import transformed
from .coupling import coupled
from .labels import class_labels
from .rows import matrix_of

Doubles = NDArray[np.float64]
Kernel = Callable[[Doubles, Doubles], Doubles]

_AT_A_TIME = 2**20
"""So many numbers of differences to support vectors are held at a time."""


def svm_classifier(node: Node) -> Operation | None:
    """
    A vote of all pairs of classes; the label is that with most votes, of several the first.

    Scores are probabilities where ``prob_a`` is given. Else there is one score for each pair, for two classes [-s, s].
    Not known here: one class alone, no support vectors, and a softmax or probit of one score, of which nobody says
    what they mean.
    """
    attributes = node.attributes
    labels = class_labels(attributes, node.label)
    transform = attributes.get("post_transform", "NONE")
    per_class = [int(n) for n in attributes.get("vectors_per_class") or []]
    is_pair = len(labels) == 2 and not attributes.get("prob_a")
    if (
        not sum(per_class)
        or len(per_class) != len(labels)
        or len(labels) < 2
        or (is_pair and transform not in ("NONE", "LOGISTIC"))
    ):
        return None
    kernel = _kernel(attributes)
    vectors = _doubles(attributes, "support_vectors").reshape(sum(per_class), -1)
    coefficients = _doubles(attributes, "coefficients").reshape(-1, len(vectors))
    offsets, slopes, shifts = (_doubles(attributes, name) for name in ("rho", "prob_a", "prob_b"))
    ends = np.cumsum([0, *per_class])
    parts = [slice(start, end) for start, end in itertools.pairwise(ends)]
    pairs = list(itertools.combinations(range(len(labels)), 2))

    def run(x: Array) -> tuple[Array, Array]:
        near = kernel(matrix_of(x).astype(np.float64), vectors)
        scores = np.empty((len(near), len(pairs)))
        votes = np.zeros((len(near), len(labels)), np.intp)
        for k, (i, j) in enumerate(pairs):
            own, other = near[:, parts[i]], near[:, parts[j]]
            scores[:, k] = (
                own @ coefficients[j - 1, parts[i]] + other @ coefficients[i, parts[j]] + offsets[k]
            )
            votes[:, i] += scores[:, k] > 0
            votes[:, j] += scores[:, k] <= 0
        chosen = votes.argmax(1)
        if slopes.size:
            scores = _probabilities(scores * slopes + shifts, pairs, len(labels))
        elif is_pair:
            scores = np.hstack([-scores, scores])
        return labels[chosen], transformed(scores, transform).astype(np.float32)

    return Operation(run, many=True, fresh=True)


def svm_regressor(node: Node) -> Operation | None:
    """A sum over the support vectors, or over the features where there are none; of one class 1 or -1."""
    if node.attributes.get("post_transform", "NONE") != "NONE":
        return None
    attributes = node.attributes
    supports = attributes.get("n_supports", 0)
    coefficients = _doubles(attributes, "coefficients")
    vectors = (
        _doubles(attributes, "support_vectors").reshape(supports, -1) if supports else coefficients[None]
    )
    kernel = _kernel(attributes if supports else {})
    weights = coefficients if supports else np.ones(1)
    offset = _doubles(attributes, "rho")[:1]
    one_class = bool(attributes.get("one_class", 0))

    def run(x: Array) -> Array:
        scores = (kernel(matrix_of(x).astype(np.float64), vectors) @ weights)[:, None] + offset
        if one_class:
            scores = np.where(scores > 0, 1, -1)
        return scores.astype(np.float32)

    return Operation(run, fresh=True)


def _doubles(attributes: Mapping[str, Any], name: str) -> Doubles:
    return np.array(attributes.get(name) or [], np.float32).astype(np.float64)


def _probabilities(exponents: Doubles, pairs: list[tuple[int, int]], classes: int) -> Doubles:
    """The probabilities of the classes; those of the pairs are 1 / (1 + exp of the exponents)."""
    first = 1 / (1 + np.exp(exponents))
    table = np.zeros((len(exponents), classes, classes))
    for k, (i, j) in enumerate(pairs):
        table[:, i, j], table[:, j, i] = first[:, k], 1 - first[:, k]
    return coupled(table)


def _kernel(attributes: Mapping[str, Any]) -> Kernel:
    """A function of rows (N, F) and support vectors (V, F) that gives (N, V)."""
    kind = attributes.get("kernel_type", "LINEAR")
    gamma, offset, degree = attributes.get("kernel_params") or (0, 0, 0)
    kernels: dict[str, Kernel] = {
        "LINEAR": lambda x, vectors: x @ vectors.T,
        "POLY": lambda x, vectors: (gamma * (x @ vectors.T) + offset) ** degree,
        "SIGMOID": lambda x, vectors: np.tanh(gamma * (x @ vectors.T) + offset),
        "RBF": lambda x, vectors: np.exp(-gamma * _squared_distances(x, vectors)),
    }
    if kind not in kernels:
        message = f"expected a kernel_type of {', '.join(kernels)} (got {kind!r})"
        raise ValueError(message)
    return kernels[kind]


def _squared_distances(x: Doubles, vectors: Doubles) -> Doubles:
    """From differences, as x x' - 2 x y' + y y' loses what they have in common."""
    distances = np.empty((len(x), len(vectors)))
    step = max(1, _AT_A_TIME // max(x.size, 1))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        distances[:, part] = np.sum((x[:, None] - vectors[None, part]) ** 2, -1)
    return distances
