"""Rows of a winner and many equal scores: what their exponentials are off by adds up instead of evening out."""

from pathlib import Path

import numpy as np
import pytest

from softops.conformance import ulp_error
from softops.numba_kernels import log_softmax, logsumexp, softmax
from softops.opset import reference

# float32 rows are summed in one of several ways, by their length and by what is left without the maximum
LENGTHS = [10, 16, 40, 300, 511, 512, 1000, 5000, 20000]
BOUNDS = {"float32": (1, 2), "float64": (2, 2)}


@pytest.mark.parametrize("share", [1e-6, 2e-5, 1e-4, 1e-3, 0.02, 0.3, 0.6, 0.7, 1.3, 1.8, 5, 7])
@pytest.mark.parametrize("n", LENGTHS)
def test_a_winner_and_equal_scores(n, share, dtype):
    """`share`: the sum of the others over the winner's term."""
    rng = np.random.default_rng(n)
    equal = rng.integers(1, n, size=(8, 1))
    winner = rng.normal(size=(8, 1)) * 5
    x = np.where(np.arange(n) <= equal, winner + np.log(share / equal), winner - rng.uniform(30, 60))
    x[:, :1] = np.maximum(winner, x.max(axis=1, keepdims=True))
    x = x.astype(dtype)
    of_probability, of_sum = BOUNDS[dtype.name]
    assert ulp_error(log_softmax(x), reference.log_softmax(x)).max() <= of_probability
    assert ulp_error(logsumexp(x), reference.logsumexp(x)).max() <= of_sum


def test_a_row_of_many_equal_scores():
    """Three winners and 338 equal scores below them: the worst of many such rows, 2.39 ULP off where errors add up."""
    row = np.load(Path(__file__).parents[1] / "data" / "many_equal_scores.npy")
    for x in (row, row[::-1], np.tile(row, (3, 1))):
        assert ulp_error(softmax(x), reference.softmax(x)).max() <= 2


@pytest.mark.parametrize("n", [33, 47, 64, 100, 300, 680, 1000, 20000])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_some_winners_and_equal_scores_anywhere(n, share, dtype):
    """In float32 some rows in a hundred are more than 2 ULP off where the errors of equal scores add up."""
    rng = np.random.default_rng(n)
    rows = 60 if n < 2000 else 4
    winner = rng.normal(size=(rows, 1)) * 8
    equal = winner - rng.uniform(0.05, 3, size=(rows, 1))
    x = np.where(rng.random((rows, n)) < share, equal, winner - rng.uniform(2, 22, size=(rows, n)))
    x[:, :3] = winner
    x = rng.permuted(x, axis=1).astype(dtype)
    exact = reference.softmax(x)
    assert ulp_error(softmax(x), exact).max() <= 2
    columns = np.ascontiguousarray(x.T)
    by_columns = softmax(columns, 0)
    assert ulp_error(by_columns, exact.T).max() <= 2
    np.testing.assert_array_equal(by_columns[:, :3], softmax(np.ascontiguousarray(columns[:, :3]), 0))
