"""
Rules of sums of products: the roundings of the products and of the partial sums.

What bilinear operators make of squared inputs is the sum of the squares of their terms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from .call import Call
from .precision import of_sum


def _finished(call: Call, of_terms: Array) -> Array:
    """A sum with the rounding of its result, where the sum itself is held in a wider dtype."""
    if call.precision.inside == call.precision.one:
        return of_terms
    return np.asarray(np.hypot(of_terms, call.alpha * np.abs(call.y)))


def _sum(call: Call, total: Array, squares: Array, terms: Array | float, *, in_order: bool = False) -> Array:
    return _finished(call, of_sum(total, squares, terms, call.precision.inside, in_order=in_order))


_PART = 2**24
"""Of larger matrices a part of the columns is squared at a time."""


def _product_of_squares(a: Array, b: Array) -> Array:
    """The squares of one matrix times those of another."""
    if b.ndim != 2 or b.size <= _PART:
        return np.asarray(np.matmul(a**2, b**2))
    width = max(1, _PART // b.shape[0])
    parts = [np.matmul(a**2, b[:, k : k + width] ** 2) for k in range(0, b.shape[1], width)]
    return np.concatenate(parts, axis=-1)


def matmul(call: Call) -> Array:
    """Rows times columns."""
    a, b = call.inputs
    return _sum(call, call.y, _product_of_squares(a, b), a.shape[-1])


def gemm(call: Call) -> Array:
    """A product, twice scaled, and a bias."""
    a, b, *rest = call.inputs
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    bias = beta * rest[0] if rest and rest[0] is not None else None
    turned_a = a.T if call.attribute("transA", 0) else a
    turned_b = b.T if call.attribute("transB", 0) else b
    product = call.y if bias is None else call.y - bias
    squares = alpha**2 * _product_of_squares(turned_a, turned_b)
    sigma = _sum(call, product, squares, turned_a.shape[1])
    if bias is not None:
        sigma = np.hypot(sigma, call.alpha * np.abs(call.y))
    return sigma if alpha == 1 else np.hypot(sigma, call.alpha * np.abs(product))


def convolution(call: Call) -> Array:
    """A sum over channels and kernel, and a bias."""
    x, w, *rest = call.inputs
    bias = rest[0] if rest else None
    groups = call.attribute("group", 1)
    deep = w.shape[1] if call.node.proto.op_type == "Conv" else w.shape[0] // groups
    terms = deep * int(np.prod(w.shape[2:], initial=1))
    squares = call.run(x**2, w**2)[0]
    shift = 0.0 if bias is None else bias.reshape(-1, *[1] * (call.y.ndim - 2))
    total = call.y - shift
    sigma = _sum(call, total, squares, _present(call, total, squares, terms), in_order=True)
    return sigma if bias is None else np.asarray(np.hypot(sigma, call.alpha * np.abs(call.y)))


def _present(call: Call, total: Array, squares: Array, terms: int) -> Array | float:
    """How many terms there are: at the borders of an image fewer, which matters where they are all alike."""
    if not np.any(total**2 > 0.9 * terms * squares):
        return terms
    counts: Array = call.run(*(np.ones_like(each) for each in call.inputs[:2]))[0]
    return np.maximum(counts, 1)


def einsum(call: Call) -> Array:
    """Products of all inputs, summed over the letters that the result has not."""
    equation = call.attribute("equation", "").replace(" ", "")
    squares = call.run(*(x**2 for x in call.inputs))[0]
    largest = max((x.size for x in call.inputs), default=1)
    kept = equation.split("->")[1] if "->" in equation else ""
    lengths: dict[str, int] = {}
    for letters, x in zip(equation.split("->")[0].split(","), call.inputs, strict=True):
        if "." not in letters:
            lengths.update(zip(letters, x.shape, strict=True))
    summed = int(np.prod([length for letter, length in lengths.items() if letter not in kept], initial=1))
    return _sum(call, call.y, squares, min(max(summed, 1), largest))


def _terms(call: Call) -> float:
    """How many numbers of the input each number of the result is made of."""
    return max(float(call.inputs[0].size / max(call.y.size, 1)), 1.0)


def _again(call: Call, x: Array) -> Array:
    made: Array = call.run(x, *call.inputs[1:])[0]
    return made


def reduce_sum(call: Call) -> Array:
    """A sum along axes."""
    sigma = _sum(call, call.y, _again(call, call.inputs[0] ** 2), _terms(call))
    return np.maximum(sigma, _drift(call, call.inputs[0], call.y))


def _drift(call: Call, x: Array, totals: Array) -> Array | float:
    """
    A third of what the sums are off by when they are added up one number after the other.

    Of numbers that are equal, or of a few kinds, every addition is rounded the same way, and the errors do not cancel.
    """
    axes = _summed_axes(x, totals)
    if axes is None or totals.ndim not in (x.ndim, x.ndim - len(axes)):
        return 0.0
    narrow = np.float32 if call.precision.inside > 2.0**-30 else np.float64
    rows = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(
        *[n for d, n in enumerate(x.shape) if d not in axes], -1
    )
    last = np.cumsum(rows.astype(narrow), -1, dtype=narrow)[..., -1]
    return np.asarray(np.abs(last - totals.reshape(last.shape)).reshape(totals.shape) / 3)


def _summed_axes(x: Array, totals: Array) -> tuple[int, ...] | None:
    """The axes that a reduction went over, as its result's shape tells; None where it does not."""
    if totals.ndim == x.ndim:
        axes = tuple(d for d in range(x.ndim) if x.shape[d] != totals.shape[d])
        return axes or None
    if totals.ndim == 0:
        return tuple(range(x.ndim))
    if totals.ndim == x.ndim - 1:
        found = [d for d in range(x.ndim) if x.shape[:d] + x.shape[d + 1 :] == totals.shape]
        return (found[0],) if len(found) == 1 else None
    return None


def mean(call: Call) -> Array:
    """A mean along axes, or of the windows of a pool, by its sum."""
    x, k = call.inputs[0], _terms(call)
    if call.node.proto.op_type == "AveragePool":
        k = float(np.prod(call.attribute("kernel_shape", [1])))
    sigma = _sum(call, call.y * k, _again(call, x**2) * k, k) / k
    if call.node.proto.op_type != "AveragePool":
        sigma = np.maximum(sigma, _drift(call, x, call.y * k) / k)
    return np.asarray(np.hypot(sigma, call.alpha * np.abs(call.y)))


def sum_of_squares(call: Call) -> Array:
    """A sum of squares along axes."""
    return _sum(call, call.y, _fourth_powers(call), _terms(call))


def norm(call: Call) -> Array:
    """A root of a sum of squares: half its relative error, and a rounding."""
    k, y = _terms(call), np.maximum(np.abs(call.y), np.finfo(np.float64).tiny)
    with np.errstate(all="ignore"):
        of_square = of_sum(call.y**2, _fourth_powers(call), k, call.precision.inside) / (2 * y)
    return np.asarray(np.hypot(np.nan_to_num(of_square), call.alpha * y))


def _fourth_powers(call: Call) -> Array:
    made = _again(call, call.inputs[0] ** 2)
    return made if call.node.proto.op_type == "ReduceSumSquare" else np.asarray(made**2)


def of_magnitudes(call: Call) -> Array:
    """A sum of magnitudes along axes."""
    return _sum(call, call.y, call.y**2 / np.maximum(_terms(call), 1), _terms(call))


def logarithm_of_sum(call: Call) -> Array:
    """The logarithm of a sum, of exponentials with the largest taken out or of numbers."""
    k = _terms(call)
    return np.asarray(call.alpha * np.sqrt(5 + k / 3 + 4 * np.log(k + 1) ** 2 + call.y**2))


def product(call: Call) -> Array:
    """A product along axes."""
    return np.asarray(call.alpha * np.sqrt(_terms(call)) * np.abs(call.y))


def cumulative(call: Call) -> Array:
    """Sums up to each number."""
    axis = int(np.asarray(call.inputs[1]).item())
    squares = _again(call, call.inputs[0] ** 2)
    return _sum(call, call.y, squares, max(call.y.shape[axis] / 2, 1))


RULES: dict[tuple[str, str], Any] = {
    ("", "MatMul"): matmul,
    ("", "Gemm"): gemm,
    **{("", name): convolution for name in ("Conv", "ConvTranspose")},
    ("", "Einsum"): einsum,
    ("", "ReduceSum"): reduce_sum,
    **{("", name): mean for name in ("ReduceMean", "AveragePool", "GlobalAveragePool")},
    ("", "ReduceSumSquare"): sum_of_squares,
    **{("", name): norm for name in ("ReduceL2", "GlobalLpPool", "LpPool")},
    ("", "ReduceL1"): of_magnitudes,
    **{("", name): logarithm_of_sum for name in ("ReduceLogSum", "ReduceLogSumExp")},
    ("", "ReduceProd"): product,
    ("", "CumSum"): cumulative,
}
