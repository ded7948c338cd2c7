"""LinearClassifier of ai.onnx.ml: a matrix product, a choice and a transform."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import classifiers
from .products import product
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import Attribute, Parameter

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
NUMBERS = ("float32", "float64", "int64", "int32")

_softmax, _sigmoid = numba_kernel("softmax"), numba_kernel("sigmoid")


def _by(chosen_and_scores: Callable[..., tuple[NDArray[np.intp], NDArray[Any]]]) -> Implementation:
    """Make an operator of ``chosen_and_scores(x, weight, intercept, post_transform)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x = inputs[0]
        if x.ndim not in (1, 2):
            message = f"{row.name} expected an input of shape (N, C) or (C,) (got {x.shape}); reshape it"
            raise ValueError(message)
        matrix = np.atleast_2d(x)
        weight, intercept, labels = _checked(row.name, matrix.shape[1], attributes)
        chosen, scores = chosen_and_scores(matrix, weight, intercept, attributes["post_transform"])
        return labels[chosen], scores

    return run


def _checked(
    name: str, features: int, attributes: Attributes
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
    """Return weight, intercept and labels; the scores are ``x @ weight.T + intercept``."""
    if attributes["post_transform"] not in POST_TRANSFORMS:
        message = (
            f"{name} expected a post_transform of {', '.join(POST_TRANSFORMS)} "
            f"(got {attributes['post_transform']!r}); choose one of these"
        )
        raise ValueError(message)
    integers, strings = attributes["classlabels_ints"], attributes["classlabels_strings"]
    if _given(integers) == _given(strings):
        message = (
            f"{name} expected one of classlabels_ints and classlabels_strings "
            f"(got {'both' if _given(strings) else 'neither'}); set one"
        )
        raise ValueError(message)
    labels = np.array(integers, np.int64) if _given(integers) else np.array(strings, object)
    coefficients = np.asarray(attributes["coefficients"], np.float32)
    intercept = np.asarray(attributes["intercepts"] if _given(attributes["intercepts"]) else [], np.float32)
    scores = intercept.size or (coefficients.size // features if features else len(labels))
    if coefficients.size != scores * features:
        message = (
            f"{name} expected coefficients for {scores} scores of {features} features, {scores * features} "
            f"in all (got {coefficients.size}); check the number of features"
        )
        raise ValueError(message)
    expected = 2 if scores == 1 else scores
    if len(labels) != expected:
        message = (
            f"{name} expected {expected} class labels for {scores} scores "
            f"(got {len(labels)}); name each class, both of a binary one"
        )
        raise ValueError(message)
    if not intercept.size:
        intercept = np.zeros(scores, np.float32)
    return coefficients.reshape(scores, features), intercept, labels


def _given(values: Any) -> bool:
    """Whether a list is there and holds anything."""
    return values is not None and len(values) > 0


def _kernel(
    x: NDArray[Any], weight: NDArray[Any], intercept: NDArray[Any], post_transform: str
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """In float32 for float32 and in float64 for the others."""
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    a, b, c = (array.astype(dtype, copy=False) for array in (x, weight.T, intercept))
    is_binary = len(weight) == 1
    with np.errstate(all="ignore"):
        scores = product(a, b, c, ())
        chosen = (scores[:, 0] > 0).astype(np.intp) if is_binary else scores.argmax(1)
        transform = _of_one_score if is_binary else transformed
        return chosen, transform(scores, post_transform).astype(np.float32, copy=False)


def _of_one_score(scores: NDArray[Any], transform: str) -> NDArray[Any]:
    """Of one score for two classes; a softmax changes nothing there."""
    both = np.hstack([-scores if transform == "LOGISTIC" else 1 - scores, scores])
    return transformed(both, transform if transform in ("LOGISTIC", "PROBIT") else "NONE")


def transformed(scores: NDArray[Any], transform: str) -> NDArray[Any]:
    """Return the scores of several classes, shape (N, C), after a ``post_transform`` of ai.onnx.ml."""
    if transform == "LOGISTIC":
        return np.asarray(_sigmoid(scores))
    if transform == "PROBIT":
        return _normal_quantile(scores)
    if transform == "NONE":
        return scores
    mask = scores != 0 if transform == "SOFTMAX_ZERO" else None
    return np.asarray(_softmax(scores, 1, where=mask))


def _normal_quantile(p: NDArray[Any]) -> NDArray[Any]:
    result = np.full(p.shape, np.nan)
    result[p == 0], result[p == 1] = -np.inf, np.inf
    inside = (p > 0) & (p < 1)
    quantile = NormalDist().inv_cdf
    result[inside] = [quantile(value) for value in p[inside].tolist()]
    return result


ROWS: tuple[Operator, ...] = (
    Operator(
        op_type="LinearClassifier",
        domain="ai.onnx.ml",
        since_version=1,
        axis_rule="single",
        default_axis=-1,
        types={"T1": NUMBERS, "T2": ("string", "int64")},
        inputs=(Parameter("X", "T1"),),
        outputs=(Parameter("Y", "T2"), Parameter("Z", "float32")),
        attributes={
            "classlabels_ints": Attribute("ints"),
            "classlabels_strings": Attribute("strings"),
            "coefficients": Attribute("floats", required=True),
            "intercepts": Attribute("floats"),
            "multi_class": Attribute("int", 0),
            "post_transform": Attribute("string", "NONE"),
        },
        kernel=_by(_kernel),
        reference=_by(classifiers.linear_classifier),
        notes=(
            "Label: that of the largest score, of equal ones the first, whatever the transform.",
            "One score s and two labels, of which ONNX does not speak, as onnxruntime: the second label where "
            "s > 0, and the scores [1 - s, s], for LOGISTIC [sigmoid(-s), sigmoid(s)]. SOFTMAX and SOFTMAX_ZERO "
            "change nothing there. PROBIT takes the quantile of both; onnxruntime leaves one of them unset.",
            "SOFTMAX_ZERO, which ONNX does not define: a score of 0 stays 0, the softmax is over the others. "
            "onnxruntime takes scores up to 1e-7 for 0, and gives NaN where all are.",
            "PROBIT, which ONNX does not define: the quantile of the standard normal distribution, NaN outside "
            "[0, 1]. onnxruntime and onnx.reference take an approximation with four right digits.",
            "multi_class changes nothing, as in onnxruntime. Without intercepts, which are optional and which "
            "onnxruntime asks for, they are 0.",
            "Inputs of float64 and of integers are computed in float64; onnxruntime casts them to float32 first.",
        ),
    ),
)
