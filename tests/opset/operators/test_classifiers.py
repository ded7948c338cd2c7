"""LinearClassifier and Normalizer of ai.onnx.ml, against onnxruntime and the oracle."""

import numpy as np
import pytest
import scipy.special

from softops.opset import operator

ML = "ai.onnx.ml"
CLASSIFIER, NORMALIZER = operator("LinearClassifier", 1, ML), operator("Normalizer", 1, ML)
X = np.random.default_rng(5).uniform(0.2, 0.4, (6, 3)).astype(np.float32)
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]
MULTI = {
    "coefficients": [0.5, 0.25, 0.75, -0.5, 0.125, 0.25, 0.0, 1.0, 0.5, 0.25, 0.0, 0.0],
    "intercepts": [0.0, 0.25, -0.125, 0.25],
    "classlabels_ints": [7, 3, 5, 9],
}
BINARY = {"coefficients": [0.5, -0.25, -0.75], "intercepts": [0.125], "classlabels_strings": ["no", "yes"]}
ZEROS = {
    "coefficients": [0.0, 0, 0, 1, 2, 3, 0, 0, 0],
    "intercepts": [0.0, 0, 1],
    "classlabels_ints": [0, 1, 2],
}


def assert_close(actual, expected, rtol=2e-6):
    labels, scores = actual
    np.testing.assert_array_equal(labels, expected[0])
    assert scores.dtype == expected[1].dtype == np.float32
    # A score near zero is a difference of products below 1, each rounded to float32.
    np.testing.assert_allclose(scores, expected[1], rtol=rtol, atol=3e-7)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("model", [MULTI, BINARY, ZEROS], ids=["multi", "binary", "zeros"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_is_that_of_onnxruntime(onnxruntime_of, transform, model, dtype):
    x = (X * (1 if np.dtype(dtype).kind == "f" else 10)).astype(dtype)
    attributes = {**model, "post_transform": transform}
    expected = onnxruntime_of("LinearClassifier", 1, [x], attributes, domain=ML, outputs=2)
    assert_close(CLASSIFIER.run([x], attributes, outputs=2), expected)
    assert_close(CLASSIFIER.evaluate([x], attributes, outputs=2), expected)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_single_score_of_exactly_zero_is_the_first_label(onnxruntime_of, transform):
    given = {**BINARY, "intercepts": [0.0], "post_transform": transform}
    expected = onnxruntime_of("LinearClassifier", 1, [X * 0], given, domain=ML, outputs=2)
    for method in (CLASSIFIER.run, CLASSIFIER.evaluate):
        labels, _ = method([X * 0], given, outputs=2)
        np.testing.assert_array_equal(labels, expected[0])


def test_one_vector_is_a_batch_of_one(onnxruntime_of):
    expected = onnxruntime_of("LinearClassifier", 1, [X[0]], MULTI, domain=ML, outputs=2)
    assert_close(CLASSIFIER.run([X[0]], MULTI, outputs=2), expected)
    assert expected[1].shape == (1, 4)


@pytest.mark.parametrize("model", [MULTI, BINARY], ids=["multi", "binary"])
def test_probit_is_the_quantile_of_the_normal_distribution(model):
    (_, scores), (_, exact) = (
        method([X.astype(np.float64)], {**model, "post_transform": "PROBIT"}, outputs=2)
        for method in (CLASSIFIER.run, CLASSIFIER.evaluate)
    )
    _, plain = CLASSIFIER.evaluate([X.astype(np.float64)], model, outputs=2, rounded=False)
    expected = scipy.special.ndtri(plain.astype(np.float64)).astype(np.float32)
    assert np.isnan(expected).any() == (plain < 0).any()
    np.testing.assert_allclose(scores, expected, rtol=2e-7)
    np.testing.assert_allclose(exact, expected, rtol=2e-7)


def test_probit_at_the_ends():
    given = {"coefficients": [1.0, 0, 0, 1], "classlabels_ints": [1, 2], "post_transform": "PROBIT"}
    x = np.array([[0.0, 1.0], [-1.0, 0.5], [2.0, 1e-30]])
    expected = [[-np.inf, np.inf], [np.nan, 0], [np.nan, scipy.special.ndtri(1e-30)]]
    for method in (CLASSIFIER.run, CLASSIFIER.evaluate):
        np.testing.assert_allclose(method([x], given, outputs=2)[1], expected, rtol=1e-6)


def test_scores_of_zero_stay_zero():
    given = {**ZEROS, "intercepts": [0.0, 0.0, 0.0], "post_transform": "SOFTMAX_ZERO"}
    for method in (CLASSIFIER.run, CLASSIFIER.evaluate):
        assert method([X[:1]], given, outputs=2)[1].tolist() == [[0, 1, 0]]
        assert method([X[:1] * 0], given, outputs=2)[1].tolist() == [[0, 0, 0]]


def test_without_intercepts_they_are_zero():
    without = {name: value for name, value in MULTI.items() if name != "intercepts"}
    zeros = {**MULTI, "intercepts": [0.0] * 4}
    assert_close(CLASSIFIER.run([X], without, outputs=2), CLASSIFIER.run([X], zeros, outputs=2), rtol=0)


@pytest.mark.parametrize(
    ("x", "change", "message"),
    [
        (X[:, :2], {}, r"4 scores of 2 features, 8 in all \(got 12\)"),
        (X[None], {}, r"shape \(N, C\) or \(C,\) \(got \(1, 6, 3\)\)"),
        (X, {"classlabels_ints": [1, 2]}, r"4 class labels for 4 scores \(got 2\)"),
        (X, {"classlabels_ints": []}, "classlabels_strings .got neither"),
        (X, {"classlabels_strings": ["a"]}, "classlabels_strings .got both"),
        (X, {"post_transform": "EXP"}, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, PROBIT .got 'EXP'"),
        (X, {"coefficients": None}, "needs the attribute coefficients"),
    ],
)
def test_what_a_classifier_refuses(x, change, message):
    for method in (CLASSIFIER.run, CLASSIFIER.evaluate):
        with pytest.raises(ValueError, match=message):
            method([x], {**MULTI, **change}, outputs=2)


@pytest.mark.parametrize("norm", [None, "MAX", "L1", "L2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_normalizer_is_that_of_onnxruntime(onnxruntime_of, norm, dtype):
    rows = np.array([[1, -2, 5], [-1, -2, -3], [0, 0, 0], [4, 4, 4]]).astype(dtype)
    given = {} if norm is None else {"norm": norm}
    for x in (rows, rows[0], rows[:0]):
        expected = onnxruntime_of("Normalizer", 1, [x], given, domain=ML)
        for method in (NORMALIZER.run, NORMALIZER.evaluate):
            (y,) = method([x], given)
            assert y.dtype == np.float32
            np.testing.assert_allclose(y, expected[0], rtol=3e-7)


def test_normalizer_of_squares_that_overflow():
    x = np.array([[3e200, 4e200], [3e-200, 4e-200]])
    for method in (NORMALIZER.run, NORMALIZER.evaluate):
        np.testing.assert_allclose(method([x], {"norm": "L2"})[0], [[0.6, 0.8]] * 2, rtol=1e-7)


def test_what_a_normalizer_refuses():
    for method in (NORMALIZER.run, NORMALIZER.evaluate):
        with pytest.raises(ValueError, match=r"MAX, L1, L2 .got 'l2'"):
            method([X], {"norm": "l2"})
        with pytest.raises(ValueError, match=r"\(N, C\) or \(C,\)"):
            method([X[None]])
