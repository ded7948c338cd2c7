"""A classifier fitted, exported and run in onnxruntime, alone and behind columns; what of it is apart."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from softops.export import from_sklearn

from .data import Data, behind_columns, load, made

BOUND = 1e-5
"""The largest difference of a probability in float32, or of a decision, of the largest decision; see `BOUNDS`."""


@dataclass(frozen=True)
class Outcome:
    """
    A classifier on some sets.

    Attributes
    ----------
    converter
        The packages that converted it.
    largest
        The largest difference of probabilities, or of decisions, of the largest one; None where it was refused.
    labels
        How many labels differ.
    scores
        What was compared.
    refused
        Why it was not exported, by set.
    """

    converter: str = ""
    largest: float | None = None
    labels: int = 0
    scores: str = ""
    refused: str = ""


def measure(name: str, kind: Any, sets: Iterable[str], *, table: bool) -> Outcome:
    """Fit, export and compare on every set; the outcome of the worst."""
    found = [_one(name, kind, load(data, table=table, numbers=name == "XGBClassifier")) for data in sets]
    bad = [outcome for outcome in found if outcome.refused]
    if bad:
        return bad[0]
    return Outcome(
        found[0].converter,
        max(outcome.largest or 0.0 for outcome in found),
        sum(outcome.labels for outcome in found),
        found[0].scores,
    )


def _one(name: str, kind: Any, data: Data) -> Outcome:
    table = hasattr(data.rows, "columns")
    estimator = behind_columns(made(name, kind), data.rows) if table else made(name, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(*data.half())
            model = from_sklearn(estimator, rows=data.rows)
        except (ValueError, TypeError, ImportError) as error:
            return Outcome(refused=f"{data.name}: {error}")
        label, scores = _run(model.SerializeToString(), data)
        given = _as_fed(data.rows)
        which = "probabilities" if hasattr(estimator, "predict_proba") else "decision"
        expected = (
            estimator.predict_proba(given) if which == "probabilities" else estimator.decision_function(given)
        )
        labels = estimator.predict(given)
    size = 1.0 if which == "probabilities" else float(np.abs(expected).max())
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["softops.checked"])["rows"] == len(data.labels)
    return Outcome(
        said["softops.converter"],
        float(np.abs(scores - expected).max()) / size,
        int((label != labels).sum()),
        which,
    )


def _run(model: bytes, data: Data) -> tuple[NDArray[Any], NDArray[Any]]:
    """Feed the rows by the inputs that the model has, and by their types."""
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    feeds = {}
    for value in session.get_inputs():
        array = np.asarray(data.rows if value.name == "features" else data.rows[[value.name]])
        feeds[value.name] = array.astype(kinds[value.type])
    label, scores = session.run(None, feeds)
    return label, scores


def _as_fed(rows: Any) -> Any:
    """Return rows whose numbers are of float32, which is what the model was fed."""
    if not hasattr(rows, "columns"):
        return rows.astype(np.float32).astype(np.float64)
    floats = rows.select_dtypes("float64").columns
    return rows.assign(**{name: rows[name].astype(np.float32).astype(np.float64) for name in floats})
