"""Estimators in other forms: labels of other kinds, wrappers, sparse coefficients, objects of another library."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from scipy.special import expit, softmax

from softops.export import from_sklearn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler


def exactly(estimator):
    return from_sklearn(estimator, dtype="float64")


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": x}), strict=True))


def test_labels_and_outputs_are_the_callers_to_choose():
    model, x = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), load_iris().data
    built = from_sklearn(
        model,
        labels=["setosa", "versicolor", "virginica"],
        outputs=["top_k", "label"],
        top_k=2,
        names={"label": "species", "features": "x"},
        dtype="float32",
        batch=3,
    )
    session = onnxruntime.InferenceSession(built.SerializeToString())
    values, indices, labels, species = session.run(None, {"x": x[:3].astype("float32")})
    best = np.argsort(-model.predict_proba(x[:3]), 1)[:, :2]
    np.testing.assert_array_equal(indices, best)
    np.testing.assert_allclose(values, np.take_along_axis(model.predict_proba(x[:3]), best, 1), atol=1e-6)
    names = np.array(["setosa", "versicolor", "virginica"])
    np.testing.assert_array_equal(labels, names[best])
    np.testing.assert_array_equal(species, names[best[:, 0]])
    assert built.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3


def test_other_kinds_of_labels_and_sparse_coefficients():
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    for classes in (y.astype(bool), y.astype(float), y * 7 - 3):
        model = LogisticRegression().fit(x, classes)
        got = in_onnxruntime(exactly(model), x)["label"]
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, model.predict(x).astype(np.int64))
    np.testing.assert_array_equal(in_onnxruntime(exactly(model.sparsify()), x)["label"], got)
    bare = LogisticRegression(fit_intercept=False).fit(x, y)
    np.testing.assert_allclose(
        in_onnxruntime(exactly(bare), x)["probabilities"], bare.predict_proba(x), rtol=0, atol=1e-14
    )


def test_a_calibration_after_the_fit_is_read_through_its_wrapper():
    x, y = load_wine(return_X_y=True)
    y = np.array(["red", "rosé", "white"])[y]
    inner = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())).fit(x[::2], y[::2])
    model = CalibratedClassifierCV(FrozenEstimator(inner), method="temperature").fit(x[1::2], y[1::2])
    got = in_onnxruntime(exactly(model), x)
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(x), rtol=0, atol=1e-14)
    assert got["label"].tolist() == model.predict(x).tolist()


def test_the_best_estimator_of_a_search_is_taken():
    x, y = load_wine(return_X_y=True)
    model = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2).fit(x, y)
    got = in_onnxruntime(exactly(model), x)
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(x), rtol=0, atol=1e-14)
    assert got["label"].tolist() == model.predict(x).tolist()


def test_pipelines_stand_in_pipelines():
    x, y = load_wine(return_X_y=True)
    front = make_pipeline(MinMaxScaler(), "passthrough", make_pipeline(StandardScaler()))
    model = make_pipeline(front, make_pipeline(LogisticRegression())).fit(x, y)
    got = in_onnxruntime(exactly(model), x)
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(x), rtol=0, atol=1e-14)


def test_estimators_are_told_apart_by_what_they_have():
    """Here by an object that is none of scikit-learn's."""
    model, x = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), load_iris().data
    other = SimpleNamespace(coef_=model.coef_, intercept_=model.intercept_, classes_=model.classes_)
    assert list(in_onnxruntime(exactly(other), x)) == ["label", "decision"]


@pytest.mark.parametrize(
    ("multi_class", "solver", "rows", "rule"),
    [
        ("multinomial", "lbfgs", 1, lambda z: softmax(np.concatenate([-z, z], 1), 1)),
        ("deprecated", "lbfgs", 1, lambda z: np.concatenate([expit(-z), expit(z)], 1)),
        ("deprecated", "lbfgs", 3, lambda z: softmax(z, 1)),
        ("auto", "liblinear", 3, lambda z: expit(z) / expit(z).sum(1, keepdims=True)),
        ("ovr", "lbfgs", 3, lambda z: expit(z) / expit(z).sum(1, keepdims=True)),
    ],
)
def test_logistic_regression_of_releases_that_had_multi_class(multi_class, solver, rows, rule):
    """By the text of scikit-learn 1.7, LogisticRegression.predict_proba."""
    random = np.random.default_rng(5)
    coefficients, intercepts, x = (
        random.normal(size=(rows, 4)),
        random.normal(size=rows),
        random.normal(size=(20, 4)),
    )
    model = SimpleNamespace(
        coef_=coefficients,
        intercept_=intercepts,
        classes_=np.arange(max(rows, 2)),
        C=1.0,
        multi_class=multi_class,
        solver=solver,
        predict_proba=None,
    )
    got = in_onnxruntime(exactly(model), x)["probabilities"]
    np.testing.assert_allclose(got, rule(x @ coefficients.T + intercepts), rtol=0, atol=1e-14)


@pytest.mark.parametrize("two", [False, True], ids=["three classes", "two classes"])
@pytest.mark.parametrize(
    "estimator",
    [
        LinearDiscriminantAnalysis(),
        NearestCentroid(),
        NearestCentroid(priors="empirical", shrink_threshold=0.2),
        DummyClassifier(),
        DummyClassifier(strategy="most_frequent"),
        DummyClassifier(strategy="constant", constant="c"),
    ],
    ids=str,
)
def test_other_linear_rules_and_one_answer(estimator, two):
    x, y = load_wine(return_X_y=True)
    y = np.array(["b", "c", "c" if two else "d"])[y]
    estimator.fit(x, y)
    for opset in (9, 17):
        got = in_onnxruntime(from_sklearn(estimator, rows=x, dtype="float64", opset=opset), x)
        np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(x), rtol=0, atol=1e-12)
        assert got["label"].tolist() == estimator.predict(x).tolist()


def test_an_answer_at_random_is_refused():
    model = DummyClassifier(strategy="stratified").fit(*load_wine(return_X_y=True))
    with pytest.raises(ValueError, match="strategy='prior'"):
        from_sklearn(model)
