"""MLPClassifier of scikit-learn."""

from __future__ import annotations

from typing import Any

from ..builder.graph import Graph
from ..builder.steps import linear
from .sklearn_linear import Rule, add_decision
from .sklearn_parts import Classifier, Parts, checked, class_labels

_ACTIVATIONS = {"identity": None, "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def read_mlp(estimator: Any) -> Classifier:
    """Return what MLPClassifier computes; it has probabilities and no decision."""
    classes = class_labels(estimator)
    layers = [
        (checked(estimator, "coefs_", weight).T, checked(estimator, "intercepts_", bias))
        for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True)
    ]
    outputs = len(layers[-1][0])
    if outputs != (1 if len(classes) == 2 else len(classes)) or (
        estimator.out_activation_ != ("logistic" if outputs == 1 else "softmax")
    ):
        message = (
            f"expected MLPClassifier of one label for each row (got {outputs} outputs, "
            f"{estimator.out_activation_}, of {len(classes)} classes); fit on one target"
        )
        raise ValueError(message)
    if estimator.activation not in _ACTIVATIONS:
        message = (
            f"expected an activation among {', '.join(_ACTIVATIONS)} (got {estimator.activation!r}); "
            "fit with one of these"
        )
        raise ValueError(message)
    operator = _ACTIVATIONS[estimator.activation]

    def add(graph: Graph, x: str) -> Parts:
        for i, (weight, bias) in enumerate(layers[:-1], 1):
            x = linear(graph, x, weight, bias, name=f"layer_{i}")
            if operator is not None:
                x = graph.node(operator, x, name=f"hidden_{i}")
        logits = linear(graph, x, *layers[-1], name="logits")
        rule = Rule.LOGISTIC if outputs == 1 else Rule.SOFTMAX
        parts = add_decision(graph, logits, len(classes), rule)
        return Parts(ranking=parts.ranking, index=parts.index, probabilities=parts.probabilities)

    return Classifier(
        classes=classes,
        features=layers[0][0].shape[1],
        probable=True,
        decides=False,
        add=add,
    )
