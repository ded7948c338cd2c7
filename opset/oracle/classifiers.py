"""The oracle's LinearClassifier and Normalizer, in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .elementwise import sigmoid
from .softmax import Extended, softmax


def linear_classifier(
    x: NDArray[Any], weight: NDArray[Any], intercept: NDArray[Any], post_transform: str
) -> tuple[NDArray[np.intp], Extended]:
    """
    The index of the largest score (of one score: whether it is above 0), and the scores transformed.

    Shapes (N, F), (C, F) and (C,); one score of weights stands for two classes.
    """
    with np.errstate(all="ignore"):
        scores = x.astype(np.longdouble) @ weight.T.astype(np.longdouble) + intercept
        if len(weight) > 1:
            return scores.argmax(1), _transformed(scores, post_transform)
        chosen = np.where(scores[:, 0] > 0, 1, 0)
        if post_transform == "LOGISTIC":
            return chosen, sigmoid(np.hstack([-scores, scores]))
        both = np.hstack([1 - scores, scores])
        return chosen, _normal_quantile(both) if post_transform == "PROBIT" else both


def normalizer(x: NDArray[Any], norm: str) -> Extended:
    """x / max x, x / sum |x| or x / sqrt sum x^2 over the last axis; x itself where that is 0."""
    wide = x.astype(np.longdouble)
    if not x.size:
        return wide
    with np.errstate(all="ignore"):
        if norm == "MAX":
            divisor = wide.max(-1, keepdims=True)
        elif norm == "L1":
            divisor = np.abs(wide).sum(-1, keepdims=True)
        else:
            divisor = np.sqrt((wide**2).sum(-1, keepdims=True))
        return np.where(divisor == 0, wide, wide / divisor)


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
