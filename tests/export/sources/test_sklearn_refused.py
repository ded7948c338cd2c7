"""Estimators that cannot be exported are named, with nothing written."""

import copy
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from softops.export import from_sklearn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

X, Y = load_iris(return_X_y=True)
SEVERAL = np.stack([Y == 0, Y == 1], 1).astype(int)
FITTED = LogisticRegression(max_iter=500).fit(X, Y)


def changed(**attributes):
    estimator = copy.deepcopy(FITTED)
    for name, value in attributes.items():
        setattr(estimator, name, value)
    return estimator


REFUSED = {
    "not fitted": (ValueError, "LogisticRegression before fit", LogisticRegression),
    "class": (ValueError, "LogisticRegression before fit", lambda: LogisticRegression),
    "pipeline not fitted": (
        ValueError,
        "before fit",
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    ),
    "scaler not fitted": (
        ValueError,
        "StandardScaler before fit",
        lambda: make_pipeline(StandardScaler(), FITTED),
    ),
    "search not fitted": (
        ValueError,
        "GridSearchCV before fit",
        lambda: GridSearchCV(LogisticRegression(), {"C": [1]}),
    ),
    "scaler of other features": (
        ValueError,
        "as many features as the classifier's 4 .got 3 in StandardScaler",
        lambda: make_pipeline(StandardScaler().fit(X[:, :3]), FITTED),
    ),
    "scaler of one feature": (
        ValueError,
        "got 1 in MinMaxScaler",
        lambda: make_pipeline(MinMaxScaler().fit(X[:, :1]), FITTED),
    ),
    "regression": (TypeError, "LinearRegression", lambda: LinearRegression().fit(X, Y)),
    "no classifier": (TypeError, "got list", lambda: [1, 2]),
    "pipeline without classifier": (
        TypeError,
        "StandardScaler",
        lambda: make_pipeline(StandardScaler()).fit(X),
    ),
    "ridge of several labels": (
        ValueError,
        "one label|one target",
        lambda: RidgeClassifier().fit(X, SEVERAL),
    ),
    "mlp of several labels": (
        ValueError,
        "one label",
        lambda: MLPClassifier((3,), max_iter=2000, tol=0.1).fit(X, SEVERAL),
    ),
    "one-vs-rest of several labels": (
        ValueError,
        "multilabel_head",
        lambda: OneVsRestClassifier(LogisticRegression()).fit(X, SEVERAL),
    ),
    "several targets": (
        ValueError,
        "one target .got SimpleNamespace fitted on several",
        lambda: SimpleNamespace(
            coef_=FITTED.coef_, intercept_=FITTED.intercept_, classes_=[FITTED.classes_] * 2
        ),
    ),
    "an activation of its own": (
        ValueError,
        "identity, logistic, tanh, relu .got 'swish'",
        lambda: SimpleNamespace(
            coefs_=[np.ones((4, 3))],
            intercepts_=[np.ones(3)],
            classes_=FITTED.classes_,
            out_activation_="softmax",
            activation="swish",
        ),
    ),
    "a fold without one class": (
        ValueError,
        "every class in every fold .got 2 of 3 in one",
        lambda: CalibratedClassifierCV(
            FITTED, cv=[(np.r_[0:100], np.r_[100:150]), (np.r_[0:150], np.r_[0:150])]
        ).fit(X, Y),
    ),
    "NaN": (
        ValueError,
        "coef_ of LogisticRegression of finite.*nan",
        lambda: changed(coef_=FITTED.coef_ * np.nan),
    ),
    "labels of floats": (TypeError, "got float", lambda: changed(classes_=np.array([0.5, 1, 2]))),
    "labels of huge floats": (TypeError, "got float", lambda: changed(classes_=np.array([1e20, 2e20, 3e20]))),
    "labels of bytes": (TypeError, "got bytes", lambda: changed(classes_=np.array([b"a", b"b", b"c"]))),
    "rows": (
        ValueError,
        "3 rows for 3 classes",
        lambda: changed(coef_=FITTED.coef_[:2], intercept_=np.zeros(2)),
    ),
    "one class": (ValueError, "at least 2 classes", lambda: changed(classes_=np.array([1]))),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_is_named_and_leaves_no_file(case, tmp_path):
    error, message, make = REFUSED[case]
    with pytest.raises(error, match=message) as raised:
        from_sklearn(make(), path=tmp_path / "head.onnx")
    assert str(raised.value).startswith("expected ")
    assert ";" in str(raised.value)
    assert not list(tmp_path.iterdir())


ANOTHERS = {
    "isotonic": lambda: CalibratedClassifierCV(FITTED, method="isotonic").fit(X, Y),
    "tree": lambda: DecisionTreeClassifier().fit(X, Y),
    "pairs of classes": lambda: SVC(kernel="linear").fit(X, Y),
    "another rule": lambda: QuadraticDiscriminantAnalysis().fit(X, Y),
    "another transformer": lambda: make_pipeline(PCA(2), LogisticRegression()).fit(X, Y),
    "one-vs-rest of trees": lambda: OneVsRestClassifier(DecisionTreeClassifier()).fit(X, Y),
}


@pytest.mark.parametrize("case", list(ANOTHERS))
def test_without_the_bridge_its_extra_is_named(case, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(
        ImportError, match=r"skl2onnx .*pip install 'softops\[sklearn\]'.*zipmap.*append_head"
    ):
        from_sklearn(ANOTHERS[case](), path=tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())


OPTIONS = {
    "overflow": (
        ValueError,
        "finite float16",
        {"dtype": "float16"},
        lambda: changed(coef_=FITTED.coef_ * 1e6),
    ),
    "no such output": (ValueError, "'logits'", {"outputs": ["logits"]}, lambda: FITTED),
    "no probabilities": (
        ValueError,
        "'probabilities'",
        {"outputs": ["probabilities"]},
        lambda: RidgeClassifier().fit(X, Y),
    ),
    "no decision": (
        ValueError,
        "'decision'",
        {"outputs": ["decision"]},
        lambda: MLPClassifier((3,), max_iter=2000, tol=0.1).fit(X, Y),
    ),
    "threshold without probabilities": (
        ValueError,
        "without probabilities",
        {"threshold": 0.5},
        lambda: RidgeClassifier().fit(X, Y),
    ),
    "maps of one decision for two classes": (
        ValueError,
        "a score for each class for zipmap.*decision",
        {"zipmap": True, "dtype": "float32"},
        lambda: RidgeClassifier().fit(X, Y > 0),
    ),
    "a scale that vanishes": (
        ValueError,
        "scale_ of the scaler above 0 in float16.*wider dtype",
        {"dtype": "float16"},
        lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X * 1e-9, Y),
    ),
    "a scale that overflows": (
        ValueError,
        "finite float16",
        {"dtype": "float16"},
        lambda: make_pipeline(StandardScaler(with_mean=False), RidgeClassifier()).fit(X * 1e9, Y),
    ),
    "label too few": (ValueError, "3 labels", {"labels": ["a", "b"]}, lambda: FITTED),
    "unknown option": (TypeError, "did you mean labels", {"label": "x"}, lambda: FITTED),
}


@pytest.mark.parametrize("case", list(OPTIONS))
def test_options_that_do_not_fit_are_named(case, tmp_path):
    error, message, options, make = OPTIONS[case]
    with pytest.raises(error, match=message):
        from_sklearn(make(), **options, path=tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())
