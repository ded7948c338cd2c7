"""What skl2onnx, or a library below it, trips over, mended beforehand on a copy of the estimator."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Converters = tuple[dict[type, Callable[..., None]] | None, dict[type, Any] | None]

MISSING = ""
"""What stands for a missing string in a model: ONNX's strings know no other."""


def mended(estimator: Any) -> Any:
    """Return an estimator that computes the same, and that its converter takes."""
    if type(estimator).__module__.startswith("xgboost"):
        return _without_names(estimator)
    statistics = getattr(estimator, "statistics_", None)
    if statistics is not None and getattr(statistics, "dtype", np.dtype(float)).kind == "O":
        return _with(estimator, missing_values=MISSING)
    categories = getattr(estimator, "categories_", None)
    if isinstance(categories, list) and any(_has_missing(array) for array in categories):
        return _with(estimator, categories_=[_without_missing(array) for array in categories])
    return estimator


def own_converters(estimator: Any) -> Converters:
    """
    Return converters and shapes of classes whose own converter fails, as `skl2onnx.convert_sklearn` takes them.

    That of HistGradientBoosting writes booleans and unsigned numbers where protobuf 7 takes plain integers alone.
    """
    ensemble: Any = sys.modules.get("sklearn.ensemble")
    if ensemble is None:
        return None, None
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter, get_shape_calculator

    functions: dict[type, Callable[..., None]] = {}
    shapes: dict[type, Any] = {}
    for name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        kind = getattr(ensemble, name)
        if alias := sklearn_operator_name_map.get(kind):
            functions[kind] = _plainly(get_converter(alias))
            shapes[kind] = get_shape_calculator(alias)
    return functions or None, shapes or None


def _plainly(convert: Callable[..., None]) -> Callable[..., None]:
    def converter(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _PlainContainer(container))

    return converter


class _PlainContainer:
    """A container of skl2onnx that takes any integers as attributes."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *args: Any, **attributes: Any) -> Any:
        """Add a node with plain integers in its lists."""
        plain = {name: _plain(value) for name, value in attributes.items()}
        return self._container.add_node(*args, **plain)


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [int(x) if isinstance(x, bool | np.bool_ | np.integer) else x for x in value]


def _with(estimator: Any, **attributes: Any) -> Any:
    changed = copy.copy(estimator)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed


def _without_names(estimator: Any) -> Any:
    """Return an estimator of XGBoost without names of features, of which onnxmltools takes f0, f1 … alone."""
    booster = estimator.get_booster()
    if booster.feature_names is None:
        return estimator
    nameless = booster.copy()
    nameless.feature_names = None
    return _with(estimator, _Booster=nameless)


def _has_missing(categories: Any) -> bool:
    return categories.dtype == object and any(value is None or value != value for value in categories)


def _without_missing(categories: Any) -> Any:
    if categories.dtype != object:
        return categories
    return np.array([MISSING if v is None or v != v else v for v in categories], object)
