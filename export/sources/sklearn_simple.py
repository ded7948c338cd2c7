"""DummyClassifier and NearestCentroid of scikit-learn, which skl2onnx has no converters for."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..builder.graph import Graph
from ..builder.steps import linear, slice_axis
from ..errors import NotReadError
from .sklearn_parts import Classifier, Parts, class_labels, fitted_array


def read_dummy(estimator: Any) -> Classifier:
    """Return what a DummyClassifier says of every row; its probabilities, whatever the features."""
    classes = class_labels(estimator)
    prior = fitted_array(estimator, "class_prior_")
    strategy = estimator.strategy
    if strategy == "prior":
        shares, best = prior, int(np.argmax(prior))
    elif strategy in ("most_frequent", "constant"):
        best = int(np.argmax(prior)) if strategy == "most_frequent" else _position(estimator, classes)
        shares = np.eye(len(classes))[best]
    else:
        message = (
            f"expected DummyClassifier with one answer (got strategy={strategy!r}, which draws at random); fit it "
            "with strategy='prior'"
        )
        raise ValueError(message)

    def add(graph: Graph, x: str) -> Parts:
        @cache
        def rows() -> str:
            shape = graph.node("Shape", x, name="shape_of_features")
            return slice_axis(graph, shape, 0, 0, 1, name="rows")

        @cache
        def probabilities() -> str:
            if graph.opset < 8:
                message = f"expected opset 8 or newer for DummyClassifier (got {graph.opset}); raise it"
                raise ValueError(message)
            one = graph.constant("prior", shares[np.newaxis].astype(graph.compute))
            ones = graph.constant("one_class", np.ones(1, np.int64))
            shape = graph.node("Concat", rows(), ones, name="rows_by_one", axis=0)
            return graph.node("Expand", one, shape, name="probabilities")

        return Parts(
            ranking=probabilities,
            index=lambda: graph.node(
                "Expand", graph.constant("best", np.array([best])), rows(), name="class_index"
            ),
            probabilities=probabilities,
        )

    features = getattr(estimator, "n_features_in_", None)
    return Classifier(classes=classes, features=features, probable=True, decides=False, add=add)


def _position(estimator: Any, classes: Any) -> int:
    return int(np.flatnonzero(classes == np.ravel(estimator.constant)[0])[0])


def read_nearest_centroid(estimator: Any) -> Classifier:
    """
    Return what NearestCentroid computes: the softmax of 2 log prior − Σ((x − c) / σ)² over its centroids c.

    What is the same for all c is left out: the scores are linear in x.
    With equal priors its label is that of the centroid that is nearest without σ.
    """
    classes = class_labels(estimator)
    if estimator.metric != "euclidean":
        message = f"expected NearestCentroid with metric='euclidean' (got {estimator.metric!r})"
        raise NotReadError(message)
    centroids = fitted_array(estimator, "centroids_")
    spread = fitted_array(estimator, "within_class_std_dev_")
    spread = np.where(spread == 0, 1, spread)
    prior = fitted_array(estimator, "class_prior_")
    middle = centroids.mean(0)  # taken from both, so that large means do not cancel
    centroids = centroids - middle
    scaled = centroids / spread
    bias = 2 * np.log(prior) - (scaled**2).sum(1)
    uniform = bool(np.isclose(prior, 1 / len(classes)).all())

    def add(graph: Graph, x: str) -> Parts:
        x = graph.node("Sub", x, graph.weight("middle", middle), name="from_middle")
        scores = linear(graph, x, 2 * scaled / spread, bias, name="scores")

        @cache
        def probabilities() -> str:
            return graph.node("Softmax", scores, name="probabilities", axis=1)

        def index() -> str:
            nearest = scores
            if uniform:
                nearest = linear(graph, x, 2 * centroids, -(centroids**2).sum(1), name="nearness")
            return graph.node("ArgMax", nearest, name="class_index", axis=1, keepdims=0)

        return Parts(ranking=lambda: scores, index=index, probabilities=probabilities)

    return Classifier(classes=classes, features=centroids.shape[1], probable=True, decides=False, add=add)
