"""Reductions over axes, at every version's meaning: summed in float64 and rounded once, integers as integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import Array
from .node import Implementation, Node, Operation

Reduced = Callable[[Array, tuple[int, ...] | None, bool], Any]

_AXES_ARE_AN_INPUT = 18
"""From this version on, of ReduceSum from 13 on."""


def reduction(reduced: Reduced, *, axes_are_an_input: int = _AXES_ARE_AN_INPUT) -> Implementation:
    """
    Return the implementation of a reduction ``reduced(x, axes, keepdims)``, whose axes None are all of them.

    No axes are all axes, or with ``noop_with_empty_axes`` none: then ``reduced`` is asked for ``axes=()``.
    """

    def implementation(node: Node) -> Operation:
        keeps = bool(node.attributes.get("keepdims", 1))
        otherwise = () if node.attributes.get("noop_with_empty_axes", 0) else None

        def run(x: Array, axes: Sequence[int] | Array | None = None) -> Array:
            chosen = otherwise if axes is None or not len(axes) else tuple(int(axis) for axis in axes)
            return np.asarray(reduced(x, chosen, keeps)).astype(x.dtype)

        if node.version >= axes_are_an_input:
            return Operation(run, fresh=True)
        given = node.attributes.get("axes")
        return Operation(lambda x: run(x, given), fresh=True)

    return implementation


def _wide(x: Array) -> Any:
    """What is summed in: float64 for floats, for integers the widest of their sign."""
    return {"i": np.int64, "u": np.uint64}.get(x.dtype.kind, np.float64)


def total(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Sum of the numbers; 0 of none."""
    return np.sum(x, axes, _wide(x), keepdims=keeps)


def product(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Product of the numbers; 1 of none."""
    return np.prod(x, axes, _wide(x), keepdims=keeps)


def mean(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Mean of the numbers, of integers cut off; NaN of none."""
    count = x.size if axes is None else int(np.prod([x.shape[axis] for axis in axes]))
    sums = np.sum(x, axes, _wide(x), keepdims=keeps)
    if sums.dtype.kind == "f":
        return sums / count
    return np.sign(sums) * (np.abs(sums) // max(count, 1))


def magnitudes(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Sum of the magnitudes."""
    return np.sum(np.abs(x), axes, _wide(x), keepdims=keeps)


def squares(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Sum of the squares."""
    return np.sum(np.square(x.astype(_wide(x))), axes, keepdims=keeps)


def norm(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Root of the sum of the squares."""
    return p_norm(x, axes, 2, keeps)


def p_norm(x: Array, axes: tuple[int, ...] | int | None, p: float, keeps: bool) -> Any:
    """In float64, of magnitudes by the largest of them, lest powers overflow or vanish."""
    size = np.abs(x.astype(np.float64))
    largest = np.max(size, axes, keepdims=True, initial=0)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1)
    root = np.sum((size / scale) ** p, axes, keepdims=True) ** (1 / p) * scale
    return root if keeps else np.squeeze(root, tuple(range(x.ndim)) if axes is None else axes)


def logarithm(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
    """Logarithm of the sum."""
    return np.log(np.sum(x, axes, np.float64, keepdims=keeps))


def extreme(ufunc: Any, *, largest: bool) -> Reduced:
    """The largest or smallest number; of none the lowest or highest that there is."""

    def reduced(x: Array, axes: tuple[int, ...] | None, keeps: bool) -> Any:
        return ufunc.reduce(x, axes, keepdims=keeps, initial=_furthest(x.dtype, largest=largest))

    return reduced


def _furthest(dtype: np.dtype[Any], *, largest: bool) -> Any:
    if dtype.kind == "b":
        return not largest
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return dtype.type(limits.min if largest else limits.max)
    return dtype.type(-np.inf if largest else np.inf)
