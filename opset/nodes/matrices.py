"""Matrix products."""

from __future__ import annotations

import numpy as np

from ..operators.products import Finish, is_plain, product
from .arrays import HALVES, Array, same_dtype
from .node import Node, Operation


def matmul(a: Array, b: Array) -> Array:
    """Halves are multiplied and summed in float32, and rounded once."""
    same_dtype(a, b)
    if a.dtype in HALVES:
        return _matmul(a.astype(np.float32), b.astype(np.float32)).astype(a.dtype)
    return _matmul(a, b)


def _matmul(a: Array, b: Array) -> Array:
    if a.ndim > 2 == b.ndim and a.flags.c_contiguous and a.size:
        # NumPy would multiply each matrix of the batch by itself, which takes up to three times as long
        y: Array = np.matmul(a.reshape(-1, a.shape[-1]), b)
        return y.reshape(*a.shape[:-1], b.shape[1])
    return np.asarray(np.matmul(a, b))


def einsum(node: Node) -> Operation:
    """Sums of products as the equation says, floats in float64 and rounded once."""
    equation = node.attributes["equation"].replace(" ", "")

    def run(*inputs: Array) -> Array:
        dtype = inputs[0].dtype
        wide = [x.astype(np.float64) if dtype.kind not in "iu" else x for x in inputs]
        return np.array(np.einsum(equation, *wide, optimize=len(inputs) > 2)).astype(dtype)

    return Operation(run, fresh=True)


def gemm(node: Node) -> Operation:
    """alpha A' B' + beta C; before version 7 ``broadcast`` allows what NumPy does without asking."""
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    turn_a, turn_b = node.attributes.get("transA", 0), node.attributes.get("transB", 0)

    def multiplied(a: Array, b: Array) -> Array:
        if a.ndim != 2 or b.ndim != 2:
            message = f"both must be matrices, not of rank {a.ndim} and {b.ndim}"
            raise ValueError(message)
        y: Array = np.matmul(a.T if turn_a else a, b.T if turn_b else b)
        return y

    def scaled(a: Array, b: Array, c: Array | None = None) -> Array:
        same_dtype(a, b)
        if c is not None:
            same_dtype(a, c)
        half = a.dtype in HALVES
        y = multiplied(a.astype(np.float32), b.astype(np.float32)) if half else multiplied(a, b)
        if alpha != 1:
            y = (alpha * y).astype(y.dtype, copy=False)
        if c is not None:
            y += c if beta == 1 else (beta * c).astype(y.dtype, copy=False)
        return y.astype(a.dtype) if half else y

    if alpha != 1 or beta != 1:
        return Operation(scaled, fresh=True)

    def finished_by(*finishes: Finish) -> Operation:
        def run(a: Array, b: Array, c: Array | None = None) -> Array:
            if c is not None and is_plain(a, b, c):
                return product(a.T if turn_a else a, b.T if turn_b else b, c, finishes)
            y = scaled(a, b, c)
            for finish in finishes:
                y = finish(y)
            return y

        return Operation(run, fresh=True, followed_by=lambda finish: finished_by(*finishes, finish))

    return finished_by()
