"""What the readers of scikit-learn estimators have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..builder.floats import as_floats
from ..builder.graph import Graph
from ..builder.options import DTYPES
from ..builder.steps import reduce

Add = Callable[[], str]

_UNDERFLOW = -745.1332191019412
"""log(2**-1075): exp of this and of all below is 0 in float64, and so is scipy's expit."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """
    The tensors of a classifier, each added to the graph when it is asked for, and added once.

    Attributes
    ----------
    ranking
        (N, C), larger for better classes.
    index
        The index of the best class (N,), where it is not that of the largest of the ranking.
    decision
        (N, 1) for two classes, else (N, C).
    probabilities
        (N, C).
    """

    ranking: Add
    index: Add | None = None
    decision: Add | None = None
    probabilities: Add | None = None


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A fitted classifier: its labels, number of features (if it says), scores, and how it is added to a graph."""

    classes: NDArray[Any]
    features: int | None
    probable: bool
    decides: bool
    add: Callable[[Graph, str], Parts]


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """
    A fitted transformer of ours.

    Attributes
    ----------
    kind
        Its class.
    features, gives
        How many columns it takes and gives, None where it does not say.
    opset
        From which opset on it can be written in float64.
    cancels
        By how much what is subtracted exceeds what remains: so many roundings of the input are lost.
    add
        How it is added to a graph: in float64 where the last argument is True, else in the graph's dtype.
    """

    kind: str
    features: int | None
    gives: int | None
    opset: int
    add: Callable[[Graph, str, bool], str]
    cancels: float = 0.0


def is_step(step: Any) -> bool:
    """Whether a step of a Pipeline or ColumnTransformer does anything."""
    return step is not None and not (isinstance(step, str) and step == "passthrough")


def active_steps(pipeline: Any) -> list[Any]:
    """Return the steps of a Pipeline that do anything."""
    return [step for _, step in pipeline.steps if is_step(step)]


def check_fitted(estimator: Any) -> None:
    """Raise ValueError where an estimator was not fitted; scikit-learn says so itself where it is loaded."""
    fitted = not isinstance(estimator, type)
    validation: Any = sys.modules.get("sklearn.utils.validation")
    if fitted and validation is not None and hasattr(estimator, "__sklearn_tags__"):
        try:
            validation.check_is_fitted(estimator)
        except sys.modules["sklearn.exceptions"].NotFittedError:
            fitted = False
    elif fitted and hasattr(estimator, "fit"):
        fitted = any(name.endswith("_") and name[0] != "_" for name in getattr(estimator, "__dict__", {}))
    if not fitted:
        message = (
            f"expected a fitted estimator (got {kind_of(estimator)} before fit); call its fit(X, y) first"
        )
        raise ValueError(message)


def kind_of(estimator: Any) -> str:
    """Return the name of an estimator's class."""
    return str(getattr(estimator, "__name__", type(estimator).__name__))


def fitted_array(estimator: Any, name: str) -> NDArray[Any]:
    """Return a fitted attribute as a finite array of floats."""
    return checked(estimator, name, getattr(estimator, name))


def checked(estimator: Any, name: str, value: Any) -> NDArray[Any]:
    """Return ``value``, of the attribute ``name``, as a finite array of floats."""
    if hasattr(value, "toarray"):  # coefficients after sparsify()
        value = value.toarray()
    dtype = None if getattr(value, "dtype", None) in DTYPES else np.dtype(np.float64)
    return as_floats(f"{name} of {kind_of(estimator)}", value, dtype)


def class_labels(estimator: Any) -> NDArray[Any]:
    """Return ``classes_``, one-dimensional and at least two."""
    classes = estimator.classes_
    if isinstance(classes, list) or np.ndim(classes) != 1:
        message = (
            f"expected a classifier of one target (got {kind_of(estimator)} fitted on several); "
            "fit and export one for each, or call skl2onnx.to_onnx(model, X[:1], options={'zipmap': False}) and "
            "append_head(converted, 'probabilities', activation='none', top_k=1)"
        )
        raise ValueError(message)
    if len(classes) < 2:
        message = f"expected at least 2 classes (got {len(classes)}); fit {kind_of(estimator)} on more"
        raise ValueError(message)
    return np.asarray(classes)


def integers_of(classes: NDArray[Any]) -> NDArray[Any]:
    """Return class labels, of which True, False and whole numbers in floats are integers."""
    if classes.dtype.kind == "b":
        return classes.astype(np.int64)
    # As numbers of float64, all whole ones up to that size are different.
    if classes.dtype.kind == "f" and (classes == np.trunc(classes)).all() and (abs(classes) <= 2**53).all():
        return classes.astype(np.int64)
    return classes


def normalized_logistic(graph: Graph, logits: str, classes: int, *, uniform: bool) -> str:
    """Add 1 / (1 + exp(−logit)) of each of (N, C) divided by their sum.

    Where all of them underflow in float64, scikit-learn gives 1 / C each, or 0 where not ``uniform``. They
    underflow sooner in float32: so this is the softmax of their logarithms, −max(−logit, 0) − log(1 + exp(−|logit|)).
    """
    below = graph.node("Relu", graph.node("Neg", logits, name="negative_logits"), name="below_zero")
    power = graph.node("Exp", graph.node("Neg", graph.node("Abs", logits, name="distance")), name="power")
    tail = graph.node("Log", graph.node("Add", power, _one(graph), name="one_and_power"), name="tail")
    logarithms = graph.node("Neg", graph.node("Add", below, tail, name="surprise"), name="log_each")
    shares = graph.node("Softmax", logarithms, name="shares", axis=1)

    highest = reduce(graph, "ReduceMax", logits, [1], name="highest_logit")
    has_any = graph.node("Greater", highest, graph.number("underflow", _UNDERFLOW), name="has_any")
    kept = graph.cast(has_any, graph.compute, name="one_if_any")
    shares = graph.node("Mul", shares, kept, name="shares_if_any")
    if not uniform:
        return shares
    instead = graph.node("Sub", _one(graph), kept, name="one_if_none")
    instead = graph.node("Div", instead, graph.number("classes", classes), name="uniform_if_none")
    return graph.node("Add", shares, instead, name="probabilities")


def normalized(graph: Graph, scores: str, classes: int, *, uniform: bool) -> str:
    """Add scores (N, C) divided by their sum; where that is 0, 1 / C each, or 0 where not ``uniform``."""
    total = reduce(graph, "ReduceSum", scores, [1], name="sum_of_scores")
    zero = graph.shared("zero", np.zeros((), graph.compute))
    empty = graph.node("Not", graph.node("Greater", total, zero, name="has_scores"), name="has_none")
    # Added to numbers that are not 0 only where they all are: exact, and at every opset.
    ones = graph.cast(empty, graph.compute, name="one_if_none")
    if uniform:
        scores = graph.node("Add", scores, ones, name="scores_or_ones")
        ones = graph.node("Mul", ones, graph.number("classes", classes), name="classes_if_none")
    return graph.node("Div", scores, graph.node("Add", total, ones, name="divisor"), name="probabilities")


def _one(graph: Graph) -> str:
    return graph.shared("one", np.ones((), graph.compute))
