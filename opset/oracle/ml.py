"""The oracle's LinearClassifier and Normalizer, in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..operators.linear import linear_model
from ..operators.normalizer import check_normalizer
from ..operators.row import Attributes, Inputs, Operator
from .elementwise import sigmoid
from .normalizers import Extended, softmax

Outputs = tuple[NDArray[Any], ...]


def linear_classifier(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """The label of the largest score (of a score above 0), and the scores transformed."""
    x = inputs[0]
    assert x is not None
    model, matrix = linear_model(row.name, x, attributes)
    with np.errstate(all="ignore"):
        scores = matrix.astype(np.longdouble) @ model.weight.T.astype(np.longdouble) + model.intercept
        if not model.is_binary:
            return model.labels[scores.argmax(1)], _transformed(scores, model.post_transform)
        label = model.labels[np.where(scores[:, 0] > 0, 1, 0)]
        if model.post_transform == "LOGISTIC":
            return label, sigmoid(np.hstack([-scores, scores]))
        both = np.hstack([1 - scores, scores])
        return label, _normal_quantile(both) if model.post_transform == "PROBIT" else both


def normalizer(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """x / max x, x / sum |x| or x / sqrt sum x^2 over the last axis; x itself where that is 0."""
    x = inputs[0]
    assert x is not None
    check_normalizer(row.name, x, attributes["norm"])
    wide = x.astype(np.longdouble)
    if not x.size:
        return (wide,)
    with np.errstate(all="ignore"):
        if attributes["norm"] == "MAX":
            divisor = wide.max(-1, keepdims=True)
        elif attributes["norm"] == "L1":
            divisor = np.abs(wide).sum(-1, keepdims=True)
        else:
            divisor = np.sqrt((wide**2).sum(-1, keepdims=True))
        return (np.where(divisor == 0, wide, wide / divisor),)


def _transformed(scores: Extended, transform: str) -> NDArray[Any]:
    if transform == "SOFTMAX":
        return softmax(scores, 1)
    if transform == "LOGISTIC":
        return sigmoid(scores)
    if transform == "SOFTMAX_ZERO":
        result = np.zeros_like(scores)
        for row, values in zip(result, scores, strict=True):
            row[values != 0] = softmax(values[values != 0])
        return result
    return _normal_quantile(scores) if transform == "PROBIT" else scores


def _normal_quantile(p: Extended) -> Extended:
    """sqrt 2 erfinv(2 p - 1): NaN outside [0, 1]."""
    import mpmath

    result = np.full(p.shape, np.nan, np.longdouble)
    result[p == 0], result[p == 1] = -np.inf, np.inf
    with mpmath.workprec(400):
        for place in zip(*np.nonzero((p > 0) & (p < 1)), strict=True):
            exact = mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(str(p[place])) - 1)
            result[place] = np.longdouble(mpmath.nstr(exact, 40))
    return result
