"""Rows made to break a softmax: scores repeated at every distance below the maximum, several equal maxima.

What equal exponentials are off by adds up in the sum and in each of their own probabilities.
"""

from pathlib import Path

import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import log_softmax, logsumexp, softmax, vector
from softops.opset import reference

# Around a vector, a block and two of them.
LENGTHS = [
    1,
    2,
    3,
    5,
    15,
    16,
    17,
    18,
    31,
    32,
    33,
    47,
    48,
    100,
    680,
    1000,
    2000,
    8191,
    8192,
    8193,
    16383,
    16384,
    16385,
]
# Without a fused multiply-add the exponential's last step rounds once more.
BOUND = 1.75 if vector.fuses() else 2.0


def repeated_scores(n, rows, seed):
    """One to five equal maxima, many equal scores up to 12 below, and up to a third of all anywhere below."""
    rng = np.random.default_rng([seed, n])
    place, maximum = np.arange(n), rng.uniform(-20, 20, (rows, 1))
    x = np.repeat(maximum - rng.uniform(0, 12, (rows, 1)), n, axis=1)
    x = np.where(place < rng.integers(1, 6, (rows, 1)), maximum, x)
    others = maximum - rng.uniform(0, 25, (rows, n))
    x = np.where(place >= n - rng.integers(0, n, (rows, 1)) // 3, others, x)
    x[:, 0] = maximum[:, 0]
    return x.astype(np.float32)


def assert_within_bound(x):
    exact = reference.softmax(x)
    assert ulp_error(softmax(x), exact).max() <= BOUND
    columns = softmax(np.ascontiguousarray(x.T), axis=0).T
    assert ulp_error(columns, exact).max() <= BOUND


def test_a_row_that_was_2_39_ulp_off():
    """Three equal maxima, 338 equal scores 0.93 lower, 339 others."""
    x = np.load(Path(__file__).parent / "data" / "many_equal_scores.npy")
    assert_within_bound(x[None])


@pytest.mark.parametrize("n", LENGTHS)
def test_repeated_scores(n):
    assert_within_bound(repeated_scores(n, max(2, 4000 // n), 1))


@pytest.mark.slow
@pytest.mark.parametrize("n", LENGTHS)
def test_many_rows_of_repeated_scores(n):
    """24,000 rows of at most 2000 numbers, 200 of the longer ones for each length."""
    for seed in range(2, 2 + (15 if n <= 2000 else 4)):
        assert_within_bound(repeated_scores(n, 100 if n <= 2000 else 50, seed))


def test_what_has_no_rival_is_one():
    for n in (1, 2, 16, 40, 300, 20000):
        x = np.full((2, n), -120, np.float32)
        x[:, n // 2] = [3.3, -17.7]
        assert np.all(softmax(x)[:, n // 2] == 1)
        assert np.all(softmax(np.ascontiguousarray(x.T), axis=0)[n // 2] == 1)


def wide_rows(n, rows, seed):
    """Scores near the maximum beside many that are nothing beside it: masked ones, and those just above and below
    where they no longer count."""
    rng = np.random.default_rng([seed, n])
    maximum = rng.uniform(-200, 200, (rows, 1))
    near = maximum - rng.uniform(0, 3, (rows, n))
    edge = maximum - rng.uniform(100, 135, (rows, n))
    kind = rng.integers(0, 4, (rows, n))
    x = np.choose(kind, [near, edge, np.full((rows, n), -np.inf), maximum - rng.uniform(0, 5000, (rows, n))])
    x[:, 0] = maximum[:, 0]
    return x.astype(np.float32)


@pytest.mark.parametrize("n", LENGTHS)
def test_rows_with_numbers_that_do_not_count(n):
    x = wide_rows(n, max(2, 4000 // n), 3)
    assert_within_bound(x)
    for function, exact, bound in (
        (log_softmax, reference.log_softmax(x), 1.0),
        (logsumexp, reference.logsumexp(x), 2.0),
    ):
        assert ulp_error(function(x), exact).max() <= bound
        columns = function(np.ascontiguousarray(x.T), axis=0).T
        assert ulp_error(columns, exact).max() <= bound
