"""The kernels of ai.onnx.ml: LinearClassifier and Normalizer."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import Outputs, compiled
from .linear import linear_model
from .normalizer import check_normalizer
from .products import product
from .row import Attributes, Inputs, Operator


def linear_classifier(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """A matrix product, in float32 for float32 and in float64 for the others, and a transform."""
    x = inputs[0]
    assert x is not None
    model, matrix = linear_model(row.name, x, attributes)
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    with np.errstate(all="ignore"):
        scores = product(
            matrix.astype(dtype, copy=False),
            model.weight.T.astype(dtype, copy=False),
            model.intercept.astype(dtype, copy=False),
            (),
        )
        chosen = (scores[:, 0] > 0).astype(np.intp) if model.is_binary else scores.argmax(1)
        transformed = _transformed(scores, model.post_transform, model.is_binary)
        return model.labels[chosen], transformed.astype(np.float32, copy=False)


def normalizer(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """Each row divided by its maximum or norm, in float64."""
    x = inputs[0]
    assert x is not None
    norm = attributes["norm"]
    check_normalizer(row.name, x, norm)
    if not x.size:
        return (x.astype(np.float32),)
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        if norm == "MAX":
            divisor = wide.max(-1, keepdims=True)
        else:
            scale = np.abs(wide).max(-1, keepdims=True)  # lest the squares overflow
            wide = np.where(scale != 0, wide / scale, wide)
            size = np.abs(wide) if norm == "L1" else wide * wide
            divisor = size.sum(-1, keepdims=True)
            if norm == "L2":
                divisor = np.sqrt(divisor)
        return (np.where(divisor != 0, wide / divisor, wide).astype(np.float32),)


def _transformed(scores: NDArray[Any], transform: str, is_binary: bool) -> NDArray[Any]:
    if is_binary:
        scores = np.hstack([-scores if transform == "LOGISTIC" else 1 - scores, scores])
    if transform == "LOGISTIC":
        return np.asarray(compiled().sigmoid(scores))
    if transform == "PROBIT":
        return _normal_quantile(scores)
    if is_binary or transform == "NONE":
        return scores
    mask = scores != 0 if transform == "SOFTMAX_ZERO" else None
    return np.asarray(compiled().softmax(scores, 1, where=mask))


def _normal_quantile(p: NDArray[Any]) -> NDArray[Any]:
    result = np.full(p.shape, np.nan)
    result[p == 0], result[p == 1] = -np.inf, np.inf
    inside = (p > 0) & (p < 1)
    quantile = NormalDist().inv_cdf
    result[inside] = [quantile(value) for value in p[inside].tolist()]
    return result
