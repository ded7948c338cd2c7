"""Rules of the classical operators: sums of products, of trees, of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from .call import Call
from .precision import of_sum


def _coefficients(call: Call, width: int) -> Array:
    return np.asarray(call.attribute("coefficients", [0.0] * width), np.float64).reshape(-1, width)


def _scores(call: Call, x: Array) -> tuple[Array, Array]:
    """Scores of a linear model, and the squares of their terms added up."""
    x = np.atleast_2d(np.asarray(x, np.float64))
    w = _coefficients(call, x.shape[-1])
    bias = np.asarray(call.attribute("intercepts", [0.0] * len(w)), np.float64)
    return x @ w.T + bias, x**2 @ (w**2).T + bias**2


def linear_regressor(call: Call) -> Array:
    """Sums of products and a bias."""
    scores, squares = _scores(call, call.inputs[0])
    sigma = of_sum(scores, squares, np.shape(call.inputs[0])[-1] + 1, call.alpha)
    return np.asarray(
        np.reshape(sigma, call.y.shape) if sigma.size == call.y.size else np.broadcast_to(sigma, call.y.shape)
    )


def linear_classifier(call: Call) -> list[Array | None]:
    """Scores are sums of products; probabilities move by no more than these and as those of a softmax do."""
    scores, squares = _scores(call, call.inputs[0])
    y = call.outputs[1]
    sigma = of_sum(scores, squares, np.shape(call.inputs[0])[-1] + 1, call.alpha)
    largest = sigma.max(-1, keepdims=True, initial=0)
    transform = call.attribute("post_transform", "NONE")
    if transform == "NONE":
        return [None, np.broadcast_to(np.hypot(largest, call.alpha * np.abs(y)), y.shape)]
    if transform == "LOGISTIC":
        return [None, np.hypot(largest * y * (1 - y), 2 * call.alpha)]
    size = np.abs(scores).max(-1, keepdims=True, initial=0)
    return [
        None,
        np.asarray(y * np.sqrt(2 * largest**2 + call.alpha**2 * (size**2 + 5 + scores.shape[-1] / 3))),
    ]


def trees(call: Call) -> list[Array | None]:
    """Sums of as many leaves as there are trees, in any order, of numbers as large as the result."""
    roots = call.attribute("nodes_treeids", None)
    count = (
        len(set(np.asarray(roots).tolist()))
        if roots is not None
        else np.size(call.attribute("tree_roots", [0]))
    )
    sigmas: list[Array | None] = []
    for y in call.outputs:
        is_score = isinstance(y, np.ndarray) and y.dtype == np.float64
        row = np.sqrt(np.mean(y**2, -1, keepdims=True)) if is_score and y.ndim else 0.0
        sigmas.append(call.alpha * np.sqrt(5 + count / 3) * np.maximum(np.abs(y), row) if is_score else None)
    return sigmas


def support_vectors(call: Call) -> list[Array | None]:
    """Sums over the support vectors of kernels that are sums themselves: as large as its coefficients."""
    terms = np.size(call.attribute("coefficients", [0.0]))
    coefficients = np.asarray(call.attribute("coefficients", [0.0]), np.float64)
    size = float(np.sqrt(np.sum(coefficients**2)))
    width = np.shape(call.inputs[0])[-1]
    sigmas: list[Array | None] = []
    for y in call.outputs:
        is_score = isinstance(y, np.ndarray) and y.dtype == np.float64
        sigma = call.alpha * np.sqrt(terms / 3 + width / 3 + 5) if is_score else 0.0
        sigmas.append(sigma * np.maximum(np.abs(y), min(size, 4.0)) if is_score else None)
    return sigmas


def quotient(call: Call) -> Array:
    """Normalizer and Scaler: a few roundings."""
    width = np.shape(call.inputs[0])[-1] if call.node.proto.op_type == "Normalizer" else 1
    return np.asarray(call.alpha * np.abs(call.y) * np.sqrt(3 + width / 3))


RULES: dict[tuple[str, str], Any] = {
    ("ai.onnx.ml", "LinearRegressor"): linear_regressor,
    ("ai.onnx.ml", "LinearClassifier"): linear_classifier,
    **{
        ("ai.onnx.ml", name): trees
        for name in ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
    },
    **{("ai.onnx.ml", name): support_vectors for name in ("SVMClassifier", "SVMRegressor")},
    **{("ai.onnx.ml", name): quotient for name in ("Normalizer", "Scaler")},
}
