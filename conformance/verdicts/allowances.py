"""
How far each element of a case's outputs may be from the exact value.

``strict`` bounds are derived here and in `softops.conformance.measure.bounds`, whose letters are used: u is the unit
roundoff, S(n) the roundings that a sum of n terms adds up to. They hold for the plain stable formula in the
dtype of the result, functions good to 2 ULP (4u), first order in u. float16 and bfloat16 are held to the
same in float32, and one rounding at the end, which is how runtimes compute them; a sum accumulated in half
precision is beyond them. Subnormal float16 are asked for; the other dtypes may flush theirs.

Softplus. y = max(x, 0) + log1p(exp(−|x|)): |y' − y| ≤ 12·u·y.

ReduceLogSumExp. y = m + log Σ exp(x − m): |y' − y| ≤ (6·ln n + S(n) + 8 + |y|)·u: the sum is off by
(ln n + S(n) + 4)·u, relatively, the logarithm by 4u of at most ln n, and the last sum is rounded. For integers
u is that of float64, and every integer that a value so near is cut off to is right; a value outside the
range of the dtype, of which ONNX leaves the conversion undefined, is not judged.

SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss. A loss is w·a, a known to within δ (of LogSoftmax; 0
for the second): δ·w + 2u·|w·a|. Their sum over N adds S(N)·u·Σ|w·a|, their mean divides both by Σ w and adds
two roundings and S(N), those of Σ w.

Attention. See `softops.conformance.verdicts.attention_allowance`.

LinearClassifier. Scores of k products: S(k + 1)·u·(Σ|x·c| + |b|), in float32, and as the
input of a Softmax or Sigmoid where one follows; the quantile of PROBIT passes an error g on as
g·√(2π)·exp(y²/2), with 16·u·|y| of its own. A label is right if no score is ahead by more than both may be off.

Normalizer. (S(n) + 8)·u·|y| in float32, to which inputs may have been rounded.

QLinearSoftmax, QLinearSigmoid. Half a step, and what float32 may be off by before it is rounded: the bound of
Softmax or Sigmoid in steps, and 4u of the value and of the zero point.

TopK, Hardmax and ArgMax are exact; Multinomial is judged by its frequencies.

``exact`` is what softops promises, see `softops.conformance.verdicts.promises`;
``onnx`` is the tolerance of ONNX's own tests, rtol 1e-3 (2^-6 for bfloat16) and atol 1e-7; ``webnn`` that of
the web platform tests for WebNN, in ULP: 3 n + 3 for Softmax, 2 n + 18 for ReduceLogSumExp, 18 for Softplus, 34
(float16: 10) for Sigmoid, and ``strict`` where they have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import operator
from softops.opset.operators.table import unquantized

from ..cases.build import Truth
from ..cases.case import Case
from ..measure.bounds import family_allowance, summed
from ..measure.ulp import Doubles, unit_roundoff
from .question import Question

Array = NDArray[Any]


def family(asked: Question, size: Doubles) -> Doubles:
    """Bound of Softmax, LogSoftmax, Hardmax and Sigmoid; ``size`` is the magnitude of the exact values."""
    return family_allowance(asked.row, asked.x, asked.exact.astype(np.longdouble), asked.case.axis)


def softplus(asked: Question, size: Doubles) -> Doubles:
    """Bound of Softplus."""
    tiny = float(np.finfo(np.float32 if asked.dtype.itemsize <= 4 else np.float64).tiny)
    flushed = (size < tiny) & ~np.isneginf(asked.x)
    return np.where(flushed, 2 * tiny, 12 * asked.u * size)


def log_sum(asked: Question, size: Doubles) -> Doubles:
    """Bound of ReduceLogSumExp."""
    reduced = max(asked.x.size // max(asked.exact.size, 1), 1)
    return np.asarray((6 * np.log(reduced) + summed(reduced) + 8 + size) * asked.u)


def loss(asked: Question, size: Doubles) -> Doubles:
    """Bound of the losses."""
    scores, labels, *rest = asked.truth.call.inputs
    assert scores is not None
    assert labels is not None
    cross_entropy = asked.case.op == "SoftmaxCrossEntropyLoss"
    softmax = operator("LogSoftmax", 13)
    given = np.zeros(scores.shape)
    if cross_entropy:
        logarithm = softmax.exact(scores, 1).astype(np.longdouble)
        given = family_allowance(softmax, asked.x, logarithm, 1)
        if asked.place == 1:
            return given
    terms = np.abs(asked.again(reduction="none")[0].astype(np.float64))
    weights = np.ones(scores.shape[1]) if not rest or rest[0] is None else rest[0].astype(np.float64)
    ignored = asked.truth.call.attributes.get("ignore_index")
    kept = np.ones(labels.shape, bool) if ignored is None else labels != ignored
    weight = np.where(kept, weights[np.where(kept, labels, 0)], 0)
    chosen = np.take_along_axis(given, np.expand_dims(np.where(kept, labels, 0), 1), 1).squeeze(1)
    each = weight * chosen + 2 * asked.u * terms
    reduction = asked.truth.call.attributes["reduction"]
    if reduction == "none":
        return np.asarray(each)
    total = each.sum() + summed(terms.size) * asked.u * terms.sum()
    if reduction == "mean":
        total = total / weight.sum() + (summed(terms.size) + 2) * asked.u * terms.sum() / weight.sum()
    return np.asarray(total)


def scores_of(case: Case, truth: Truth) -> tuple[Array, Doubles]:
    """Return the exact scores of a LinearClassifier, and how far they may be off."""
    call = truth.call
    x = call.inputs[0]
    assert x is not None
    coefficients = np.array(call.attributes["coefficients"], np.float32).reshape(-1, x.shape[-1])
    intercepts = np.array(call.attributes.get("intercepts", [0] * len(coefficients)), np.float32)
    wide = np.atleast_2d(x).astype(np.longdouble)  # one row may come without its axis
    exact = wide @ coefficients.T.astype(np.longdouble) + intercepts
    magnitude = np.abs(wide) @ np.abs(coefficients.T) + np.abs(intercepts)
    # One more rounding for inputs that are cast to float32 first.
    terms = summed(x.shape[-1] + 2)
    return exact, np.asarray(terms * unit_roundoff(np.dtype(np.float32)) * magnitude, np.float64)


def undecided_labels(case: Case, truth: Truth) -> NDArray[np.bool_]:
    """Return the rows of a LinearClassifier whose label rounding may change."""
    scores, allowed = scores_of(case, truth)
    if scores.shape[1] == 1:
        return np.asarray(np.abs(scores[:, 0]) <= allowed[:, 0])
    order = scores.argsort(axis=1)
    first, second = order[:, -1:], order[:, -2:-1]
    gap = np.take_along_axis(scores, first, 1) - np.take_along_axis(scores, second, 1)
    slack = np.take_along_axis(allowed, first, 1) + np.take_along_axis(allowed, second, 1)
    return np.asarray(((gap <= slack) & (gap > 0)).squeeze(1))


def linear_classifier(asked: Question, size: Doubles) -> Doubles:
    """Bound of LinearClassifier: its scores."""
    scores, g = scores_of(asked.case, asked.truth)
    u = unit_roundoff(np.dtype(np.float32))
    transform = asked.truth.call.attributes["post_transform"]
    if scores.shape[1] == 1:
        scores, g = np.hstack([scores, scores]), np.hstack([g, g]) + u
        if transform in ("SOFTMAX", "SOFTMAX_ZERO"):
            transform = "NONE"
    if transform in ("SOFTMAX", "SOFTMAX_ZERO"):
        near = scores.astype(np.float32)
        return family_allowance(operator("Softmax", 13), near, asked.exact.astype(np.longdouble), -1, g)
    if transform == "LOGISTIC":
        near = scores.astype(np.float32)
        return family_allowance(operator("Sigmoid", 13), near, asked.exact.astype(np.longdouble), None, g)
    if transform == "PROBIT":
        return np.asarray(g * np.sqrt(2 * np.pi) * np.exp(size**2 / 2) + 16 * u * size)
    return np.asarray(g + u * size)


def normalizer(asked: Question, size: Doubles) -> Doubles:
    """Bound of Normalizer."""
    u = unit_roundoff(np.dtype(np.float32))
    return np.asarray((summed(asked.x.shape[-1]) + 8) * u * size + float(np.finfo(np.float32).tiny))


def quantized(asked: Question, size: Doubles) -> Doubles:
    """Bound of QLinearSoftmax and QLinearSigmoid."""
    x, x_scale, x_zero, y_scale, y_zero = (
        None if value is None else value.astype(np.float64) for value in asked.truth.call.inputs
    )
    assert x is not None
    assert x_scale is not None
    assert y_scale is not None
    near = ((x - (0 if x_zero is None else x_zero)) * x_scale).astype(np.float32)
    attributes = asked.truth.call.attributes
    row = operator(unquantized(asked.case.op, asked.case.domain), attributes.get("opset", 13))
    axis = attributes.get("axis", -1) if row.axis_rule else None
    real = row.exact(near.astype(np.float32), axis).astype(np.longdouble)
    g = 2 * unit_roundoff(np.dtype(np.float32)) * np.abs(near.astype(np.float64))
    steps = family_allowance(row, near, real, axis, g) / y_scale
    zero = 0 if y_zero is None else np.abs(y_zero)
    return np.asarray(0.5 + steps + 4 * unit_roundoff(np.dtype(np.float32)) * (size + zero))
