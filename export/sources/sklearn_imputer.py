"""SimpleImputer of scikit-learn, of numbers."""

from __future__ import annotations

import numpy as np

from ..builder.graph import Graph
from ..errors import NotReadError
from .sklearn_parts import Transformer, kind_of


def read_imputer(estimator: object) -> Transformer:
    """Return what a fitted SimpleImputer of numbers computes: the statistic of a column where it has NaN."""
    statistics = getattr(estimator, "statistics_", None)
    missing = getattr(estimator, "missing_values", None)
    indicator = getattr(estimator, "indicator_", None)
    if (
        not isinstance(statistics, np.ndarray)
        or not hasattr(estimator, "fill_value")
        or statistics.dtype.kind not in "fiu"
        or not np.isfinite(statistics).all()  # columns without a value are left out
        or not (isinstance(missing, float) and np.isnan(missing))
    ):
        message = f"expected SimpleImputer of numbers (got {kind_of(estimator)})"
        raise NotReadError(message)
    flagged = None if indicator is None else np.asarray(indicator.features_, np.int64)

    def add(graph: Graph, x: str, wide: bool) -> str:
        dtype = np.dtype(np.float64) if wide else graph.compute
        gone = graph.node("IsNaN", x, name="missing")
        statistic = graph.constant("statistics", statistics.astype(dtype))
        filled = graph.node("Where", gone, statistic, x, name="imputed")
        if flagged is None or not len(flagged):
            return filled
        flags = graph.node("Gather", gone, graph.constant("flagged", flagged), name="flags", axis=1)
        return graph.node("Concat", filled, graph.cast(flags, dtype), name="imputed_and_flags", axis=1)

    width = len(statistics)
    return Transformer(
        kind=kind_of(estimator),
        features=width,
        gives=width + (0 if flagged is None else len(flagged)),
        opset=9,  # which brought IsNaN and Where
        add=add,
    )
