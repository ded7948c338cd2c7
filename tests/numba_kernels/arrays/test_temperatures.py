"""A temperature for each row: what each row gives by itself, and what is refused."""

import numpy as np
import pytest

from softops import numba_kernels as kernels

RANDOM = np.random.default_rng(7)
X = RANDOM.standard_normal((3, 4, 9)) * 5
DEGREES = np.array([[0.3], [1.0], [2.5], [17.0]])
MASK = RANDOM.random(X.shape) < 0.7


def rows_apart(operator, x, degrees, **options):
    """Each row by itself, with its temperature as a number."""
    degrees = np.broadcast_to(degrees, (*x.shape[:-1], 1))[..., 0]
    of_rows = [
        operator(x[i], temperature=float(degrees[i]), **{k: v[i] for k, v in options.items()})
        for i in np.ndindex(x.shape[:-1])
    ]
    return np.stack(of_rows).reshape(x.shape)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("operator", [kernels.softmax, kernels.log_softmax], ids=lambda f: f.__name__)
def test_rows(operator, dtype):
    x = X.astype(dtype)
    degrees = DEGREES * 1.7  # at 1 exactly a number takes another way, with another last place
    expected = rows_apart(operator, x, degrees)
    np.testing.assert_array_equal(operator(x, temperature=degrees), expected)
    np.testing.assert_array_equal(operator(x, temperature=degrees.tolist()), expected)
    masked = rows_apart(operator, x, degrees, where=MASK)
    np.testing.assert_array_equal(operator(x, temperature=degrees, where=MASK), masked)
    for axis in (0, 1):
        turned, mask = np.moveaxis(x, -1, axis), np.moveaxis(MASK, -1, axis)
        moved = np.moveaxis(np.broadcast_to(degrees, (3, 4, 1)), -1, axis)
        for given in (turned, np.ascontiguousarray(turned)):
            actual = operator(given, axis, temperature=moved, where=mask)
            np.testing.assert_array_equal(np.moveaxis(actual, axis, -1), masked)


def test_the_definition():
    wide = X / DEGREES
    expected = np.exp(wide - wide.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(kernels.softmax(X, temperature=DEGREES), expected, rtol=1e-14)
    largest = np.array([[1e308, -1e308, 0.0]] * 2)
    np.testing.assert_allclose(
        kernels.softmax(largest, temperature=np.array([[1e-300], [1e308]])),
        [[1, 0, 0], np.exp([1, -1, 0]) / np.exp([1, -1, 0]).sum()],
    )


@pytest.mark.parametrize("axis", [(0, 2), (1, 2), None], ids=str)
def test_several_axes(axis):
    axes = (0, 1, 2) if axis is None else axis
    shape = [1 if d in axes else n for d, n in enumerate(X.shape)]
    degrees = RANDOM.uniform(0.5, 3, shape)
    wide = X / degrees
    expected = np.exp(wide) / np.exp(wide).sum(axes, keepdims=True)
    np.testing.assert_allclose(kernels.softmax(X, axis, temperature=degrees), expected, rtol=1e-13)


def test_draws_of_rows():
    """Each row draws as by itself, with its number; 0 is the best class."""
    degrees = np.array([[0.0], [0.5], [1.0], [8.0]])
    options = {"top_k": 7, "top_p": 0.9, "min_p": 0.01, "seed": 5}
    drawn = kernels.sample(X, 50, temperature=degrees, **options)
    for number, i in enumerate(np.ndindex(X.shape[:-1])):
        own = kernels.sample(X[i], 50, temperature=float(degrees[i[1], 0]), rows=number, **options)
        np.testing.assert_array_equal(drawn[i], own)
    assert (drawn[:, 0] == X[:, 0].argmax(-1)[:, None]).all()


def test_gumbel_and_the_best():
    degrees = DEGREES * 1.7
    drawn = kernels.gumbel_softmax(X, temperature=degrees, seed=3)
    best, at = kernels.topk(X, 4, probabilities=True, temperature=degrees)
    probabilities = kernels.softmax(X, temperature=degrees)
    for number, i in enumerate(np.ndindex(X.shape[:-1])):
        own = kernels.gumbel_softmax(X[i], temperature=float(degrees[i[1], 0]), seed=3, rows=number)
        np.testing.assert_array_equal(drawn[i], own)
    np.testing.assert_array_equal(at, np.argsort(-X, -1)[..., :4])
    np.testing.assert_allclose(best, np.take_along_axis(probabilities, at, -1), rtol=1e-14)


def test_linear_layers():
    x, weight = RANDOM.standard_normal((3, 4, 6)), RANDOM.standard_normal((9, 6))
    scores = x @ weight.T / DEGREES
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    close = {"rtol": 1e-12}
    np.testing.assert_allclose(kernels.linear_softmax(x, weight, temperature=DEGREES), expected, **close)
    np.testing.assert_allclose(
        kernels.linear_log_softmax(x, weight, temperature=DEGREES), np.log(expected), atol=1e-15, **close
    )
    log_sums = kernels.linear_logsumexp(x, weight, temperature=DEGREES)
    np.testing.assert_allclose(log_sums, np.log(np.exp(scores).sum(-1)), **close)
    best, at = kernels.linear_topk(x, weight, 3, probabilities=True, temperature=DEGREES)
    np.testing.assert_allclose(best, np.take_along_axis(expected, at, -1), **close)


FUNCTIONS = {
    **{
        name: lambda x, f=name, **o: getattr(kernels, f)(x, **o)
        for name in ("softmax", "log_softmax", "sample")
    },
    "gumbel_softmax": lambda x, **o: kernels.gumbel_softmax(x, **o),
    "topk": lambda x, **o: kernels.topk(x, 2, probabilities=True, **o),
    "linear_softmax": lambda x, **o: kernels.linear_softmax(x, np.ones((9, 9)), **o),
    "linear_logsumexp": lambda x, **o: kernels.linear_logsumexp(x, np.ones((9, 9)), **o),
    "linear_topk": lambda x, **o: kernels.linear_topk(x, np.ones((9, 9)), 2, probabilities=True, **o),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_refusals(name):
    function, of_row = FUNCTIONS[name], r"a temperature for each row, of shape \(3, 4, 1\) here"
    with pytest.raises(ValueError, match=rf"^{name} takes {of_row} \(got \(9,\)\); divide x itself"):
        function(X, temperature=np.ones(9))
    with pytest.raises(
        ValueError, match=rf"^{name} takes {of_row} \(got \(3, 4\)\); pass temperature.reshape\(3, 4, 1\)"
    ):
        function(X, temperature=np.ones((3, 4)))
    with pytest.raises(ValueError, match=rf"^{name} takes {of_row} \(got \(1, 3, 4, 1\)\)"):
        function(X, temperature=np.ones((1, 3, 4, 1)))
    with pytest.raises(TypeError, match=rf"^{name} takes a number as temperature"):
        function(X, temperature=np.array(["hot"]))
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=rf"^{name} takes temperatures .* finite \(got {wrong}\)"):
            function(X, temperature=np.where(DEGREES == 1, wrong, DEGREES))
