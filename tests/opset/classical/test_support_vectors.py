"""SVMClassifier and SVMRegressor from the fitted parameters of scikit-learn, beside its predictions and onnxruntime."""

import warnings

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from softops.opset import ModelError
from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

X, Y = load_iris(return_X_y=True)
X = X + np.random.default_rng(0).normal(0, 0.6, X.shape)  # so that classes overlap
KERNELS = ["linear", "rbf", "poly", "sigmoid"]
CLASSIFIERS = [
    *((SVC, kernel, classes) for kernel in KERNELS for classes in (2, 3)),
    (NuSVC, "rbf", 2),
    (NuSVC, "rbf", 3),
]


def run(op_type, x, outputs, **attributes):
    node = onnx.helper.make_node(op_type, ["x"], outputs, domain="ai.onnx.ml", **attributes)
    assert is_verified(node, {"ai.onnx.ml": 1})
    return run_node(node, [x])


def kernel_of(model):
    # LIBSVM's own parameters: scikit-learn turns the sign of two classes in what it shows.
    return {
        "kernel_type": model.kernel.upper(),
        "kernel_params": [model._gamma, model.coef0, float(model.degree)],
        "support_vectors": model.support_vectors_.ravel().tolist(),
        "coefficients": model._dual_coef_.ravel().tolist(),
        "rho": model._intercept_.tolist(),
    }


def fitted(kind, kernel, classes, *, probability):
    options = {"gamma": 0.05, "coef0": 0.5, "kernel": kernel, "probability": probability}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # of `probability`, which is to be an estimator of its own
        model = kind(**options).fit(X[classes > Y], Y[classes > Y])
    attributes = kernel_of(model) | {
        "vectors_per_class": model._n_support.tolist(),
        "classlabels_ints": list(range(classes)),
    }
    if probability:
        attributes |= {"prob_a": model._probA.tolist(), "prob_b": model._probB.tolist()}
    return model, attributes


@pytest.mark.parametrize(("kind", "kernel", "classes"), CLASSIFIERS)
def test_probabilities_as_scikit_learn(kind, kernel, classes, onnxruntime_of):
    model, attributes = fitted(kind, kernel, classes, probability=True)
    for dtype in (np.float32, np.float64):
        x = X[classes > Y].astype(dtype)
        labels, scores = run("SVMClassifier", x, ["label", "scores"], **attributes)
        assert (labels.dtype, scores.dtype) == (np.int64, np.float32)
        np.testing.assert_array_equal(labels, model.predict(x))
        # The parameters are float32 in the model.
        np.testing.assert_allclose(scores, model.predict_proba(x), atol=3e-4 if kernel == "poly" else 2e-5)
    x = X.astype(np.float32)
    theirs = onnxruntime_of("SVMClassifier", 1, [x], attributes, domain="ai.onnx.ml", outputs=2)
    np.testing.assert_allclose(run("SVMClassifier", x, ["l", "s"], **attributes)[1], theirs[1], atol=5e-3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_of_pairs_as_scikit_learn(kernel, onnxruntime_of):
    x = X.astype(np.float32)
    for classes in (2, 3):
        model, attributes = fitted(SVC, kernel, classes, probability=False)
        model.decision_function_shape = "ovo"
        labels, scores = run("SVMClassifier", x, ["label", "scores"], **attributes)
        np.testing.assert_array_equal(labels, model.predict(x))
        expected = model.decision_function(x)
        if classes == 2:
            expected = np.stack(
                [expected, -expected], 1
            )  # above 0 it is LIBSVM's first class, scikit-learn's second
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=5e-4)
        (_, theirs) = onnxruntime_of("SVMClassifier", 1, [x], attributes, domain="ai.onnx.ml", outputs=2)
        np.testing.assert_allclose(scores, theirs, rtol=1e-3, atol=5e-3)


def test_labels_that_are_text():
    model, attributes = fitted(SVC, "rbf", 3, probability=True)
    del attributes["classlabels_ints"]
    names = np.array(["setosa", "versicolor", "virginica"], object)
    labels, _ = run("SVMClassifier", X, ["l", "s"], classlabels_strings=names.tolist(), **attributes)
    assert labels.tolist() == names[model.predict(X)].tolist()


@pytest.mark.parametrize("probability", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_scores_transformed(classes, probability, onnxruntime_of):
    x = X[classes > Y].astype(np.float32)
    _, attributes = fitted(SVC, "rbf", classes, probability=probability)
    transforms = ["LOGISTIC", *["SOFTMAX", "SOFTMAX_ZERO"] * (probability or classes > 2)]
    for transform in transforms:
        given = {**attributes, "post_transform": transform}
        theirs = onnxruntime_of("SVMClassifier", 1, [x], given, domain="ai.onnx.ml", outputs=2)
        for a, b in zip(run("SVMClassifier", x, ["l", "s"], **given), theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_one_row_without_an_axis_for_it():
    _, attributes = fitted(SVC, "rbf", 3, probability=True)
    whole = run("SVMClassifier", X[:1], ["l", "s"], **attributes)
    for a, b in zip(run("SVMClassifier", X[0], ["l", "s"], **attributes), whole, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", [SVR, NuSVR, OneClassSVM])
def test_regression_as_scikit_learn(kind, kernel, onnxruntime_of):
    model = kind(kernel=kernel, gamma=0.05, coef0=0.5, degree=2).fit(X, X[:, 0])
    attributes = kernel_of(model) | {
        "n_supports": len(model.support_vectors_),
        "one_class": int(kind is OneClassSVM),
    }
    x = X.astype(np.float32)
    (y,) = run("SVMRegressor", x, ["y"], **attributes)
    assert y.dtype == np.float32
    assert y.shape == (len(X), 1)
    np.testing.assert_allclose(y[:, 0], model.predict(x), rtol=1e-4, atol=1e-3)
    (theirs,) = onnxruntime_of("SVMRegressor", 1, [x], attributes, domain="ai.onnx.ml")
    np.testing.assert_allclose(y, theirs, rtol=1e-4, atol=1e-3)


def test_regression_without_support_vectors(onnxruntime_of):
    attributes = {"coefficients": [0.5, -2.0, 1.0, 3.0], "rho": [0.25], "kernel_type": "LINEAR"}
    (y,) = run("SVMRegressor", X, ["y"], **attributes)
    np.testing.assert_allclose(y, X @ np.array([[0.5], [-2], [1], [3]]) + 0.25, rtol=1e-6)
    given = attributes | {"kernel_params": [0.0, 0.0, 0.0]}  # which onnxruntime asks for
    (theirs,) = onnxruntime_of("SVMRegressor", 1, [X.astype(np.float32)], given, domain="ai.onnx.ml")
    np.testing.assert_allclose(y, theirs, rtol=1e-5, atol=1e-5)


def test_forms_that_nobody_explains_are_not_verified():
    _, attributes = fitted(SVC, "rbf", 2, probability=False)
    no_vectors = {
        name: value
        for name, value in attributes.items()
        if name not in ("vectors_per_class", "support_vectors")
    }
    # of one class onnxruntime gives two scores, of whatever lies in its memory
    one_class = {
        "classlabels_ints": [5],
        "vectors_per_class": [len(attributes["support_vectors"]) // X.shape[1]],
    }
    for given in (no_vectors, attributes | {"post_transform": "SOFTMAX"}, attributes | one_class):
        node = onnx.helper.make_node("SVMClassifier", ["x"], ["l", "s"], domain="ai.onnx.ml", **given)
        assert not is_verified(node, {"ai.onnx.ml": 1})


def test_what_cannot_be_is_refused():
    _, attributes = fitted(SVC, "rbf", 2, probability=False)
    with pytest.raises(ModelError, match="expected a kernel_type of LINEAR, POLY, SIGMOID, RBF"):
        run_node(classifier(**attributes | {"kernel_type": "COSINE"}), [X])
    del attributes["classlabels_ints"]
    with pytest.raises(ModelError, match="expected one of classlabels_ints and classlabels_strings"):
        run_node(classifier(**attributes), [X])


def classifier(**attributes):
    return onnx.helper.make_node("SVMClassifier", ["x"], ["l", "s"], domain="ai.onnx.ml", **attributes)
