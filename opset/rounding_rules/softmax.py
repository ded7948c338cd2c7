"""
Rules of the softmax family.

Of probabilities: x - max is off by a rounding, and what that is off is off in its exponential; the exponential, the
quotient and the result add their roundings, and the sum of k exponentials its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..operators.table import operator
from .call import Call
from .precision import of_sum

_OWN = 5.0
"""Of an exponential (2 roundings) and a quotient, squared and added up."""


def _axes(call: Call) -> tuple[int, ...]:
    rank, version = call.inputs[0].ndim, call.node.version
    axis = call.attribute("axis", -1 if version >= 13 else 1)
    axis = axis + rank if axis < 0 else axis
    # before version 13 all axes from one on are one row
    return (axis,) if version >= 13 else tuple(range(axis, rank))


def _distance(x: Array, axes: tuple[int, ...]) -> Array:
    """How far each number lies below the largest of its row; 0 where that says nothing."""
    with np.errstate(invalid="ignore"):
        distance = x.max(axes, keepdims=True) - x
    return np.where(np.isfinite(distance), distance, 0)


def _length(x: Array, axes: tuple[int, ...]) -> int:
    return int(np.prod([x.shape[axis] for axis in axes], initial=1))


def softmax(call: Call) -> Array | None:
    """Probabilities."""
    x, axes = call.inputs[0], _axes(call)
    if not call.y.size:
        return None
    inside, terms = call.precision.inside, _length(x, axes)
    own = inside**2 * (_distance(x, axes) ** 2 + _OWN + terms / 3)
    return np.asarray(np.sqrt(own + _rounding_of_half(call)) * call.y)


def log_softmax(call: Call) -> Array | None:
    """Logarithms of probabilities."""
    if not call.y.size:
        return None
    x, axes = call.inputs[0], _axes(call)
    distance = _distance(x, axes)
    y = np.where(np.isfinite(call.y), call.y, 0)
    logarithm = np.abs(np.abs(y) - distance)
    # what the exponentials are off by counts as much as they are of the sum
    weight = np.sum(np.exp(y) * distance**2, axes, keepdims=True)
    own = distance**2 + 4 * logarithm**2 + weight + _OWN + _length(x, axes) / 3
    return np.asarray(np.sqrt(call.precision.inside**2 * (own + y**2) + _rounding_of_half(call) * y**2))


def _rounding_of_half(call: Call) -> float:
    return call.alpha**2 - call.precision.inside**2


def attention(call: Call) -> list[Array | None]:
    """
    Scores, probabilities and their products with the values.

    An error of a score moves the probabilities, and the result by p (v - y) times it. The scores are taken to be off by
    as much as a sum over the size of a head, the probabilities as those of a softmax.
    """
    node = call.node
    row = operator("Attention", node.version, node.proto.domain)
    inputs = [*call.inputs]
    attributes = {key: value for key, value in node.attributes.items() if key != "qk_matmul_output_mode"}

    def evaluated(given: list[Any], mode: int) -> Any:
        with np.errstate(all="ignore"):
            return row.evaluate(
                given, {**attributes, "qk_matmul_output_mode": mode}, outputs=4, rounded=False
            )

    scores = np.asarray(evaluated(inputs, 0)[3], np.float64)
    _, keys, values, p = (np.asarray(made, np.float64) for made in evaluated(inputs, 3))
    query = inputs[0]
    if query.ndim == 3:
        query = np.moveaxis(query.reshape(*query.shape[:2], node.attributes["q_num_heads"], -1), 2, 1)
    heads = query.shape[1] // keys.shape[1]
    wide_keys, wide_values = (np.repeat(each, heads, 1) for each in (keys, values))
    scale = call.attribute("scale", None) or query.shape[-1] ** -0.5
    squares = scale**2 * np.matmul(query**2, np.swapaxes(wide_keys, -1, -2) ** 2)
    alpha = call.precision.inside
    of_scores = of_sum(scores, squares, query.shape[-1], alpha) ** 2 + alpha**2 * scores**2
    p = np.nan_to_num(p)
    relative = of_scores + alpha**2 * (_distance(scores, (-1,)) ** 2 + _OWN + p.shape[-1] / 3)
    y = np.matmul(p, wide_values)
    weighted = p**2 * relative
    moved = (
        np.matmul(weighted, wide_values**2)
        - 2 * y * np.matmul(weighted, wide_values)
        + y**2 * weighted.sum(-1, keepdims=True)
    )
    summed = of_sum(y, np.matmul(p**2, wide_values**2), p.shape[-1], alpha) ** 2
    sigma = np.sqrt(np.maximum(moved, 0) + summed + call.alpha**2 * y**2)
    if call.y.ndim == 3:
        sigma = np.concatenate([sigma[:, head] for head in range(sigma.shape[1])], axis=2)
    others: list[Array | None] = [None] * (len(call.outputs) - 1)
    if len(call.outputs) > 3:
        mode = call.attribute("qk_matmul_output_mode", 0)
        others[2] = np.sqrt(of_scores) if mode != 3 else p * np.sqrt(relative)
    return [sigma, *others]


def cross_entropy(call: Call) -> list[Array | None]:
    """A loss is a log-softmax's element, or handed on, and a mean of such."""
    scores = call.inputs[0]
    size = float(np.sqrt(_OWN + scores.shape[1] / 3) + 4)
    sigma = call.alpha * (size + 2 * np.abs(call.y))
    if call.node.proto.op_type != "SoftmaxCrossEntropyLoss":
        terms = scores.size / scores.shape[1] if call.y.ndim == 0 else 1
        return [call.alpha * np.abs(call.y) * np.sqrt(1 + terms / 3)]
    others = [call.alpha * (size + 2 * np.abs(logs)) for logs in call.outputs[1:]]
    return [sigma, *others]


RULES: dict[tuple[str, str], Any] = {
    ("", "Softmax"): softmax,
    ("", "LogSoftmax"): log_softmax,
    ("", "Attention"): attention,
    **{("", name): cross_entropy for name in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")},
}
