"""What is asked for beside label and probabilities, of classifiers that skl2onnx converts."""

import sys

import numpy as np
import onnxruntime
import pytest

from softops.conformance import validate
from softops.export import append_head, from_sklearn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install 'softops[test]'")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

X, NUMBERS = load_iris(return_X_y=True)
X = X.astype(np.float32)
Y = np.array(["setosa", "versicolor", "virginica"])[NUMBERS]
FOREST = RandomForestClassifier(10, max_depth=3, random_state=0).fit(X, Y)
P = FOREST.predict_proba(X)


def run(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}), strict=True))


def test_the_k_best_a_threshold_and_names():
    model = from_sklearn(
        FOREST,
        rows=X,
        top_k=2,
        threshold=0.9,
        abstain_label="unsure",
        names={"features": "x", "label": "species"},
    )
    got = run(model, X)
    assert model.graph.input[0].name == "x"
    np.testing.assert_array_equal(got["species"], np.where(P.max(1) >= 0.9, FOREST.predict(X), "unsure"))
    np.testing.assert_allclose(got["top_k_values"], -np.sort(-P, 1)[:, :2], rtol=0, atol=1e-6)
    first = got["top_k_labels"][:, 0]
    np.testing.assert_array_equal(first, FOREST.predict(X))


@pytest.mark.parametrize("opset", [9, 13, 21])
@pytest.mark.parametrize(
    "estimator", [FOREST, LogisticRegression(max_iter=500).fit(X, Y)], ids=["forest", "linear"]
)
def test_a_temperature_is_a_power_of_the_probabilities(estimator, opset):
    expected = estimator.predict_proba(X) ** (1 / 2.5)
    got = run(from_sklearn(estimator, temperature=2.5, opset=opset), X)
    np.testing.assert_allclose(
        got["probabilities"], expected / expected.sum(1, keepdims=True), rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(got["label"], estimator.predict(X))


def test_labels_of_ones_own_and_maps_from_them():
    model = from_sklearn(FOREST, labels=[7, 8, 9], zipmap=True)
    got = run(model, X[:5])
    np.testing.assert_array_equal(got["label"], P[:5].argmax(1) + 7)
    np.testing.assert_allclose(
        [[row[k] for k in (7, 8, 9)] for row in got["probabilities"]], P[:5], atol=1e-6
    )


def test_a_head_is_appended_and_the_model_validated():
    model = append_head(
        from_sklearn(FOREST), "probabilities", activation="none", labels=["a", "b", "c"], top_k=1
    )
    got = run(model, X)
    np.testing.assert_array_equal(got["top_k_labels"][:, 0], np.array(["a", "b", "c"])[P.argmax(1)])
    assert validate(model, "onnxruntime", {"features": X[:8]}).passed


def test_a_decision_of_two_classes_is_one_number():
    binary = SVC().fit(X, NUMBERS > 0)
    got = run(from_sklearn(binary, rows=X), X)
    np.testing.assert_allclose(got["decision"], binary.decision_function(X), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(got["label"], binary.predict(X).astype(int))
    with pytest.raises(
        ValueError, match=r'append_head\(model, "decision", activation="softmax", temperature=2\)'
    ):
        from_sklearn(binary, temperature=2)


TEXTS = ["a good cat", "bad dog", "cat cat good", "dog dog", "a bad bad cat", "fine dog"] * 3


def test_a_vectorizer_takes_text_and_is_not_before_fit():
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0, 0, 1] * 3)
    got = run(from_sklearn(estimator, rows=TEXTS), np.array(TEXTS, object).reshape(-1, 1))
    np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(TEXTS), rtol=0, atol=1e-6)
    unfitted = make_pipeline(TfidfVectorizer(), estimator[-1])
    with pytest.raises(ValueError, match="TfidfVectorizer before fit"):
        from_sklearn(unfitted, rows=TEXTS)
    hashed = make_pipeline(HashingVectorizer(n_features=32), LogisticRegression()).fit(
        TEXTS, [1, 0, 1, 0, 0, 1] * 3
    )
    with pytest.raises(
        ValueError, match=r"HashingVectorizer to have a converter.*it has none.*update_registered"
    ):
        from_sklearn(hashed, rows=TEXTS)


@pytest.mark.parametrize(
    ("estimator", "bound"),
    [
        (make_pipeline(StandardScaler(), PCA(2), LogisticRegression()), 1e-6),
        (MultinomialNB(), 1e-14),
        (HistGradientBoostingClassifier(max_iter=5), 1e-6),  # its scores are float32 in ai.onnx.ml
    ],
)
def test_float64_is_as_exact_as_the_converter(estimator, bound):
    x = load_iris().data
    estimator.fit(x, Y)
    model = from_sklearn(estimator, rows=x, dtype="float64")
    got = run(model, x)["probabilities"]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, estimator.predict_proba(x), rtol=0, atol=bound)


@pytest.mark.parametrize("classifier", [LogisticRegression(), RandomForestClassifier(10, random_state=0)])
def test_a_large_mean_is_subtracted_in_float64(classifier):
    """Rows that float32 holds lose nothing, of others the loss is told."""
    far = (X.astype(np.float64) + 1e6).astype(np.float32).astype(np.float64)
    estimator = make_pipeline(StandardScaler(), classifier).fit(far, Y)
    got = run(from_sklearn(estimator, rows=far), far.astype(np.float32))
    np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(far), rtol=0, atol=1e-6)
    with pytest.warns(UserWarning, match=r"rounded to float32 change .* by up to \d.*dtype='float64'"):
        from_sklearn(estimator, rows=far + 0.03)


def test_a_loss_is_told_without_rows_too():
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X.astype(np.float64) + 1e6, Y)
    with pytest.warns(UserWarning, match="dtype='float64'"):
        from_sklearn(estimator)
    from_sklearn(estimator, dtype="float64")


def test_what_a_converter_gets_wrong_is_refused(tmp_path):
    """skl2onnx reads isotonic calibration as a step function."""
    estimator = CalibratedClassifierCV(LogisticRegression(max_iter=500), method="isotonic").fit(X, Y)
    with pytest.raises(ValueError, match=r"0\.\d|e-0\d apart.*rows wrong.*method='sigmoid'"):
        from_sklearn(estimator, rows=X, path=tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_tolerance_that_is_passed_is_kept():
    with pytest.raises(ValueError, match="tolerance="):
        from_sklearn(FOREST, rows=X, tolerance=0)


@pytest.mark.parametrize(("library", "kind"), [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")])
def test_boosting_of_others(library, kind, monkeypatch):
    module = pytest.importorskip(
        library, reason=f"{library} is not installed, and too large for the tests' extra"
    )
    estimator = getattr(module, kind)(n_estimators=5).fit(X, NUMBERS)
    with monkeypatch.context() as hidden:
        for name in [name for name in sys.modules if name.startswith("onnxmltools")] + ["onnxmltools"]:
            hidden.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=r"onnxmltools.*softops\[boosting\]"):
            from_sklearn(estimator)
    pytest.importorskip("onnxmltools", reason="onnxmltools is not installed: pip install 'softops[boosting]'")
    model = from_sklearn(estimator, rows=X, labels=["a", "b", "c"])
    got = run(model, X)
    np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(X), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(got["label"], np.array(["a", "b", "c"])[estimator.predict(X)])
    assert "onnxmltools" in model.doc_string
