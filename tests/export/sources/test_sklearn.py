"""Fitted scikit-learn classifiers against their own predict, predict_proba and decision_function."""

import copy
import warnings
from functools import cache

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import expit

from softops.export import from_sklearn
from softops.opset.backend import prepare

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")

from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine  # noqa: E402
from sklearn.linear_model import (  # noqa: E402
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

OPSETS = [9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
DATA = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer, "digits": load_digits}


def scaled(classifier, scaler=StandardScaler):
    return make_pipeline(scaler(), classifier)


def mlp(**options):
    return scaled(MLPClassifier((12,), max_iter=60, random_state=0, **options))


def calibrated(classifier, method, **options):
    return CalibratedClassifierCV(classifier, method=method, cv=3, **options)


ZOO = {
    "binary": ("cancer", lambda: scaled(LogisticRegression())),
    "multinomial": ("iris", lambda: LogisticRegression(max_iter=500)),
    "digits": ("digits", lambda: scaled(LogisticRegression(), MinMaxScaler)),
    "cross-validated": (
        "wine",
        lambda: scaled(LogisticRegressionCV(Cs=2)),
    ),
    "liblinear": ("cancer", lambda: scaled(LogisticRegression(solver="liblinear"))),
    "one-vs-rest": ("wine", lambda: scaled(OneVsRestClassifier(LogisticRegression()))),
    "one-vs-rest of two": ("cancer", lambda: scaled(OneVsRestClassifier(LogisticRegression()))),
    "sgd log_loss": ("digits", lambda: scaled(SGDClassifier(loss="log_loss", random_state=0))),
    "sgd log_loss of two": ("cancer", lambda: scaled(SGDClassifier(loss="log_loss", random_state=0))),
    "sgd huber": ("wine", lambda: scaled(SGDClassifier(loss="modified_huber", random_state=0))),
    "sgd huber of two": ("cancer", lambda: scaled(SGDClassifier(loss="modified_huber", random_state=0))),
    "sgd hinge": ("iris", lambda: SGDClassifier(random_state=0)),
    "ridge": ("wine", lambda: scaled(RidgeClassifier())),
    "ridge of two": ("cancer", lambda: scaled(RidgeClassifier())),
    "svc": ("digits", lambda: scaled(LinearSVC(max_iter=200, tol=0.1))),
    "svc of two": ("cancer", lambda: scaled(LinearSVC())),
    "perceptron": ("iris", lambda: Perceptron(random_state=0)),
    "mlp": ("wine", mlp),
    "mlp tanh": ("digits", lambda: mlp(activation="tanh")),
    "mlp logistic": ("iris", lambda: mlp(activation="logistic")),
    "mlp identity of two": ("cancer", lambda: mlp(activation="identity")),
    "platt": ("wine", lambda: calibrated(scaled(LinearSVC()), "sigmoid")),
    "platt of two": ("cancer", lambda: calibrated(scaled(LinearSVC()), "sigmoid", ensemble=False)),
    "platt of mlp": ("wine", lambda: calibrated(mlp(), "sigmoid")),
    "platt of mlp of two": ("cancer", lambda: calibrated(mlp(), "sigmoid")),
    "temperature": ("digits", lambda: calibrated(scaled(LogisticRegression()), "temperature")),
    "temperature of two": ("cancer", lambda: calibrated(scaled(LogisticRegression()), "temperature")),
    "temperature of mlp": ("wine", lambda: calibrated(mlp(), "temperature", ensemble=False)),
    "temperature of mlp of two": ("cancer", lambda: calibrated(mlp(), "temperature")),
    "clipped": ("wine", lambda: make_pipeline(MinMaxScaler(clip=True), "passthrough", LogisticRegression())),
    "range": (
        "iris",
        lambda: make_pipeline(MinMaxScaler((-2, 3)), StandardScaler(with_mean=False), RidgeClassifier()),
    ),
}


@cache
def fitted(name):
    """A classifier of the zoo, with half of its data held back."""
    data, make = ZOO[name]
    x, y = DATA[data](return_X_y=True)
    names = np.array([f"class {i}" for i in range(y.max() + 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training that stops early and defaults that will change
        return make().fit(x[::2], names[y[::2]] if data == "wine" else y[::2]), x[1::2]


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": x}), strict=True))


def in_softops(model, x):
    prepared = prepare(model)
    return dict(zip(prepared.output_names, prepared.run({"features": x}), strict=True))


def rounding(dtype):
    """One rounding in the model's dtype and one in float64, which is scikit-learn's."""
    return float(np.finfo(dtype).eps + np.finfo("float64").eps) / 2


def product_error(weight, bias, x, error, dtype):
    """The bound of docs/export.md on x @ weight.T + bias, x being off by `error`: any order of the sum."""
    terms = weight.shape[1] + 2
    gamma = terms * rounding(dtype) / (1 - terms * rounding(dtype))
    return gamma * (abs(x) @ abs(weight).T + abs(bias)) + (1 + gamma) * error @ abs(weight).T


def decision_error(model, x, dtype, error=0.0):
    """The bound on what a classifier computes before its probabilities."""
    error = np.zeros_like(x) + error
    if hasattr(model, "steps"):
        for _, step in model.steps[:-1]:
            if hasattr(step, "data_min_"):
                error = error * step.scale_ + rounding(dtype) * (
                    3 * abs(x * step.scale_) + 2 * abs(step.min_)
                )
            elif step != "passthrough":
                mean = step.mean_ if step.with_mean else 0
                error = (error + rounding(dtype) * (abs(mean) + 3 * abs(x - mean))) / step.scale_
            x = x if step == "passthrough" else step.transform(x)
        return decision_error(model.steps[-1][1], x, dtype, error)
    if hasattr(model, "coefs_"):
        act = {
            "relu": lambda z: np.maximum(z, 0),
            "tanh": np.tanh,
            "identity": lambda z: z,
            "logistic": expit,
        }
        for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            error = product_error(weight.T, bias, x, error, dtype)
            x = x @ weight + bias
            if (
                i < len(model.coefs_) - 1
            ):  # slopes are at most 1; tanh and sigmoid of runtimes are within 4 ULP of 1
                x = act[model.activation](x)
                error = error + 8 * rounding(dtype) * (model.activation in ("tanh", "logistic"))
        return error
    parts = model.estimators_ if hasattr(model, "estimators_") else [model]
    weight = np.concatenate([np.atleast_2d(part.coef_) for part in parts])
    bias = np.concatenate([np.reshape(part.intercept_, -1) for part in parts])
    return product_error(weight, bias, x, error, dtype)


def probability_error(model, x, dtype):
    """The bound of docs/export.md on the probabilities."""
    classes = len(model.classes_)
    own = (classes + 16) * rounding(dtype)
    if hasattr(model, "calibrated_classifiers_"):
        return own + max(calibrated_error(part, x, dtype) for part in model.calibrated_classifiers_)
    error = decision_error(model, x, dtype).max(1)
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    if getattr(last, "loss", None) == "modified_huber" and classes > 2:
        share = ((np.clip(model.decision_function(x), -1, 1) + 1) / 2).sum(1)
        error = error * (1 + classes) / np.where(share > 0, share, 1)
    return own + (error / 2).max()


def calibrated_error(part, x, dtype):
    """The bound on one classifier inside CalibratedClassifierCV."""
    error, inner = decision_error(part.estimator, x, dtype), part.estimator
    if hasattr(inner, "decision_function"):
        size = abs(inner.decision_function(x)).reshape(len(x), -1)
    else:
        size = np.ones((1, 1))
    if hasattr(part.calibrators[0], "beta_"):
        beta = part.calibrators[0].beta_
        if not hasattr(inner, "decision_function"):  # logarithms of probabilities, down to that of 1e-12
            error, size = 2 * error + 32 * rounding(dtype), 28
        return (beta * (error + 3 * rounding(dtype) * size)).max() / 2
    slope = max(abs(float(one.a_)) for one in part.calibrators)
    shift = max(abs(float(one.b_)) for one in part.calibrators)
    return (slope * (error + 3 * rounding(dtype) * size)).max() / 2 + 2 * rounding(dtype) * shift


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(ZOO))
def test_label_probabilities_and_decision_are_those_of_scikit_learn_at_every_opset(run, name, dtype):
    model, x = fitted(name)
    x = x.astype(dtype)
    exact = x.astype(np.float64)
    outputs = {"label": model.predict(exact)}
    if hasattr(model, "predict_proba"):
        outputs["probabilities"] = model.predict_proba(exact)
    if hasattr(model, "decision_function"):
        outputs["decision"] = model.decision_function(exact)
    clear = np.ones(len(x), bool)
    if "decision" in outputs:
        bound = decision_error(model, exact, dtype)
    if "probabilities" in outputs:
        share_bound = probability_error(model, exact, dtype)
        best = np.sort(outputs["probabilities"], 1)
        clear = best[:, -1] - best[:, -2] > 2 * share_bound
        assert clear.mean() > 0.85  # modified_huber gives two sure classes one half each
    for opset in OPSETS:
        got = run(from_sklearn(model, dtype=dtype, outputs=list(outputs), opset=opset), x)
        assert list(got) == list(outputs)
        if "decision" in got:
            difference = abs(got["decision"] - outputs["decision"])
            assert (difference.reshape(bound.shape) <= bound).all()
        if "probabilities" in got:
            assert abs(got["probabilities"] - outputs["probabilities"]).max() <= share_bound
            assert got["probabilities"].dtype == dtype
        np.testing.assert_array_equal(got["label"][clear], outputs["label"][clear])


@pytest.mark.parametrize(
    "name", ["binary", "multinomial", "digits", "one-vs-rest", "platt", "temperature", "mlp"]
)
def test_the_bound_says_a_few_ulp_in_float64_and_a_millionth_in_float32(name):
    """The bound itself, which takes every rounding at its worst and all in one direction, is 1000 times that."""
    model, x = fitted(name)
    assert probability_error(model, x, "float64") < 1e-12
    assert probability_error(model, x, "float32") < 1e-3
    for dtype, promise in (("float64", 2e-15), ("float32", 1e-6)):
        given = x.astype(dtype)
        got = in_softops(from_sklearn(model, dtype=dtype), given)["probabilities"]
        assert abs(got - model.predict_proba(given.astype(np.float64))).max() < promise


def with_weights_of(model, dtype):
    """The same estimator with its coefficients and those of its scalers rounded to a dtype."""
    if isinstance(model, str):  # passthrough
        return model
    model = copy.copy(model)
    for name in ("coef_", "intercept_", "mean_", "scale_", "min_"):
        if getattr(model, name, None) is not None:
            setattr(model, name, np.asarray(getattr(model, name)).astype(dtype).astype(np.float64))
    for name in ("coefs_", "intercepts_"):
        if hasattr(model, name):
            setattr(model, name, [array.astype(dtype).astype(np.float64) for array in getattr(model, name)])
    if hasattr(model, "steps"):
        model.steps = [(name, with_weights_of(step, dtype)) for name, step in model.steps]
    if hasattr(model, "estimators_"):
        model.estimators_ = [with_weights_of(part, dtype) for part in model.estimators_]
    if hasattr(model, "calibrated_classifiers_"):
        model.calibrated_classifiers_ = [copy.copy(part) for part in model.calibrated_classifiers_]
        for part in model.calibrated_classifiers_:
            part.estimator = with_weights_of(part.estimator, dtype)
    return model


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", list(ZOO))
def test_halves_are_those_of_scikit_learn_with_halves_for_weights_at_every_opset(run, name, dtype):
    """Within the bound of float32, in which they are computed, and one rounding."""
    if (run, dtype) == (in_onnxruntime, "bfloat16"):
        pytest.skip("onnxruntime takes no NumPy arrays of bfloat16: see test_bfloat16.py")
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    model, x = fitted(name)
    x = x.astype(kind)
    exact, twin = x.astype(np.float64), with_weights_of(model, kind)
    probable = hasattr(twin, "predict_proba")
    expected = twin.predict_proba(exact) if probable else twin.decision_function(exact)
    if probable:
        bound = probability_error(twin, exact, "float32")
    else:
        bound = decision_error(twin, exact, "float32").reshape(expected.shape)
    for opset in OPSETS:
        if dtype == "bfloat16" and opset < 13:
            continue
        got = run(from_sklearn(model, dtype=kind, opset=opset), x)
        scores = got["probabilities" if probable else "decision"]
        assert scores.dtype == kind
        half = abs(expected) * float(ml_dtypes.finfo(kind).eps) / 2 + float(
            ml_dtypes.finfo(kind).smallest_subnormal
        )
        assert (abs(scores.astype(np.float64) - expected) <= bound + half).all()


@pytest.mark.parametrize("uniform", [True, False])
def test_where_every_sigmoid_is_0_scikit_learn_is_followed(uniform):
    model, x = fitted("sgd log_loss" if uniform else "one-vs-rest")
    basis = model.decision_function(np.eye(x.shape[1])) - model.decision_function(np.zeros((1, x.shape[1])))
    against_all = np.linalg.lstsq(basis.T, np.full(len(basis.T), -1e5), rcond=None)[0]
    far = np.concatenate([x[:5], against_all[None], x[:5] * 1e6])
    expected = model.predict_proba(far)
    np.testing.assert_array_equal(expected[5], 1 / len(basis.T) if uniform else 0)
    for dtype in ("float64", "float32"):
        got = in_onnxruntime(from_sklearn(model, dtype=dtype), far.astype(dtype))["probabilities"]
        np.testing.assert_allclose(got, expected, atol=1e-6)
