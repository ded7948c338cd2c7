"""A fitted classifier with what stands in front of it: what is ours, what a bridge converts, and how it is added."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bridges.conversion import Bridge
from ..builder.choice import Choice
from ..builder.graph import Graph
from ..builder.options import RESERVED
from ..builder.outputs import add_outputs
from ..builder.steps import squeeze
from ..errors import NotReadError
from .sklearn_bridged import read_bridged
from .sklearn_calibrated import read_calibrated
from .sklearn_front import add_front, joined
from .sklearn_inputs import Inputs, made_up, read_inputs
from .sklearn_linear import read_linear, read_one_vs_rest
from .sklearn_mlp import read_mlp
from .sklearn_parts import Classifier, Parts, Transformer, active_steps, check_fitted, kind_of
from .sklearn_scalers import read_scaler
from .sklearn_simple import read_dummy, read_nearest_centroid

CONVERTER_KEY = f"{RESERVED}converter"
"""Key of the model's metadata that says what was converted by which package."""

# From here on what a scaler subtracts takes more than 2^-14 of the scale with it in float32.
_CANCELS = 2.0**10
# So much of the scale may be lost without a warning.
_LOSS = 1e-3


@dataclass(frozen=True, kw_only=True)
class Build:
    """
    A classifier, read.

    Attributes
    ----------
    front
        The transformers in front of it.
    own
        These as ours, None where one of them is not.
    bridged
        Whether skl2onnx converts the classifier itself.
    """

    estimator: Any
    front: list[Any]
    own: list[Transformer] | None
    classifier: Classifier
    bridged: bool
    inputs: Inputs
    bridge: Bridge = field(default_factory=Bridge)

    @property
    def classes(self) -> NDArray[Any]:
        """The labels."""
        return self.classifier.classes

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores that it has, the one given by default first."""
        both = (("probabilities", self.classifier.probable), ("decision", self.classifier.decides))
        return tuple(name for name, has in both if has)

    @property
    def wants_check(self) -> bool:
        """Whether others wrote a part of it."""
        return self.bridged or self.own is None

    def made_up(self) -> Any:
        """Return rows to try it on where none were given; None where they cannot be made up."""
        return made_up(self.inputs, self.front)

    def converter(self) -> str:
        """Return what converted which part."""
        ours = f"softops {version('softops')}"
        if not self.bridge.used:
            return ours
        return f"{self.bridge.packages} ({', '.join(self.bridge.used)}), {ours}"

    def add(self, graph: Graph, choice: Choice, temperature: NDArray[Any] | None) -> None:
        """Add inputs, estimator and the outputs that were chosen."""
        parts = self.classifier.add(graph, self._features(graph))
        made: dict[str, Callable[[], str]] = {}
        classes = len(self.classes)
        if parts.probabilities is not None:
            made["probabilities"] = _tempered(graph, parts.probabilities, temperature)
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

    def warn_of_cancellation(self, dtype: np.dtype[Any], rows: Any) -> None:
        """Warn where a scaler loses much of float32 rows, unless it was seen on rows how much that matters."""
        lost = max((scaler.cancels for scaler in self.own or []), default=0.0) * 2.0**-24
        if dtype == np.float32 and rows is None and lost > _LOSS:
            message = (
                f"expected columns that float32 holds (got means so large that it takes up to {lost:.1e} of the "
                "scale); pass dtype='float64' and feed float64, or rows=X to be told what it changes"
            )
            warnings.warn(message, UserWarning, stacklevel=3)

    def _features(self, graph: Graph) -> str:
        """Add what stands in front; return the matrix that the classifier takes."""
        blocks = self.inputs.add(graph)
        if self.own is None or self.inputs.columns is not None or self.bridged:
            if self.front:
                blocks = add_front(graph, self.front, blocks, self.bridge)
            wide = self.bridged and self.bridge.wide
            return joined(graph, blocks, np.dtype(np.float64) if wide else graph.compute).tensor
        wide = graph.dtype == np.float32 and graph.opset >= 8 and any(t.cancels >= _CANCELS for t in self.own)
        x = graph.cast(blocks[0].tensor, np.float64) if wide else blocks[0].tensor
        for scaler in self.own:
            x = scaler.add(graph, x, wide)
        return graph.cast(x, graph.compute) if wide else x


def read_estimator(estimator: Any, rows: Any) -> Build:
    """Return a classifier and what stands in front of it."""
    front, last = _split(estimator)
    bridge = Bridge()
    try:
        classifier, bridged = _read_own(last), False
    except NotReadError:
        classifier, bridged = read_bridged(last, bridge), True
    own = _own_front(front)
    for scaler in own or []:
        if classifier.features is not None and scaler.features not in (None, classifier.features):
            message = (
                f"expected steps of as many features as the classifier's {classifier.features} (got "
                f"{scaler.features} in {scaler.kind}); fit the Pipeline as a whole"
            )
            raise ValueError(message)
    inputs = read_inputs(estimator, front, classifier.features, rows)
    return Build(
        estimator=estimator,
        front=front,
        own=own,
        classifier=classifier,
        bridged=bridged,
        inputs=inputs,
        bridge=bridge,
    )


def _split(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers, Pipelines among them taken apart, and the classifier."""
    if hasattr(estimator, "best_estimator_"):
        return _split(estimator.best_estimator_)
    if not hasattr(estimator, "steps"):
        return [], estimator
    steps = active_steps(estimator)
    if not steps:
        message = "expected a Pipeline that ends in a classifier (got one without steps); add a classifier"
        raise ValueError(message)
    front, last = _split(steps[-1])
    return [step for part in steps[:-1] for step in _flat(part)] + front, last


def _flat(step: Any) -> list[Any]:
    if not hasattr(step, "steps"):
        return [step]
    return [inner for part in active_steps(step) for inner in _flat(part)]


def _own_front(front: list[Any]) -> list[Transformer] | None:
    try:
        return [read_scaler(step) for step in front]
    except NotReadError:
        return None


def _read_whole(estimator: Any) -> Classifier:
    """Return what a fitted classifier with scalers in front computes, all of it ours."""
    front, last = _split(estimator)
    scalers, classifier = [read_scaler(step) for step in front], _read_own(last)

    def add(graph: Graph, x: str) -> Parts:
        for scaler in scalers:
            x = scaler.add(graph, x, False)
        return classifier.add(graph, x)

    return Classifier(
        classes=classifier.classes,
        features=classifier.features,
        probable=classifier.probable,
        decides=classifier.decides,
        add=add,
    )


def _read_own(estimator: Any) -> Classifier:
    """Return what a fitted classifier of ours computes."""
    check_fitted(estimator)
    if hasattr(estimator, "calibrated_classifiers_"):
        return read_calibrated(estimator, _read_whole)
    if hasattr(estimator, "estimators_") and hasattr(estimator, "label_binarizer_"):
        return read_one_vs_rest(estimator)
    if hasattr(estimator, "coefs_") and hasattr(estimator, "out_activation_"):
        return read_mlp(estimator)
    if all(hasattr(estimator, name) for name in ("coef_", "intercept_", "classes_")):
        return read_linear(estimator)
    if all(hasattr(estimator, name) for name in ("class_prior_", "strategy", "classes_")):
        return read_dummy(estimator)
    if all(hasattr(estimator, name) for name in ("centroids_", "within_class_std_dev_", "class_prior_")):
        return read_nearest_centroid(estimator)
    message = (
        f"expected a linear classifier, MLPClassifier or CalibratedClassifierCV (got {kind_of(estimator)})"
    )
    raise NotReadError(message)


def _tempered(
    graph: Graph, probabilities: Callable[[], str], temperature: NDArray[Any] | None
) -> Callable[[], str]:
    """Return how p^(1/T), divided by their sum, is added: the softmax of log(p) / T."""
    if temperature is None:
        return probabilities

    @cache
    def add() -> str:
        logs = graph.node("Log", probabilities(), name="log_probabilities")
        scaled = graph.node("Div", logs, graph.number("temperature", temperature), name="scaled_logarithms")
        return graph.node("Softmax", scaled, name="probabilities", axis=1)

    return add
