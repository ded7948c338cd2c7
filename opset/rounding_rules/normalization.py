"""Normalizations, step by step: mean, variance as the mean square less the square of the mean, root, quotient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Value
from .call import Call
from .rounder import Rounder, Stepwise

_BY_CHANNEL = 21


def _standardized(r: Rounder, x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    mean = r.mean(x, axes)
    # some runtimes take this way to the variance, and lose what mean and spread are apart
    square, of_mean = r.mean(r(x**2), axes), r(mean**2)
    variance = np.maximum(r(square - of_mean), 0)
    inverse = r(1 / r(np.sqrt(variance + epsilon)))
    return r(r(x - mean) * inverse), mean, inverse


def _scaled(r: Rounder, y: Array, scale: Array, bias: Array | None) -> Array:
    product = r(y * scale)
    return r.last(product if bias is None else product + bias)


def layer(call: Call, r: Rounder, inputs: Sequence[Value]) -> list[Value]:
    """LayerNormalization."""
    x, scale, *bias = inputs
    axes = tuple(range(call.attribute("axis", -1) % x.ndim, x.ndim))
    y, mean, inverse = _standardized(r, x, axes, call.attribute("epsilon", 1e-5))
    return [_scaled(r, y, scale, bias[0] if bias else None), mean, inverse]


def root_mean_square(call: Call, r: Rounder, inputs: Sequence[Value]) -> list[Value]:
    """RMSNormalization."""
    x, scale = inputs
    axes = tuple(range(call.attribute("axis", -1) % x.ndim, x.ndim))
    root = r(np.sqrt(r.mean(r(x**2), axes) + call.attribute("epsilon", 1e-5)))
    return [_scaled(r, r(x * r(1 / root)), scale, None)]


def instance(call: Call, r: Rounder, inputs: Sequence[Value]) -> list[Value]:
    """InstanceNormalization."""
    x, scale, bias = inputs
    y, _, _ = _standardized(r, x, tuple(range(2, x.ndim)), call.attribute("epsilon", 1e-5))
    shape = (-1, *[1] * (x.ndim - 2))
    return [_scaled(r, y, scale.reshape(shape), bias.reshape(shape))]


def group(call: Call, r: Rounder, inputs: Sequence[Value]) -> list[Value]:
    """GroupNormalization."""
    x, scale, bias = inputs
    groups = call.attribute("num_groups", 1)
    y, _, _ = _standardized(r, x.reshape(len(x), groups, -1), (2,), call.attribute("epsilon", 1e-5))
    y = y.reshape(len(x), groups if call.node.version < _BY_CHANNEL else x.shape[1], -1)
    return [_scaled(r, y, scale.reshape(-1, 1), bias.reshape(-1, 1)).reshape(x.shape)]


def batch(call: Call) -> Array | list[Array]:
    """BatchNormalization, by factors made beforehand or not."""
    x, scale, bias, mean, variance = call.inputs
    shape = (-1, *[1] * (x.ndim - 2)) if call.attribute("spatial", 1) else x.shape[1:]
    if call.attribute("training_mode", 0):
        axes = (0, *range(2, x.ndim))
        mean, variance = x.mean(axes), x.var(axes)
    slope = scale / np.sqrt(variance + call.attribute("epsilon", 1e-5))
    terms = call.y**2 + 2 * (x * slope.reshape(shape)) ** 2 + 2 * ((mean * slope) ** 2).reshape(shape)
    sigma = call.alpha * np.sqrt(terms + (bias**2).reshape(shape))
    return [sigma, *(3 * call.alpha * np.abs(other) for other in call.outputs[1:])]


def response(call: Call) -> Array:
    """LRN and LpNormalization: a quotient by a power of a sum of as many terms as are near."""
    terms = call.attribute("size", call.inputs[0].shape[call.attribute("axis", -1)])
    return np.asarray(call.alpha * np.abs(call.y) * np.sqrt(6 + terms / 3))


RULES: dict[tuple[str, str], Any] = {
    ("", "BatchNormalization"): batch,
    **{("", name): response for name in ("LRN", "LpNormalization")},
}

STEPWISE: dict[tuple[str, str], Stepwise] = {
    ("", "LayerNormalization"): layer,
    ("", "RMSNormalization"): root_mean_square,
    ("", "InstanceNormalization"): instance,
    ("", "GroupNormalization"): group,
}
