"""StandardScaler and MinMaxScaler of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..builder.floats import as_floats
from ..builder.graph import Graph
from ..builder.steps import clip
from ..errors import NotReadError
from .sklearn_parts import Transformer, check_fitted, fitted_array, kind_of


def read_scaler(estimator: Any) -> Transformer:
    """Return what a fitted scaler computes, by the same operations in the same order."""
    check_fitted(estimator)
    if hasattr(estimator, "data_min_") and hasattr(estimator, "min_"):
        return _min_max(estimator)
    if hasattr(estimator, "with_mean") and hasattr(estimator, "with_std") and hasattr(estimator, "scale_"):
        return _standard(estimator)
    message = f"expected StandardScaler or MinMaxScaler in front of the classifier (got {kind_of(estimator)})"
    raise NotReadError(message)


def _standard(estimator: Any) -> Transformer:
    mean = fitted_array(estimator, "mean_") if estimator.with_mean else None
    scale = fitted_array(estimator, "scale_") if estimator.with_std else None

    def add(graph: Graph, x: str, wide: bool) -> str:
        if mean is not None:
            x = graph.node("Sub", x, _weight(graph, "mean", mean, wide), name="centered")
        if scale is not None:
            divisor = as_floats("scale_ of the scaler", scale, np.dtype(np.float64) if wide else graph.dtype)
            if not divisor.all():  # then quotients would be infinite
                message = (
                    f"expected scale_ of the scaler above 0 in {graph.dtype} (got {scale.min()}, which rounds to 0); "
                    "choose a wider dtype"
                )
                raise ValueError(message)
            x = graph.node("Div", x, _weight(graph, "scale", divisor, wide), name="scaled")
        return x

    cancels = (
        0.0 if mean is None else float(np.max(np.abs(mean / (1.0 if scale is None else scale)), initial=0))
    )
    return _scaler(estimator, add, cancels)


def _min_max(estimator: Any) -> Transformer:
    scale, shift = fitted_array(estimator, "scale_"), fitted_array(estimator, "min_")

    def add(graph: Graph, x: str, wide: bool) -> str:
        x = graph.node("Mul", x, _weight(graph, "scale", scale, wide), name="scaled")
        x = graph.node("Add", x, _weight(graph, "shift", shift, wide), name="shifted")
        if not getattr(estimator, "clip", False):
            return x
        if not wide:
            return clip(graph, x, *estimator.feature_range)
        low, high = (graph.constant("bound", np.asarray(b, np.float64)) for b in estimator.feature_range)
        return graph.node("Min", graph.node("Max", x, low, name="raised"), high, name="clipped")

    return _scaler(estimator, add, float(np.max(np.abs(shift), initial=0)))


def _scaler(estimator: Any, add: Any, cancels: float) -> Transformer:
    features = getattr(estimator, "n_features_in_", None)
    return Transformer(
        kind=kind_of(estimator), features=features, gives=features, cancels=cancels, opset=8, add=add
    )


def _weight(graph: Graph, name: str, value: NDArray[Any], wide: bool) -> str:
    return graph.constant(name, value.astype(np.float64)) if wide else graph.weight(name, value)
