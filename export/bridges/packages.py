"""The packages that convert: whether they are there, which versions, and what they have to be told first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from softops.opset.errors import raise_interrupt

from ..errors import MissingPackageError
from .mended import plainly

_BOOSTING = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}


def load_skl2onnx(kind: str) -> Any:
    """Return the module skl2onnx, which an estimator of that kind is converted by.

    Raises
    ------
    MissingPackageError
        It is not installed.
    """
    try:
        import skl2onnx
    except ImportError as error:
        raise_interrupt(error)
        message = (
            f"expected the package skl2onnx to convert {kind} (it is not installed); run `pip install "
            "'softops[sklearn]'` and the same call again, or where skl2onnx is installed `skl2onnx.to_onnx(model, "
            "X[:1], options={'zipmap': False})`, and here append_head(converted, 'probabilities', activation='none', "
            "top_k=3)"
        )
        raise MissingPackageError(message) from None
    return skl2onnx


def bridge_of(estimator: Any) -> str:
    """Return the packages that convert an estimator, with their versions: ``skl2onnx 1.20.0``."""
    names = ["skl2onnx", *(["onnxmltools"] if boosting_in(estimator) else [])]
    return " and ".join(f"{name} {version(name)}" for name in names)


def register_boosting(estimator: Any) -> None:
    """Tell skl2onnx of onnxmltools' converters, where the estimator is, or holds, one of XGBoost or LightGBM.

    Raises
    ------
    MissingPackageError
        onnxmltools is not installed.
    """
    for library in boosting_in(estimator):
        kind = getattr(sys.modules[library], _BOOSTING[library])
        try:
            convert = _converter(library)
        except ImportError as error:
            raise_interrupt(error)
            message = (
                f"expected the package onnxmltools to convert {kind.__name__} (it is not installed); run "
                "`pip install 'softops[boosting]'`, and the same call again"
            )
            raise MissingPackageError(message) from None
        from skl2onnx import update_registered_converter
        from skl2onnx._supported_operators import sklearn_operator_name_map
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

        if (
            kind not in sklearn_operator_name_map
        ):  # else the user has registered one, which is theirs to choose
            update_registered_converter(
                kind,
                f"Softops{kind.__name__}",
                calculate_linear_classifier_output_shapes,
                plainly(convert),
                options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
            )


def boosting_in(estimator: Any) -> list[str]:
    """Return which of XGBoost and LightGBM an estimator, or one inside it, is of."""
    found = {type(part).__module__.partition(".")[0] for part in parts_of(estimator)}
    return [library for library in _BOOSTING if library in found]


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and those inside it, as far as its parameters name them."""
    yield estimator
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        yield from (value for value in estimator.get_params().values() if hasattr(value, "fit"))


def _converter(library: str) -> Any:
    if library == "xgboost":
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        return convert_xgboost
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    return convert_lightgbm
