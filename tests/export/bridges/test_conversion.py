"""Classifiers that skl2onnx converts, alone and behind the columns of a DataFrame, beside scikit-learn itself."""

import json

import numpy as np
import onnxruntime
import pytest

from softops.export import from_sklearn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install 'softops[test]'")
pytest.importorskip("pandas", reason="pandas is not installed: pip install 'softops[test]'")

import pandas
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def metadata(model):
    return {entry.key: entry.value for entry in model.metadata_props}


def wine():
    """Wine with a gap in a column, one of integers, and two of strings made of columns; labels are strings."""
    x, y = load_wine(return_X_y=True, as_frame=True)
    x = x.rename(columns={"hue": "hue [a.u.]"}).astype(np.float32).astype(float)
    x["tone"] = pandas.cut(x["hue [a.u.]"], 3, labels=["pale", "mid", "deep"]).astype(str)
    x["strength"] = pandas.cut(x["alcohol"], 3, labels=["light", "mid", "strong"]).astype(object)
    x["magnesium"] = x["magnesium"].astype(int)
    x["dark"] = x["color_intensity"] > 5
    x.loc[::7, "ash"] = np.nan
    return x, np.array(["barolo", "grignolino", "barbera"])[y]


NUMBERS = ["alcohol", "ash", "hue [a.u.]", "magnesium", "proline"]
WORDS = ["tone", "strength"]


def columns():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("words", words, WORDS), ("rest", "passthrough", ["dark"])]
    )


def feeds_of(x):
    given = {name: x[name].to_numpy(np.float32).reshape(-1, 1) for name in NUMBERS if name != "magnesium"}
    given["magnesium"] = x["magnesium"].to_numpy(np.int64).reshape(-1, 1)
    given["dark"] = x["dark"].to_numpy().reshape(-1, 1)
    return given | {name: x[name].to_numpy(object).reshape(-1, 1) for name in WORDS}


DATA = {"iris": load_iris, "cancer": load_breast_cancer}
ALONE = {
    "forest": (RandomForestClassifier(20, random_state=0), 1e-6),
    "boosting": (HistGradientBoostingClassifier(max_iter=10), 1e-6),
    "neighbours": (KNeighborsClassifier(3), 1e-6),
    "kernel": (SVC(), 1e-5),
}


@pytest.mark.parametrize("data", list(DATA))
@pytest.mark.parametrize("name", list(ALONE))
def test_a_classifier_that_is_not_ours_is_converted(data, name):
    x, y = DATA[data](return_X_y=True)
    x = x.astype(np.float32)
    estimator, bound = ALONE[name]
    y = np.array([f"class {label}" for label in y])
    estimator.fit(x, y)
    model = from_sklearn(estimator, rows=x)
    got = run(model, {"features": x})
    scores = "probabilities" if hasattr(estimator, "predict_proba") else "decision"
    assert list(got) == ["label", scores]
    expected = estimator.predict_proba(x) if scores == "probabilities" else estimator.decision_function(x)
    np.testing.assert_allclose(got[scores], expected, rtol=0, atol=bound * max(1, abs(expected).max()))
    assert (got["label"] == estimator.predict(x)).all()
    assert "skl2onnx" in metadata(model)["softops.converter"]
    assert type(estimator).__name__ in model.doc_string
    assert not [node for node in model.graph.node if node.op_type == "ZipMap"]


@pytest.mark.parametrize("told", [True, False], ids=["rows", "no rows"])
@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(max_iter=500), RandomForestClassifier(20, random_state=0), RidgeClassifier()],
)
def test_a_dataframe_has_an_input_for_each_column(classifier, told):
    x, y = wine()
    estimator = make_pipeline(columns(), classifier).fit(x, y)
    model = from_sklearn(estimator, rows=x if told else None)
    feeds = feeds_of(x)
    assert [value.name for value in model.graph.input] == [name for name in x.columns if name in feeds]
    if not told:  # the types are not known but for strings
        feeds |= {name: feeds[name].astype(np.float32) for name in ("magnesium", "dark")}
    got = run(model, feeds)
    scores = "probabilities" if hasattr(estimator, "predict_proba") else "decision"
    expected = estimator.predict_proba(x) if scores == "probabilities" else estimator.decision_function(x)
    np.testing.assert_allclose(got[scores], expected, rtol=0, atol=1e-6)
    assert (got["label"] == estimator.predict(x)).all()
    assert "OneHotEncoder" in metadata(model)["softops.converter"]
    if told:
        said = json.loads(metadata(model)["softops.checked"])
        assert said["rows"] == len(x)
        assert said[scores] == pytest.approx(abs(got[scores] - expected).max(), abs=1e-12)


def test_a_missing_string_is_an_empty_one():
    x, y = wine()
    x.loc[::5, "tone"] = None
    estimator = make_pipeline(columns(), LogisticRegression(max_iter=500)).fit(x.replace({np.nan: np.nan}), y)
    got = run(
        from_sklearn(estimator, rows=x), feeds_of(x) | {"tone": x[["tone"]].fillna("").to_numpy(object)}
    )
    np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(x), rtol=0, atol=1e-6)
