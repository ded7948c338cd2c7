"""The verdict on a value whose noise is known, and the advice for a test."""

import numpy as np
import pytest

from softops.conformance import TensorNoise
from softops.conformance.rounding.advice import advised, rounded_up
from softops.conformance.rounding.envelope import digits_of, moderated

RANDOM = np.random.default_rng(3)
EXACT = RANDOM.normal(size=(20, 50))
SIGMA = np.full(EXACT.shape, 1e-5)


def scores(exact=EXACT, sigma=SIGMA, **rest):
    return TensorNoise("y", "node 'softmax' (Softmax)", "float32", exact, sigma, **rest)


def test_the_exact_value_rounded_is_equal():
    assert scores().judge(EXACT.astype(np.float32)).verdict == "equal"


def test_gaussian_noise_of_that_size_is_explained():
    found = scores().judge((EXACT + 1e-5 * RANDOM.normal(size=EXACT.shape)).astype(np.float32))
    assert found.verdict == "explained by rounding"
    assert 0.9 < found.rms < 1.1
    assert 2 < found.ratio < 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y.__setitem__((3, 4), y[3, 4] + 2e-4), "standard deviations off"),
        (lambda y: y.__iadd__(np.float32(3e-5)), "root mean square"),
        (lambda y: y.__setitem__((3, 4), np.nan), "a NaN where a number"),
        (lambda y: y.__setitem__((3, 4), np.inf), "inf where"),
    ],
)
def test_more_than_that_is_not(change, words):
    y = EXACT.astype(np.float32)
    change(y)
    found = scores().judge(y)
    assert found.verdict == "not explained"
    assert words in found.reason
    assert found.differing >= 1
    assert scores(hangs_on=("a quantised value",)).judge(y).verdict == "not decidable"


@pytest.mark.parametrize(("count", "explained"), [(4, True), (15, True), (16, False), (400, False)])
def test_few_numbers_may_be_further_off_together(count, explained):
    # Chance takes four normal numbers to a root mean square of 2.9 once in a million times, 400 never to 2.5.
    noise = TensorNoise("y", "", "float32", np.zeros(count), np.full(count, 1e-3))
    assert noise.judge(np.full(count, 2.5e-3) * np.linspace(0.98, 1.02, count)).explained == explained
    assert not noise.judge(np.full(count, 4e-3) * np.linspace(0.98, 1.02, count)).explained


def test_the_mean_says_nothing_of_numbers_that_are_all_alike():
    """Networks of constant weights make the same error everywhere."""
    exact = np.repeat([[0.25], [0.75]], 500, 1)
    noise = scores(exact, np.full(exact.shape, 1e-5))
    assert noise.judge((exact + 5e-5).astype(np.float32)).verdict == "explained by rounding"
    assert noise.judge((exact + 2e-4).astype(np.float32)).verdict == "not explained"
    assert scores().judge((EXACT + 5e-5).astype(np.float32)).verdict == "not explained"


def test_nan_meets_nan_and_infinity_itself():
    exact = np.array([np.nan, np.inf, -np.inf, 1.0])
    noise = scores(exact, np.full(4, 1e-7))
    assert noise.judge(exact.astype(np.float32)).verdict == "equal"
    assert noise.judge(np.array([0, np.inf, -np.inf, 1], np.float32)).verdict == "not explained"
    assert noise.judge(np.array([np.nan, -np.inf, -np.inf, 1], np.float32)).verdict == "not explained"


def test_what_is_beyond_the_dtype_may_be_infinite():
    exact = np.array([1e39, 1.0])
    assert scores(exact, np.array([1e32, 1e-7])).judge(np.array([np.inf, 1], np.float32)).explained


def test_labels():
    exact = np.array([3, 5, 7])
    noise = TensorNoise("label", "ArgMax", "int64", exact, np.zeros(3), np.array([False, True, False]))
    assert noise.judge(exact).verdict == "equal"
    assert noise.judge(np.array([3, 6, 7])).verdict == "explained by rounding"
    assert noise.judge(np.array([4, 6, 7])).verdict == "decisions differ"


def test_labels_that_are_too_close_to_tell():
    exact = np.array([[0.5, 0.5 - 1e-6, 0.0], [0.9, 0.1, 0.0]])
    noise = scores(exact, np.full(exact.shape, 1e-6))
    assert (noise.labels.rows, noise.labels.undecided, noise.labels.undecided_top) == (2, 1, None)


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"expected y of shape \(20, 50\) \(got \(50, 20\)\)"):
        scores().judge(EXACT.T)


def test_single_elements_are_moderated_by_their_row():
    variance = RANDOM.chisquare(8, size=(100, 200)) / 8
    assert np.std(moderated(variance, 8, np.dtype(np.float32))) < 0.6 * np.std(np.sqrt(variance))
    assert np.mean(moderated(variance, 8, np.dtype(np.float32)) ** 2) == pytest.approx(np.mean(variance))


def test_digits():
    assert digits_of(np.full(100, 1e-12), np.full(100, 10.0)) == pytest.approx(7)
    assert digits_of(np.zeros(3), np.ones(3)) == np.inf


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("relative", [0, 3e-7])
def test_advice_covers_six_standard_deviations_and_is_of_one_digit(seed, relative):
    random = np.random.default_rng(seed)
    exact = random.normal(size=1000) * 10 ** random.uniform(-3, 1)
    sigma = np.hypot(1e-6, relative * np.abs(exact)) * random.uniform(0.5, 2, size=1000)
    found = advised(exact, sigma)
    assert (found.atol + found.rtol * np.abs(exact) >= 6 * sigma * (1 - 1e-9)).all()
    assert (found.atol + found.rtol * np.abs(exact) <= 60 * sigma.max()).all()
    for value in found:
        assert len(f"{value:e}".split("e")[0].rstrip("0").rstrip(".")) == 1


def test_rounding_up():
    assert [rounded_up(x) for x in (1.0e-6, 1.2e-6, 9.5e-7, 0.0)] == [1e-6, 2e-6, 1e-6, 0.0]
