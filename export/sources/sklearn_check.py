"""What an exported model gives in onnxruntime, beside what its estimator says of the same rows."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.errors import one_line

from ..builder.options import RESERVED
from ..errors import ConversionError
from .sklearn_inputs import Inputs
from .sklearn_parts import kind_of

CHECKED_KEY = f"{RESERVED}checked"
"""Key of the model's metadata that says what it was compared on: rows, largest difference, labels that differ."""

TOLERANCE = 1e-4
COARSE = 1e-5
_ANOTHER = 1e-2
TOLERANCE_OF_HALVES = 1e-2


@dataclass(frozen=True)
class Difference:
    """Rows that were compared, the largest difference of scores, and how many labels differ."""

    rows: int
    scores: str
    largest: float
    labels: int

    def json(self) -> str:
        """Return what the metadata says."""
        return json.dumps({"rows": self.rows, self.scores: self.largest, "labels": self.labels})

    def words(self) -> str:
        """Return what the description says."""
        method = "predict_proba" if self.scores == "probabilities" else "decision_function"
        return f"{self.scores} within {self.largest:.1e} of {method} on {self.rows} rows"


def compare(
    model: onnx.ModelProto,
    estimator: Any,
    inputs: Inputs,
    rows: Any,
    dtype: np.dtype[Any],
    tolerance: float,
    *,
    real: bool,
) -> Difference:
    """
    Compare a model of ``label`` and scores with its estimator; raise where it is wrong.

    It is judged by what it was fed: rows rounded to its dtype. What that rounding changes is told as a warning.

    Raises
    ------
    ConversionError
        onnxruntime does not run it, scores differ by more than ``tolerance`` (of 1, or of the largest decision), or
        a label differs where the scores are further apart than that.
    """
    fed = rounded(rows, dtype)
    scores = "probabilities" if hasattr(estimator, "predict_proba") else "decision"
    says = estimator.predict_proba if scores == "probabilities" else estimator.decision_function
    expected, labels = np.asarray(says(fed), np.float64), np.asarray(estimator.predict(fed))
    label, got = _run(model, estimator, inputs.feeds(fed, dtype, {}))
    got = np.asarray(got, np.float64)
    size = max(1.0, float(np.max(np.abs(expected), initial=0)))
    if got.shape != expected.shape:
        message = (
            f"expected {scores} of shape {expected.shape} (got {got.shape} from the model of {kind_of(estimator)}); "
            "fit SVC and NuSVC with decision_function_shape='ovr'"
        )
        raise ConversionError(message)
    apart = np.abs(got - expected)
    apart[np.isnan(got) & np.isnan(expected)] = 0
    off = ~(apart <= tolerance * size)
    differ = np.asarray([str(a) != str(b) for a, b in zip(_plain(label), _plain(labels), strict=True)])
    wrong = off.reshape(len(off), -1).any(1) | (differ & (_margin(expected) > 2 * tolerance * size))
    found = Difference(len(labels), scores, float(np.max(apart, initial=0)), int(differ.sum()))
    if wrong.any():
        raise ConversionError(_wrong(estimator, found, int(wrong.sum()), tolerance, size, dtype, real=real))
    if real:
        _warn_of_rounding(estimator, says, rows, expected, tolerance * size, dtype)
    return found


def rounded(rows: Any, dtype: np.dtype[Any]) -> Any:
    """Return rows whose floats have values of a dtype; their own dtype stays."""
    if hasattr(rows, "columns"):
        floats = [name for name in rows.columns if np.asarray(rows[name]).dtype.kind == "f"]
        return rows.assign(
            **{str(name): rows[name].astype(_known(dtype)).astype(rows[name].dtype) for name in floats}
        )
    if getattr(rows, "dtype", None) is not None and rows.dtype.kind == "f":
        return rows.astype(dtype).astype(rows.dtype)
    return rows


def _known(dtype: np.dtype[Any]) -> Any:
    return dtype if dtype.kind == "f" else np.float32  # pandas has no bfloat16


def _run(model: onnx.ModelProto, estimator: Any, feeds: dict[str, NDArray[Any]]) -> list[Any]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        found: list[Any] = session.run(None, feeds)
    except Exception as error:  # onnxruntime's errors have no base of their own
        message = (
            f"expected a model of {kind_of(estimator)} that onnxruntime {onnxruntime.__version__} runs (got "
            f"{one_line(error)[:300]}); docs/sklearn.md lists what is converted"
        )
        raise ConversionError(message) from error
    return found


def _plain(labels: NDArray[Any]) -> list[Any]:
    return [int(x) if isinstance(x, bool | np.bool_ | float | np.floating) else x for x in labels.tolist()]


def _margin(scores: NDArray[Any]) -> NDArray[Any]:
    if scores.ndim == 1:
        return np.asarray(np.abs(scores))
    best = np.sort(scores, 1)
    margin: NDArray[Any] = best[:, -1] - best[:, -2]
    return margin


def _wrong(
    estimator: Any,
    found: Difference,
    rows: int,
    tolerance: float,
    size: float,
    dtype: np.dtype[Any],
    *,
    real: bool,
) -> str:
    allowed = tolerance * size
    if found.largest > _ANOTHER * size:
        cure = (
            "that is no rounding but another result: fit a classifier that docs/sklearn.md lists as exported, for "
            "instance with CalibratedClassifierCV(method='sigmoid') in place of 'isotonic'"
        )
    else:
        finer = "" if dtype == np.float64 else "dtype='float64', or, where this is good enough, "
        cure = f"pass {finer}tolerance={2 * found.largest / size:.0e}"
    given = "" if real else " made up, as none were given: pass rows=X of your data, or"
    return (
        f"expected {found.scores} within {allowed:.1e} of {kind_of(estimator)}'s own (got {found.largest:.1e} apart, "
        f"{found.labels} labels that differ, {rows} of {found.rows} rows wrong{given}); {cure}"
    )


def _warn_of_rounding(
    estimator: Any, says: Any, rows: Any, expected: NDArray[Any], allowed: float, dtype: np.dtype[Any]
) -> None:
    changed = float(np.max(np.abs(np.asarray(says(rows), np.float64) - expected), initial=0))
    if changed > allowed:
        message = (
            f"rows rounded to {dtype} change what {kind_of(estimator)} says by up to {changed:.1e}; where that "
            "matters pass dtype='float64' and feed float64"
        )
        warnings.warn(message, UserWarning, stacklevel=5)
