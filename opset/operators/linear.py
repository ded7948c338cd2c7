"""The model inside a LinearClassifier: its attributes as matrices, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .row import Attributes

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


class LinearModel(NamedTuple):
    """``x @ weight.T + intercept`` are the scores; one score and two labels make a binary classifier."""

    weight: NDArray[np.float32]
    intercept: NDArray[np.float32]
    labels: NDArray[Any]
    post_transform: str

    @property
    def is_binary(self) -> bool:
        """Whether a single score decides between two labels."""
        return len(self.weight) == 1


def linear_model(name: str, x: NDArray[Any], attributes: Attributes) -> tuple[LinearModel, NDArray[Any]]:
    """
    Return the model and ``x`` as a matrix (batch, features).

    Raises
    ------
    ValueError
        The shapes, the labels or the transform do not fit together.
    """
    if x.ndim not in (1, 2):
        message = f"{name} expected an input of shape (N, C) or (C,) (got {x.shape}); reshape it"
        raise ValueError(message)
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
    matrix = np.atleast_2d(x)
    features = matrix.shape[1]
    coefficients = np.asarray(attributes["coefficients"], np.float32)
    intercept = np.asarray(attributes["intercepts"] if _given(attributes["intercepts"]) else [], np.float32)
    scores = intercept.size or (coefficients.size // features if features else len(labels))
    if coefficients.size != scores * features:
        message = (
            f"{name} expected coefficients for {scores} scores of {features} features, {scores * features} "
            f"in all (got {coefficients.size}); check the number of features"
        )
        raise ValueError(message)
    if len(labels) != (2 if scores == 1 else scores):
        message = (
            f"{name} expected {2 if scores == 1 else scores} class labels for {scores} scores "
            f"(got {len(labels)}); name each class, both of a binary one"
        )
        raise ValueError(message)
    if not intercept.size:
        intercept = np.zeros(scores, np.float32)
    weight = coefficients.reshape(scores, features)
    return LinearModel(weight, intercept, labels, attributes["post_transform"]), matrix


def _given(values: Any) -> bool:
    """Whether a list is there and holds anything."""
    return values is not None and len(values) > 0
