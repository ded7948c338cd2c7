"""StandardScaler and MinMaxScaler of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..builder.floats import as_floats
from ..builder.graph import Graph
from ..builder.steps import clip
from .sklearn_parts import fitted_array, kind_of


@dataclass(frozen=True)
class Scaler:
    """A fitted scaler: its class, its number of features if it says so, and how it is added to a graph."""

    kind: str
    features: int | None
    add: Callable[[Graph, str], str]


def read_scaler(estimator: Any) -> Scaler:
    """Return what a fitted scaler computes, by the same operations in the same order."""
    features = getattr(estimator, "n_features_in_", None)
    if hasattr(estimator, "data_min_") and hasattr(estimator, "min_"):
        return Scaler(kind_of(estimator), features, _min_max(estimator))
    if hasattr(estimator, "with_mean") and hasattr(estimator, "with_std") and hasattr(estimator, "scale_"):
        return Scaler(kind_of(estimator), features, _standard(estimator))
    if hasattr(estimator, "fit") and features is None:
        message = f"expected a fitted Pipeline (got {kind_of(estimator)} before fit); call fit(X, y) first"
        raise ValueError(message)
    message = (
        f"expected StandardScaler or MinMaxScaler in front of the classifier (got {kind_of(estimator)}); "
        "apply it before the model, or export the pipeline with skl2onnx"
    )
    raise TypeError(message)


def _standard(estimator: Any) -> Callable[[Graph, str], str]:
    mean = fitted_array(estimator, "mean_") if estimator.with_mean else None
    scale = fitted_array(estimator, "scale_") if estimator.with_std else None

    def add(graph: Graph, x: str) -> str:
        if mean is not None:
            x = graph.node("Sub", x, graph.weight("mean", mean), name="centered")
        if scale is not None:
            divisor = as_floats("scale_ of the scaler", scale, graph.dtype)
            if not divisor.all():  # then quotients would be infinite
                message = (
                    f"expected scale_ of the scaler above 0 in {graph.dtype} (got {scale.min()}, which rounds to 0); "
                    "choose a wider dtype"
                )
                raise ValueError(message)
            x = graph.node("Div", x, graph.weight("scale", divisor), name="scaled")
        return x

    return add


def _min_max(estimator: Any) -> Callable[[Graph, str], str]:
    scale, shift = fitted_array(estimator, "scale_"), fitted_array(estimator, "min_")

    def add(graph: Graph, x: str) -> str:
        x = graph.node("Mul", x, graph.weight("scale", scale), name="scaled")
        x = graph.node("Add", x, graph.weight("shift", shift), name="shifted")
        if getattr(estimator, "clip", False):
            x = clip(graph, x, *estimator.feature_range)
        return x

    return add
