"""scikit-learn's data sets as arrays, and as DataFrames with gaps, integers and strings; its classifiers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils import all_estimators

SETS = ("iris", "wine", "breast_cancer", "digits")
ROWS = 400
"""At most so many rows of a set: the time of Gaussian processes grows with their cube."""

# What a classifier needs to be fitted on all sets.
_PARAMETERS: dict[str, dict[str, Any]] = {
    "CategoricalNB": {"min_categories": 2000},  # a label in the rows that are left out may be larger
    "HistGradientBoostingClassifier": {"max_iter": 20},
    "MLPClassifier": {"max_iter": 60, "random_state": 0},
    "QuadraticDiscriminantAnalysis": {"solver": "eigen", "shrinkage": 0.1},
    "RadiusNeighborsClassifier": {"radius": 1e3},
    "LGBMClassifier": {"n_estimators": 30, "verbose": -1},
    "XGBClassifier": {"n_estimators": 30},
}
# These count, and refuse what is negative.
_WHOLE = (0.25, 4.25)  # of which CategoricalNB takes the whole part
_COUNTS = ("CategoricalNB", "ComplementNB", "MultinomialNB")


@dataclass(frozen=True)
class Data:
    """A set: rows, labels, and the rows to fit on; the comparison is on all of them."""

    name: str
    rows: Any
    labels: NDArray[Any]

    def half(self) -> tuple[Any, NDArray[Any]]:
        """Return every other row."""
        return self.rows[::2], self.labels[::2]


def load(name: str, *, table: bool, numbers: bool = False) -> Data:
    """
    Return a set.

    Parameters
    ----------
    name
        One of `SETS`.
    table
        Whether as a DataFrame: gaps in its first column, a column of integers, two of strings (made of others).
    numbers
        Whether labels stay integers, as XGBoost wants them; else they are strings.
    """
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(x))[:ROWS]
    x, y = x[chosen], y[chosen]
    labels = y if numbers else np.array([f"{name} {label}" for label in y])
    return Data(name, _table(x) if table else x, labels)


def _table(x: NDArray[Any]) -> Any:
    varied = x[:, np.ptp(x, axis=0) > 0][:, :12]
    frame = pandas.DataFrame(varied, columns=[f"feature {at}" for at in range(varied.shape[1])])
    frame["size [cm]"] = pandas.cut(varied[:, 0], 3, labels=["small", "middle", "large"]).astype(str)
    frame["shade"] = pandas.cut(varied[:, 1], 4, labels=["a", "b", "c", "d"]).astype(object)
    frame["count"] = np.round(10 * varied[:, 2]).astype(np.int64)
    frame.loc[::7, "feature 0"] = np.nan
    frame["unused"] = "nothing"
    return frame


def behind_columns(classifier: Any, table: Any) -> Pipeline:
    """Return a pipeline of a ColumnTransformer with imputer, scaler and OneHotEncoder, and a classifier."""
    words = ["size [cm]", "shade"]
    numbers = [name for name in table.columns if name not in (*words, "unused")]
    scaler = MinMaxScaler(_WHOLE) if type(classifier).__name__ in _COUNTS else StandardScaler()
    front = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), scaler), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )
    return make_pipeline(front, classifier)


def classifiers() -> Iterator[tuple[str, Any]]:
    """Yield name and class of every classifier that needs no other, with probabilities or a decision."""
    for name, kind in all_estimators(type_filter="classifier"):
        parameters = inspect.signature(kind).parameters.values()
        if (
            all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in parameters)
            and name != "SelfTrainingClassifier"
        ):
            yield name, kind
    for library, name in (("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")):
        try:
            yield name, getattr(importlib.import_module(library), name)
        except ImportError:
            continue


def made(name: str, kind: Any) -> Any:
    """Return a classifier to fit."""
    parameters = _PARAMETERS.get(name, {})
    if "random_state" in inspect.signature(kind).parameters:
        parameters = {"random_state": 0} | parameters
    return kind(**parameters)
