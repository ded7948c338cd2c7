"""Operators of ai.onnx.ml on features, beside scikit-learn, onnxruntime and the text."""

import numpy as np
import onnx
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import Binarizer, StandardScaler

from softops.opset import ModelError
from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(3, 2, (6, 4))
NUMBERS = [np.float32, np.float64, np.int32, np.int64]


def run(op_type, *inputs, **attributes):
    names = [f"x{k}" for k in range(len(inputs))]
    node = onnx.helper.make_node(op_type, names, ["y"], domain="ai.onnx.ml", **attributes)
    assert is_verified(node, {"ai.onnx.ml": 1})
    (y,) = run_node(node, list(inputs))
    return y


@pytest.mark.parametrize("dtype", NUMBERS)
def test_scaler(dtype, onnxruntime_of):
    x = X.astype(dtype)
    model = StandardScaler().fit(x)
    each = {"offset": model.mean_.tolist(), "scale": (1 / model.scale_).tolist()}
    y = run("Scaler", x, **each)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, model.transform(x), rtol=1e-5, atol=1e-6)
    for given in (each, {"offset": [0.5], "scale": [3.0]}):
        (theirs,) = onnxruntime_of("Scaler", 1, [x], given, domain="ai.onnx.ml")
        np.testing.assert_allclose(run("Scaler", x, **given), theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run("Scaler", x, scale=[2.0]), 2 * x.astype(np.float64), rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("missing", [np.nan, -1.0])
def test_imputer_of_floats(dtype, missing):
    x = X.astype(dtype)
    x[[0, 2, 4, 1], [0, 1, 2, 3]] = missing
    model = SimpleImputer(missing_values=missing, strategy="mean").fit(x)
    y = run(
        "Imputer", x, imputed_value_floats=model.statistics_.tolist(), replaced_value_float=float(missing)
    )
    assert y.dtype == dtype
    np.testing.assert_allclose(y, model.transform(x), rtol=1e-6)
    y = run("Imputer", x, imputed_value_floats=[7.5], replaced_value_float=float(missing))
    np.testing.assert_array_equal(y, np.where(np.isnan(x) | (x == missing), 7.5, x))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_imputer_of_integers(dtype):
    x = np.array([[1, -1, 3], [-1, 5, -1]], dtype)
    y = run("Imputer", x, imputed_value_int64s=[10, 20, 30], replaced_value_int64=-1)
    assert y.dtype == dtype
    assert y.tolist() == [[1, 20, 3], [10, 5, 30]]
    assert run("Imputer", x, imputed_value_int64s=[8], replaced_value_int64=-1).tolist() == [
        [1, 8, 3],
        [8, 5, 8],
    ]


def test_imputer_as_onnxruntime(onnxruntime_of):
    for x, given in (
        (
            np.float32([[np.nan, 1], [0, 2]]),
            {"imputed_value_floats": [5.0, 6.0], "replaced_value_float": float("nan")},
        ),
        (np.float32([[np.nan, 1], [0, 2]]), {"imputed_value_floats": [5.0]}),
        (np.array([[1, 0], [0, 2]]), {"imputed_value_int64s": [5], "replaced_value_int64": 0}),
    ):
        (theirs,) = onnxruntime_of("Imputer", 1, [x], given, domain="ai.onnx.ml")
        np.testing.assert_array_equal(run("Imputer", x, **given), theirs)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_binarizer(dtype):
    x = X.astype(dtype)
    y = run("Binarizer", x, threshold=3.0)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, Binarizer(threshold=3.0).fit_transform(x))
    # The threshold is float32: 0.1 of float64 is below it.
    assert run("Binarizer", np.array([0.1, 0.1000001]), threshold=0.1).tolist() == [0, 1]


@pytest.mark.parametrize("x", [X.astype(np.float32), np.arange(24).reshape(2, 3, 4), X[0].astype(np.float32)])
def test_features_by_their_places(x, onnxruntime_of):
    for indices in (np.array([2, 0, 2]), np.array([[3, 1]])):
        y = run("ArrayFeatureExtractor", x, indices)
        (theirs,) = onnxruntime_of("ArrayFeatureExtractor", 1, [x, indices], domain="ai.onnx.ml")
        assert y.dtype == theirs.dtype
        np.testing.assert_array_equal(y, theirs)
    names = np.array([["a", "b"], ["c", "d"]], object)
    assert run("ArrayFeatureExtractor", names, np.array([1])).tolist() == [["b"], ["d"]]


def test_features_side_by_side(onnxruntime_of):
    for dtype in NUMBERS:
        inputs = [X.astype(dtype), X[:, :2].astype(dtype)]
        given = {"inputdimensions": [4, 2]}
        y = run("FeatureVectorizer", *inputs, **given)
        (theirs,) = onnxruntime_of("FeatureVectorizer", 1, inputs, given, domain="ai.onnx.ml")
        np.testing.assert_array_equal(y, theirs)
        np.testing.assert_array_equal(run("FeatureVectorizer", *inputs), theirs)
    row = run("FeatureVectorizer", X[0], X[1, :2], inputdimensions=[4, 2])
    np.testing.assert_array_equal(row, np.hstack([X[:1], X[1:2, :2]]).astype(np.float32))


@pytest.mark.parametrize("targets", [1, 3])
def test_linear_regressor(targets, onnxruntime_of):
    model = LinearRegression().fit(X, RANDOM.normal(0, 1, (len(X), targets)))
    given = {"coefficients": model.coef_.ravel().tolist(), "targets": targets}
    with_intercepts = given | {"intercepts": model.intercept_.tolist()}
    for dtype in NUMBERS:
        x = X.astype(dtype)
        y = run("LinearRegressor", x, **with_intercepts)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, model.predict(x), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            run("LinearRegressor", x, **given), x @ model.coef_.T, rtol=1e-5, atol=1e-5
        )
    x = X.astype(np.float32)
    for transform in ("NONE", *["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"] * (targets > 1)):
        attributes = with_intercepts | {"post_transform": transform}
        (theirs,) = onnxruntime_of("LinearRegressor", 1, [x], attributes, domain="ai.onnx.ml")
        np.testing.assert_allclose(run("LinearRegressor", x, **attributes), theirs, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_is_refused():
    for op_type, inputs, given, message in (
        ("Scaler", [X], {"offset": [1.0, 2.0]}, "offset must have one number or 4"),
        ("Imputer", [X], {"imputed_value_int64s": [1]}, "imputed_value_floats is needed for float64"),
        ("ArrayFeatureExtractor", [X, np.array([4])], {}, r"the indices must lie in \[0, 4\)"),
        ("FeatureVectorizer", [X, X], {"inputdimensions": [4]}, "1 inputdimensions ask for as many inputs"),
    ):
        names = [f"x{k}" for k in range(len(inputs))]
        node = onnx.helper.make_node(op_type, names, ["y"], domain="ai.onnx.ml", **given)
        with pytest.raises(ModelError, match=message):
            run_node(node, inputs)
