"""What skl2onnx, or a library below it, trips over, mended beforehand on a copy of the estimator."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import numpy_helper

from ..builder.graph import ML

Converters = tuple[dict[type, Callable[..., None]] | None, dict[type, Any] | None]

_ML_WITH_TENSORS = 3
_NUMBERS = ("nodes_values", "nodes_hitrates", "class_weights", "target_weights", "base_values")

MISSING = ""
"""What stands for a missing string in a model: ONNX's strings know no other."""


def mended(estimator: Any, dtype: np.dtype[Any]) -> Any:
    """Return an estimator that computes the same for inputs of a dtype, and that its converter takes."""
    if (
        dtype == np.float32
        and hasattr(estimator, "_predictors")
        and hasattr(estimator, "_baseline_prediction")
    ):
        return _with(
            estimator, _predictors=[[_rounded_down(t) for t in trees] for trees in estimator._predictors]
        )
    if type(estimator).__module__.startswith("xgboost"):
        return _without_names(estimator)
    if getattr(estimator, "flatten_transform", False):  # of VotingClassifier; it changes transform alone
        return _with(estimator, flatten_transform=False)
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
            functions[kind] = plainly(get_converter(alias))
            shapes[kind] = get_shape_calculator(alias)
    return functions or None, shapes or None


def plainly(convert: Callable[..., None]) -> Callable[..., None]:
    """
    Return a converter whose nodes have plain integers, and trees the thresholds that its inputs need.

    Of inputs of float32, x ≤ t holds for the same x where t is rounded down; rounded to the nearest it may hold for
    one more. Inputs of float64 need t in float64, which ai.onnx.ml 3 has.
    """
    plain = getattr(convert, "_fct", convert)  # a registered converter takes no options of its function
    parameters = inspect.signature(plain).parameters

    def converter(scope: Any, operator: Any, container: Any) -> None:
        wide = type(operator.inputs[0].type).__name__ == "DoubleTensorType"
        newer = wide and container.target_opset_any_domain(ML) >= _ML_WITH_TENSORS
        # That of scikit-learn's trees rounds to float32 by itself where it is not told the version.
        options = {"op_version": _ML_WITH_TENSORS} if newer and "op_version" in parameters else {}
        plain(scope, operator, _PlainContainer(container, wide=newer), **options)

    return converter


class _PlainContainer:
    """A container of skl2onnx that takes any integers as attributes, and thresholds of float64."""

    def __init__(self, container: Any, *, wide: bool) -> None:
        self._container = container
        self._wide = wide

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: Any, *args: Any, **attributes: Any) -> Any:
        """Add a node as above."""
        plain = {name: _plain(value) for name, value in attributes.items()}
        if "nodes_values" in plain and self._wide:
            for name in _NUMBERS:
                if name in plain:
                    plain[f"{name}_as_tensor"] = numpy_helper.from_array(
                        np.asarray(plain.pop(name), np.float64)
                    )
            plain["op_version"] = _ML_WITH_TENSORS
        elif "nodes_values" in plain and set(plain["nodes_modes"]) <= {"BRANCH_LEQ", "LEAF"}:
            plain["nodes_values"] = _down(plain["nodes_values"]).tolist()
        return self._container.add_node(op_type, *args, **plain)


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [int(x) if isinstance(x, bool | np.bool_ | np.integer) else x for x in value]


def _rounded_down(tree: Any) -> Any:
    """Return a tree of HistGradientBoosting with thresholds that float32 holds."""
    nodes = tree.nodes.copy()
    nodes["num_threshold"] = _down(nodes["num_threshold"])
    return _with(tree, nodes=nodes)


def _down(thresholds: Any) -> Any:
    exact = np.asarray(thresholds, np.float64)
    near = exact.astype(np.float32)
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)


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
