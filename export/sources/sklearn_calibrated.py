"""CalibratedClassifierCV of scikit-learn: the mean of classifiers, each with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..builder.floats import as_floats
from ..builder.graph import Graph
from ..builder.steps import slice_axis
from ..errors import NotReadError
from ..heads.sigmoid import both_signs, pair_of_logistic
from .sklearn_parts import Add, Classifier, Parts, class_labels, normalized_logistic

_SMALL = 1e-12  # what scikit-learn adds to a probability before its logarithm


def read_calibrated(estimator: Any, read: Callable[[Any], Classifier]) -> Classifier:
    """Return what CalibratedClassifierCV computes; ``read`` reads the classifiers inside."""
    classes = class_labels(estimator)
    members = [_member(part, read, len(classes)) for part in estimator.calibrated_classifiers_]
    first = members[0][0]

    def add(graph: Graph, x: str) -> Parts:
        @cache
        def probabilities() -> str:
            total = ""
            for _, member in members:
                one = member(graph, x)
                total = graph.node("Add", total, one, name="sum_of_members") if total else one
            if len(members) == 1:
                return total
            return graph.node("Div", total, graph.number("members", len(members)), name="probabilities")

        return Parts(ranking=probabilities, probabilities=probabilities)

    return Classifier(classes=classes, features=first.features, probable=True, decides=False, add=add)


def _member(
    calibrated: Any, read: Callable[[Any], Classifier], classes: int
) -> tuple[Classifier, Callable[[Graph, str], str]]:
    """Return a classifier inside, and how its calibrated probabilities are added."""
    inner = read(calibrated.estimator)
    if len(inner.classes) != classes:
        message = (
            f"expected every class in every fold (got {len(inner.classes)} of {classes} in one); "
            "calibrate with stratified folds, or fewer of them"
        )
        raise ValueError(message)
    calibrators = calibrated.calibrators
    if all(hasattr(one, "a_") and hasattr(one, "b_") for one in calibrators):
        slope = as_floats("a_ of the calibration", [float(one.a_) for one in calibrators], None)
        shift = as_floats("b_ of the calibration", [float(one.b_) for one in calibrators], None)

        def add_sigmoid(graph: Graph, x: str) -> str:
            response = _response(graph, inner.add(graph, x), classes)
            sloped = graph.node("Mul", response, graph.number("slope", -slope), name="sloped")
            logits = graph.node("Sub", sloped, graph.number("offset", shift), name="calibrated_logits")
            if classes == 2:
                return pair_of_logistic(graph, logits)
            return normalized_logistic(graph, logits, classes, uniform=True)

        return inner, add_sigmoid
    if len(calibrators) == 1 and hasattr(calibrators[0], "beta_"):
        beta = as_floats("beta_ of the calibration", float(calibrators[0].beta_), None)

        def add_temperature(graph: Graph, x: str) -> str:
            logits = _logits(graph, inner.add(graph, x), classes)
            scaled = graph.node("Mul", logits, graph.number("beta", beta), name="tempered")
            return graph.node("Softmax", scaled, name="probabilities", axis=1)

        return inner, add_temperature
    message = (
        f"expected a calibration by sigmoid or temperature (got {getattr(calibrated, 'method', 'another')!r}); "
        "fit CalibratedClassifierCV with method='sigmoid' or 'temperature'"
    )
    raise NotReadError(message)


def _response(graph: Graph, parts: Parts, classes: int) -> str:
    """Return what is calibrated: the decision, or else the probabilities; (N, 1) for two classes."""
    if parts.decision is not None:
        return parts.decision()
    probabilities = _probabilities(parts)()
    return slice_axis(graph, probabilities, 1, 1, 2, name="second") if classes == 2 else probabilities


def _logits(graph: Graph, parts: Parts, classes: int) -> str:
    """Return what a temperature divides, (N, C)."""
    if parts.decision is not None:
        return both_signs(graph, parts.decision()) if classes == 2 else parts.decision()
    small = graph.shared("small", np.asarray(_SMALL, graph.compute))
    return graph.node("Log", graph.node("Add", _probabilities(parts)(), small, name="raised"), name="logits")


def _probabilities(parts: Parts) -> Add:
    assert parts.probabilities is not None  # a classifier has them where it has no decision
    return parts.probabilities
