"""Linear classifiers of scikit-learn: one matrix product, and a rule that makes probabilities of it."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..builder.graph import Graph
from ..builder.steps import clip, linear
from ..errors import NotReadError
from ..heads.sigmoid import both_signs, pair_of_logistic, second_class
from .sklearn_parts import (
    Classifier,
    Parts,
    class_labels,
    fitted_array,
    kind_of,
    normalized,
    normalized_logistic,
)


class Rule(Enum):
    """How probabilities are made of a decision."""

    SOFTMAX = "softmax over the classes"
    PAIR = "softmax of the decision and its negative"
    LOGISTIC = "sigmoid of each, normalised"
    HUBER = "(clip(decision, -1, 1) + 1) / 2 of each, normalised"


def read_linear(estimator: Any) -> Classifier:
    """Return what an estimator with ``coef_``, ``intercept_`` and ``classes_`` computes."""
    if hasattr(estimator, "support_vectors_"):
        message = (
            f"expected a linear classifier (got {kind_of(estimator)}, which votes between pairs of classes); "
            "fit LinearSVC instead"
        )
        raise NotReadError(message)
    classes = class_labels(estimator)
    weight, bias = _weight_and_bias(estimator)
    rows = 1 if len(classes) == 2 else len(classes)
    if len(weight) != rows:
        message = (
            f"expected coef_ of {rows} rows for {len(classes)} classes (got {len(weight)}); "
            "fit on one target, of one label for each row"
        )
        raise ValueError(message)
    return _linear(classes, weight, bias, _rule(estimator, len(classes)), uniform=True)


def read_one_vs_rest(estimator: Any) -> Classifier:
    """Return what OneVsRestClassifier computes: one linear classifier of two classes for each label."""
    if estimator.label_binarizer_.y_type_ not in ("binary", "multiclass"):
        message = (
            "expected one label for each row (got OneVsRestClassifier fitted on several); "
            "pass its coefficients to multilabel_head"
        )
        raise ValueError(message)
    classes = class_labels(estimator)
    for part in estimator.estimators_:
        if not hasattr(part, "coef_"):
            message = (
                f"expected OneVsRestClassifier of linear classifiers (got one of {kind_of(part)}); "
                "fit it on a linear classifier, with every class in the data"
            )
            raise NotReadError(message)
    pairs = [_weight_and_bias(part) for part in estimator.estimators_]
    rule = _rule(estimator.estimators_[0], 2)
    if rule is Rule.PAIR:
        message = "expected LogisticRegression without multi_class='multinomial' in OneVsRestClassifier; leave it out"
        raise NotReadError(message)
    weight, bias = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return _linear(classes, weight, bias, rule, uniform=False)


def add_decision(
    graph: Graph, decision: str, classes: int, rule: Rule | None, *, uniform: bool = True
) -> Parts:
    """Return the parts of a classifier whose decision, (N, 1) for two classes or (N, C), is in the graph."""

    @cache
    def ranking() -> str:
        return both_signs(graph, decision) if classes == 2 else decision

    def index() -> str:
        return second_class(graph, decision, graph.shared("zero", np.zeros((), graph.compute)))

    @cache
    def probabilities() -> str:
        if rule in (Rule.SOFTMAX, Rule.PAIR):
            return graph.node("Softmax", ranking(), name="probabilities", axis=1)
        if rule is Rule.LOGISTIC and classes == 2:
            return pair_of_logistic(graph, decision)
        if rule is Rule.LOGISTIC:
            return normalized_logistic(graph, decision, classes, uniform=uniform)
        each = _huber(graph, ranking())
        return each if classes == 2 else normalized(graph, each, classes, uniform=uniform)

    return Parts(
        ranking=ranking,
        index=index if classes == 2 else None,
        decision=lambda: decision,
        probabilities=None if rule is None else probabilities,
    )


def _linear(
    classes: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any], rule: Rule | None, *, uniform: bool
) -> Classifier:
    def add(graph: Graph, x: str) -> Parts:
        decision = linear(graph, x, weight, bias, name="logits")
        return add_decision(graph, decision, len(classes), rule, uniform=uniform)

    return Classifier(
        classes=classes,
        features=weight.shape[1],
        probable=rule is not None,
        decides=True,
        add=add,
    )


def _weight_and_bias(estimator: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    weight = np.atleast_2d(fitted_array(estimator, "coef_"))
    bias = fitted_array(estimator, "intercept_")  # one number where there is none
    return weight, np.broadcast_to(bias, (len(weight),)).astype(weight.dtype)


def _rule(estimator: Any, classes: int) -> Rule | None:
    """Return the rule of ``predict_proba``; None where there is no such method."""
    if not hasattr(estimator, "predict_proba"):
        return None
    loss = getattr(estimator, "loss", None)
    if loss in ("log_loss", "modified_huber"):  # SGDClassifier
        return Rule.LOGISTIC if loss == "log_loss" else Rule.HUBER
    if hasattr(estimator, "xbar_") or hasattr(estimator, "covariance_"):  # LinearDiscriminantAnalysis
        return Rule.LOGISTIC if classes == 2 else Rule.SOFTMAX
    if not hasattr(estimator, "C") and not hasattr(estimator, "C_"):
        message = (
            f"expected the probabilities of LogisticRegression or SGDClassifier (got {kind_of(estimator)}, whose "
            "rule is not known here); export it with skl2onnx, or its coefficients with classifier_head"
        )
        raise NotReadError(message)
    # Before scikit-learn 1.8 LogisticRegression took multi_class, and liblinear stood for one-vs-rest.
    named = getattr(estimator, "multi_class", "auto")
    if named == "multinomial":
        return Rule.PAIR if classes == 2 else Rule.SOFTMAX
    if named == "ovr" or classes == 2 or getattr(estimator, "solver", None) == "liblinear":
        return Rule.LOGISTIC
    return Rule.SOFTMAX


def _huber(graph: Graph, decision: str) -> str:
    clipped = clip(graph, decision, -1, 1, name="clipped")
    one = graph.shared("one", np.ones((), graph.compute))
    raised = graph.node("Add", clipped, one, name="raised")
    return graph.node("Div", raised, graph.number("two", 2), name="each_probability")
