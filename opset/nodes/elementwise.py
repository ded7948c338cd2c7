"""Arithmetic, number by number, at every version's meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import Array, same_dtype
from .node import Implementation, Node, Operation, same_for_all

NUMPY_BROADCASTING = 7
"""From this version on the operators of two inputs broadcast like NumPy; before, by attributes."""


def unary(ufunc: Callable[..., Any], *, keeps_dtype: bool = True) -> Implementation:
    """An operator of one input."""

    def run(x: Array) -> Array:
        return np.asarray(ufunc(x))  # of rank 0 NumPy gives a scalar

    def finish(x: Array) -> Array:
        return np.asarray(ufunc(x, out=x))

    return lambda _: Operation(run, fresh=True, finish=finish if keeps_dtype else None)


def relu(x: Array, out: Array | None = None) -> Any:
    """max(x, 0)."""
    return np.maximum(x, x.dtype.type(0), out=out)


def binary(ufunc: Callable[..., Any], *, keeps_dtype: bool = False) -> Implementation:
    """An operator of two inputs."""

    def run(a: Array, b: Array) -> Array:
        same_dtype(a, b)
        return np.asarray(ufunc(a, b))

    def into(a: Array, b: Array, out: Array) -> Array:
        same_dtype(a, b)
        other = b if out is a else a
        beyond = out.ndim - other.ndim
        if beyond < 0 or other.shape not in (out.shape[beyond:], (1,) * other.ndim):
            return np.asarray(ufunc(a, b))
        return np.asarray(ufunc(a, b, out=out))

    def implementation(node: Node) -> Operation:
        if node.version >= NUMPY_BROADCASTING:
            return Operation(run, fresh=True, into=into if keeps_dtype else None)
        return Operation(lambda a, b: run(a, _stretched(a, b, node.attributes)), fresh=True)

    return implementation


def _stretched(a: Array, b: Array, attributes: Mapping[str, Any]) -> Array:
    """The second input with the dimensions it lacks, where they belong before opset 7."""
    if not attributes.get("broadcast", 0):
        if a.shape != b.shape:
            message = f"without broadcast=1 both must have one shape, not {a.shape} and {b.shape}"
            raise ValueError(message)
        return b
    axis = attributes.get("axis")
    if axis is None or b.size == 1:
        return b if b.ndim <= a.ndim else b.reshape(())
    start = axis + a.ndim if axis < 0 else axis
    return b.reshape(b.shape + (1,) * (a.ndim - start - b.ndim))


def truncated_divide(a: Array, b: Array) -> Any:
    """Quotients; those of integers are cut off towards zero, as in C."""
    if a.dtype.kind not in "iu":
        return np.divide(a, b)
    quotient = np.floor_divide(a, b)
    towards_zero = (np.remainder(a, b) != 0) & ((a < 0) ^ (b < 0))
    return np.add(quotient, towards_zero.astype(quotient.dtype))


def power(node: Node) -> Operation | None:
    """The result has the dtype of the base; a power of integers that is none is cut off."""
    if node.version < NUMPY_BROADCASTING:
        return binary(np.power)(node)

    def run(base: Array, exponent: Array) -> Array:
        if exponent.size == 1 and exponent.ndim <= base.ndim and exponent.item() == 2:
            return np.square(base)
        are_integers = base.dtype.kind in "iu" and exponent.dtype.kind in "iu"
        if are_integers and (exponent < 0).any():
            exponent = exponent.astype(np.float64)
        return np.asarray(np.power(base, exponent)).astype(base.dtype)

    return Operation(run, fresh=True)


def prelu(node: Node) -> Operation:
    """A slope for each channel, or for all, before version 7; slopes that broadcast to x since."""

    def run(x: Array, slope: Array) -> Array:
        same_dtype(x, slope)
        if node.version < NUMPY_BROADCASTING and slope.ndim == 1 and slope.size > 1:
            slope = slope.reshape(-1, *[1] * (x.ndim - 2))
        return np.where(x < 0, x * np.broadcast_to(slope, x.shape), x)

    return Operation(run, fresh=True)


def extremum(ufunc: Callable[..., Any]) -> Implementation:
    """Max or Min; before version 8 all inputs have one shape, for which broadcasting says the same."""

    def run(first: Array, *others: Array) -> Array:
        result: Any = first if others else np.array(first)
        for other in others:
            same_dtype(first, other)
            result = ufunc(result, other)
        return np.asarray(result)

    return same_for_all(run)


def sum_of(*inputs: Array) -> Array:
    """The sum of all inputs, in float64, rounded once."""
    for other in inputs[1:]:
        same_dtype(inputs[0], other)
    total: Any = np.array(inputs[0], np.float64)
    for other in inputs[1:]:
        total = total + other
    return np.asarray(total).astype(inputs[0].dtype)


def mean_of(*inputs: Array) -> Array:
    """The mean of all inputs, in float64, rounded once."""
    return np.asarray(sum_of(*(x.astype(np.float64) for x in inputs)) / len(inputs)).astype(inputs[0].dtype)


def modulo(node: Node) -> Operation:
    """What remains of a division: with the divisor's sign as in Python, or with ``fmod`` the dividend's as in C."""
    remainder: Any = np.fmod if node.attributes.get("fmod", 0) else np.mod

    def run(a: Array, b: Array) -> Array:
        same_dtype(a, b)
        return np.asarray(remainder(a, b))

    return Operation(run, fresh=True)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Where the condition holds the first, else the second."""
    same_dtype(a, b)
    return np.where(condition, a, b)
