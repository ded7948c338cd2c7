"""Fitted scikit-learn classifiers to ONNX; they are told apart by their attributes, scikit-learn is not imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
import onnx
from numpy.typing import NDArray

from ..builder.choice import HeadOptions, read_choice, split_options
from ..builder.graph import Graph
from ..builder.options import check_dtype, read_options
from ..builder.outputs import add_outputs
from ..builder.steps import squeeze
from .sklearn_calibrated import read_calibrated
from .sklearn_linear import read_linear, read_one_vs_rest
from .sklearn_mlp import read_mlp
from .sklearn_parts import Classifier, Parts, kind_of
from .sklearn_scalers import Scaler, read_scaler


def from_sklearn(estimator: Any, **options: Unpack[HeadOptions]) -> onnx.ModelProto:
    """
    Build the ONNX model of a fitted scikit-learn classifier.

    With N rows, F features and C classes the model takes ``features`` (N, F) and gives

    - ``label`` (N,), int64 or string: what ``predict`` says;
    - ``probabilities`` (N, C): what ``predict_proba`` says;
    - ``decision`` (N,) for two classes, else (N, C): what ``decision_function`` says, given by default where
      there is no ``predict_proba``;
    - ``top_k_values``, ``top_k_indices``, ``top_k_labels`` (N, k), where ``top_k`` is given.

    An estimator has what its scikit-learn counterpart has: LogisticRegression and LogisticRegressionCV (two
    classes, multinomial, one-vs-rest), OneVsRestClassifier of linear classifiers, SGDClassifier (probabilities
    for ``log_loss`` and ``modified_huber``), RidgeClassifier, LinearSVC, Perceptron (the decision),
    MLPClassifier (probabilities), CalibratedClassifierCV of any of these (``sigmoid`` and ``temperature``),
    a Pipeline that ends in one, with StandardScaler and MinMaxScaler in front, and GridSearchCV and its siblings,
    of which the best estimator is taken.

    Parameters
    ----------
    estimator
        The fitted classifier.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``) and
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``, ``metadata``,
        ``path``). Labels are those the estimator was fitted on, True and False as 1 and 0; the dtype is that
        of its coefficients, mostly float64.

    Raises
    ------
    TypeError
        It is no classifier of this list, has labels that are neither strings nor integers, or is calibrated
        by isotonic regression.
    ValueError
        It is not fitted, was fitted on several targets, or holds NaN or infinity; and as `classifier_head`.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Probabilities equal those of ``predict_proba`` up to the rounding of the matrix products in the dtype: a
    few ULP of 1 in float64, about 1e-6 in float32. The bound is derived in ``docs/export.md``, and
    ``tests/export/sources/test_sklearn.py`` holds it. Labels are equal wherever the margin exceeds it.
    """
    head, common = split_options(options)
    model = read_classifier(estimator)
    settings = read_options(common)
    classes = len(model.classes)
    scores = tuple(
        name for name, has in (("probabilities", model.probable), ("decision", model.decides)) if has
    )
    if head.get("labels") is None:
        head["labels"] = _labels(model.classes)
    choice = read_choice(head, classes=classes, scores=scores)
    dtype = check_dtype(model.dtype if settings.dtype is None else settings.dtype, settings.opset)

    graph = Graph("sklearn", settings, dtype)
    parts = model.add(graph, graph.input("features", [settings.batch, model.features]))
    made: dict[str, Callable[[], str]] = {}
    if parts.probabilities is not None:
        made["probabilities"] = parts.probabilities
    if parts.decision is not None:
        decision = parts.decision
        made["decision"] = lambda: (
            squeeze(graph, decision(), [1], name="decision") if classes == 2 else decision()
        )
    add_outputs(
        graph,
        choice,
        made,
        parts.ranking,
        classes=classes,
        index=parts.index,
        widths={"decision": 0} if classes == 2 else {},
    )
    text = f"{kind_of(estimator)} of scikit-learn: {model.features} features to {classes} classes."
    return graph.finish(text, choice.metadata())


def read_classifier(estimator: Any) -> Classifier:
    """Return what a fitted classifier computes."""
    if hasattr(estimator, "steps"):
        return _read_pipeline(estimator)
    if hasattr(estimator, "best_estimator_"):
        return read_classifier(estimator.best_estimator_)
    if hasattr(estimator, "calibrated_classifiers_"):
        return read_calibrated(estimator, read_classifier)
    if hasattr(estimator, "estimators_") and hasattr(estimator, "label_binarizer_"):
        return read_one_vs_rest(estimator)
    if hasattr(estimator, "coefs_") and hasattr(estimator, "out_activation_"):
        return read_mlp(estimator)
    if all(hasattr(estimator, name) for name in ("coef_", "intercept_", "classes_")):
        return read_linear(estimator)
    fitted = [name for name in getattr(estimator, "__dict__", {}) if name.endswith("_") and name[0] != "_"]
    if hasattr(estimator, "fit") and not fitted:
        message = (
            f"expected a fitted estimator (got {kind_of(estimator)} before fit); call its fit(X, y) first"
        )
        raise ValueError(message)
    message = (
        f"expected a linear classifier, MLPClassifier, CalibratedClassifierCV or a Pipeline that ends in one "
        f"(got {kind_of(estimator)}); export it with skl2onnx and append a head with softops.export"
    )
    raise TypeError(message)


def _read_pipeline(pipeline: Any) -> Classifier:
    steps = _active(pipeline)
    if not steps:
        message = "expected a Pipeline that ends in a classifier (got one without steps); add a classifier"
        raise ValueError(message)
    classifier = read_classifier(steps[-1])
    scalers = [scaler for front in steps[:-1] for scaler in _read_scalers(front)]
    for scaler in scalers:
        if scaler.features not in (None, classifier.features):
            message = (
                f"expected steps of as many features as the classifier's {classifier.features} (got "
                f"{scaler.features} in {scaler.kind}); fit the Pipeline as a whole"
            )
            raise ValueError(message)

    def add(graph: Graph, x: str) -> Parts:
        for scaler in scalers:
            x = scaler.add(graph, x)
        return classifier.add(graph, x)

    return dataclasses.replace(classifier, add=add)


def _read_scalers(estimator: Any) -> list[Scaler]:
    if hasattr(estimator, "steps"):
        return [scaler for step in _active(estimator) for scaler in _read_scalers(step)]
    return [read_scaler(estimator)]


def _active(pipeline: Any) -> list[Any]:
    return [step for _, step in pipeline.steps if step is not None and step != "passthrough"]


def _labels(classes: NDArray[Any]) -> NDArray[Any]:
    if classes.dtype.kind == "b":
        return classes.astype(np.int64)
    # As numbers of float64, all whole ones up to that size are different.
    if classes.dtype.kind == "f" and (classes == np.trunc(classes)).all() and (abs(classes) <= 2**53).all():
        return classes.astype(np.int64)
    return classes
