"""softmax_stats and merge_stats: a row in pieces is the whole row."""

import functools

import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import logsumexp, merge_stats, softmax, softmax_stats
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
precise = pytest.mark.skipif(
    reference.MANTISSA_BITS < 64, reason="np.longdouble is no more precise than float64"
)


def exact_sum(x):
    wide = x.astype(np.longdouble)
    with np.errstate(under="ignore"):
        return np.exp(wide - wide.max(-1, keepdims=True)).sum(-1)


@precise
@dtypes
@pytest.mark.parametrize("n", [1, 2, 7, 16, 17, 100, 4096])
@pytest.mark.parametrize("sigma", [0.1, 3, 30, 1000])
def test_exact_whole_and_in_pieces(n, sigma, dtype):
    x = (np.random.default_rng(n).standard_normal((20, n)) * sigma).astype(dtype)
    maximum, total = softmax_stats(x)
    np.testing.assert_array_equal(maximum, x.max(-1))
    assert (maximum.dtype, total.dtype) == (dtype, np.float64)
    assert ulp_error(total, exact_sum(x)).max() <= 2
    pieces = [softmax_stats(piece) for piece in np.array_split(x, min(n, 6), -1)]
    for order in (pieces, pieces[::-1]):
        largest, merged = functools.reduce(merge_stats, order)
        np.testing.assert_array_equal(largest, maximum)
        assert ulp_error(merged, exact_sum(x)).max() <= 2 + 2 * len(pieces)


@precise
def test_sums_that_outweigh_a_larger_maximum():
    """A piece of many numbers far below the other's one: the difference of the maxima has to be exact."""
    for gap in np.random.default_rng(0).uniform(5, 30, 50):
        many, one = np.full((1, 100_000), 0.1), np.array([[0.1 + gap]])
        _, merged = merge_stats(softmax_stats(many), softmax_stats(one))
        assert ulp_error(merged, exact_sum(np.concatenate([many, one], 1))).max() <= 4


@dtypes
def test_probabilities_follow(dtype):
    left, right = np.random.default_rng(1).standard_normal((2, 5, 30)).astype(dtype)
    maximum, total = merge_stats(softmax_stats(left), softmax_stats(right))
    wide = left.astype(float) - maximum.astype(float)[:, None]
    whole = np.concatenate([left, right], -1)
    eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-22, "float64": 2.0**-50}[dtype.name]
    np.testing.assert_allclose(np.exp(wide) / total[:, None], softmax(whole)[:, :30].astype(float), rtol=eps)
    np.testing.assert_allclose(
        maximum.astype(float) + np.log(total), logsumexp(whole.astype(float)), rtol=1e-14
    )


@dtypes
def test_special_values_whole_and_in_pieces(dtype):
    nan, inf = np.nan, np.inf
    x = [
        [nan, 1, 2],
        [1, 2, nan],
        [inf, 1, 2],
        [1, inf, inf],
        [-inf] * 3,
        [-inf, 0, 0],
        [0, 0, -inf],
        [nan, inf, 0],
    ]
    x = np.array([*x, [inf, 0, nan]], dtype)
    largest = np.array([nan, nan, inf, inf, -inf, 0, 0, nan, nan])
    sums = np.array([nan, nan, nan, nan, 0, 2, 2, nan, nan])
    results = [softmax_stats(x), softmax_stats(x.T, 0)]
    results += [merge_stats(softmax_stats(x[:, :k]), softmax_stats(x[:, k:])) for k in range(4)]
    results.append(functools.reduce(merge_stats, [softmax_stats(x[:, k : k + 1]) for k in range(3)]))
    for maximum, total in results:
        np.testing.assert_array_equal(maximum.astype(float), largest)
        np.testing.assert_array_equal(total, sums)


@dtypes
def test_far_apart(dtype):
    largest = np.finfo(np.float64).max if dtype == np.float64 else 60000
    low, high = (softmax_stats(np.array([sign * largest] * 3, dtype)) for sign in (-1, 1))
    assert merge_stats(low, high) == merge_stats(high, low) == (dtype.type(largest), 3)


@dtypes
def test_any_axis_and_layout(dtype):
    x = np.random.default_rng(2).standard_normal((4, 5, 40)).astype(dtype)
    wanted = softmax_stats(x)
    for axis in range(3):
        moved = np.moveaxis(x, -1, axis)
        for view in (
            moved,
            np.ascontiguousarray(moved),
            np.asfortranarray(moved),
            np.repeat(moved, 2, 0)[::2],
        ):
            for actual, expected in zip(softmax_stats(view, axis), wanted, strict=True):
                np.testing.assert_array_equal(actual, expected)
    for value in softmax_stats(x[0, 0]):
        assert np.shape(value) == ()


def test_refusals():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(TypeError, match="softmax_stats takes"):
        softmax_stats(np.arange(3))
    with pytest.raises(np.exceptions.AxisError):
        softmax_stats(x, 2)
    with pytest.raises(TypeError, match="one dtype"):
        merge_stats(softmax_stats(x), softmax_stats(x.astype(float)))
    with pytest.raises(ValueError, match="one shape"):
        merge_stats(softmax_stats(x), softmax_stats(x[:1]))
