"""Activation functions of networks, number by number: computed in float64 and rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from ..graph.domains import schema_of
from .arrays import Array
from .elementwise import one_by_one
from .node import Implementation, Node, Operation

_BOUNDS_ARE_INPUTS = 11
"""From this version on Clip takes its bounds as inputs."""

_BOUNDS_HAVE_DEFAULTS = 6
"""From this version on they are the furthest numbers of float32 where they are attributes, whatever the dtype."""


def activation(function: Callable[..., Any]) -> Implementation:
    """An operator ``function(x, **attributes)``, with the defaults that the schema of the node's version has."""

    def implementation(node: Node) -> Operation | None:
        schema = schema_of(node.proto.op_type, node.version, node.proto.domain)
        if schema is None:
            return None
        given = {
            name: node.attributes.get(name, onnx.helper.get_attribute_value(attribute.default_value))
            for name, attribute in schema.attributes.items()
            if name in node.attributes or attribute.default_value.type
        }
        given.pop("consumed_inputs", None)  # said where memory could be used again
        return Operation(
            lambda x: np.asarray(function(x.astype(np.float64), **given)).astype(x.dtype), fresh=True
        )

    return implementation


def leaky_relu(x: Array, alpha: float) -> Any:
    """Source: ai.onnx@16::LeakyRelu."""
    return np.where(x < 0, alpha * x, x)


def elu(x: Array, alpha: float) -> Any:
    """Source: ai.onnx@22::Elu."""
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def selu(x: Array, alpha: float, gamma: float) -> Any:
    """Source: ai.onnx@22::Selu."""
    return gamma * np.where(x <= 0, alpha * np.expm1(np.minimum(x, 0)), x)


def celu(x: Array, alpha: float) -> Any:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Source: ai.onnx@28::Celu."""
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x / alpha, 0)))


def hard_sigmoid(x: Array, alpha: float, beta: float) -> Any:
    """Source: ai.onnx@22::HardSigmoid."""
    return np.clip(alpha * x + beta, 0, 1)


def hard_swish(x: Array) -> Any:
    """Source: ai.onnx@22::HardSwish."""
    return x * np.clip(x / 6 + 0.5, 0, 1)


def swish(x: Array, alpha: float) -> Any:
    """x / (1 + exp(-alpha x)). Source: ai.onnx@24::Swish."""
    return x / (1 + np.exp(-alpha * x))


def softsign(x: Array) -> Any:
    """Source: ai.onnx@22::Softsign."""
    return x / (1 + np.abs(x))


def thresholded_relu(x: Array, alpha: float) -> Any:
    """Source: ai.onnx@22::ThresholdedRelu."""
    return np.where(x > alpha, x, np.where(np.isnan(x), x, 0))


def gelu(x: Array, approximate: str | bytes) -> Any:
    """x Φ(x), or by a tanh that is near it. Source: ai.onnx@20::Gelu."""
    if approximate in ("tanh", b"tanh"):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * one_by_one(math.erfc, -x / np.sqrt(2))


def shrink(x: Array, lambd: float, bias: float) -> Any:
    """Source: ai.onnx@9::Shrink."""
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, np.where(np.isnan(x), x, 0)))


def clip(node: Node) -> Operation:
    """Bounds are attributes before version 11, and inputs since; the upper one wins where they cross."""

    def clipped(x: Array, low: Any = None, high: Any = None) -> Array:
        y = x if low is None else np.maximum(x, np.asarray(low).astype(x.dtype))
        y = y if high is None else np.minimum(y, np.asarray(high).astype(x.dtype))
        return np.array(y) if y is x else np.asarray(y)

    if node.version >= _BOUNDS_ARE_INPUTS:
        return Operation(clipped, fresh=True)
    furthest = float(np.finfo(np.float32).max) if node.version >= _BOUNDS_HAVE_DEFAULTS else None
    low = node.attributes.get("min", None if furthest is None else -furthest)
    high = node.attributes.get("max", furthest)
    return Operation(lambda x: clipped(x, low, high), fresh=True)


def is_infinite(node: Node) -> Operation:
    """Of either sign, or of one."""
    up, down = _flags(node.attributes, "detect_positive", "detect_negative")

    def run(x: Array) -> Array:
        wide = x.astype(np.float64)
        return np.asarray((np.isposinf(wide) & up) | (np.isneginf(wide) & down))

    return Operation(run, fresh=True)


def _flags(attributes: Mapping[str, Any], *names: str) -> list[bool]:
    return [bool(attributes.get(name, 1)) for name in names]
