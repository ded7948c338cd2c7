"""Activation functions of networks, number by number: kernels, and others in float64, rounded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx

from ..graph.domains import schema_of
from .arrays import KERNEL_DTYPES, Array
from .node import Implementation, Node, Operation

_BOUNDS_ARE_INPUTS = 11
"""From this version on Clip takes its bounds as inputs."""

_BOUNDS_HAVE_DEFAULTS = 6
"""From this version on they are the furthest numbers of float32 where they are attributes, whatever the dtype."""


def activation(function: Callable[..., Any]) -> Implementation:
    """An operator ``function(x, **attributes)``: computed in float64 and rounded once."""

    def implementation(node: Node) -> Operation | None:
        given = _given(node)
        if given is None:
            return None
        return Operation(
            lambda x: np.asarray(function(x.astype(np.float64), **given)).astype(x.dtype), fresh=True
        )

    return implementation


def by_kernel(name: str) -> Implementation:
    """An operator that is a kernel of that name with the node's attributes; integers by way of float64."""

    def implementation(node: Node) -> Operation | None:
        given = _given(node)
        if given is None:
            return None
        from softops import numba_kernels

        options = {key: value.decode() if isinstance(value, bytes) else value for key, value in given.items()}
        kernel: Callable[..., Any] = getattr(numba_kernels, name)
        kernel = partial(kernel, **options) if options else kernel

        def run(x: Array) -> Array:
            if x.dtype in KERNEL_DTYPES:
                return np.asarray(kernel(x))
            return np.asarray(kernel(x.astype(np.float64))).astype(x.dtype)

        def finish(x: Array) -> Array:
            return np.asarray(kernel(x, out=x)) if x.dtype in KERNEL_DTYPES else run(x)

        return Operation(run, fresh=True, finish=finish)

    return implementation


def _given(node: Node) -> dict[str, Any] | None:
    """The node's attributes, with the defaults that the schema of its version has; None without a schema."""
    schema = schema_of(node.proto.op_type, node.version, node.proto.domain)
    if schema is None:
        return None
    given = {
        name: node.attributes.get(name, onnx.helper.get_attribute_value(attribute.default_value))
        for name, attribute in schema.attributes.items()
        if name in node.attributes or attribute.default_value.type
    }
    given.pop("consumed_inputs", None)  # said where memory could be used again
    return given


def leaky_relu(x: Array, alpha: float) -> Any:
    """Source: ai.onnx@16::LeakyRelu."""
    return np.where(x < 0, alpha * x, x)


def softsign(x: Array) -> Any:
    """Source: ai.onnx@22::Softsign."""
    return x / (1 + np.abs(x))


def thresholded_relu(x: Array, alpha: float) -> Any:
    """Source: ai.onnx@22::ThresholdedRelu."""
    return np.where(x > alpha, x, np.where(np.isnan(x), x, 0))


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
