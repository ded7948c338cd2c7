"""sample: the draws of its definition, at their rates, whatever the batch, the threads and the neighbours are."""

import ml_dtypes
import numpy as np
import pytest
from numpy.exceptions import AxisError
from scipy.stats import chi2

from softops.numba_kernels import gumbel_noise, gumbel_softmax, sample

INF, NAN = np.inf, np.nan
DTYPES = [np.dtype(name) for name in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
X = np.random.default_rng(0).normal(0, 3, (40, 300)).astype(np.float32)


@dtypes
@pytest.mark.parametrize("n", [1, 7, 8, 33, 300])
def test_draws_are_those_of_the_definition(plain, dtype, n):
    x = np.random.default_rng(n).normal(0, 3, (6, n)).astype(dtype)
    for temperature in (1.0, 0.2, 5.0):
        drawn = sample(x, 5, temperature=temperature, seed=n)
        expected, lead = plain.draws(x, 5, seed=n, temperature=temperature)
        assert (drawn.shape, drawn.dtype) == ((6, 5), np.int64)
        np.testing.assert_array_equal(drawn[lead > 1e-11], expected[lead > 1e-11])
        assert (lead > 1e-11).mean() > 0.9


@pytest.mark.parametrize("scale", [1e-30, 1, 1e4, 3e38])
def test_scales_of_logits(plain, scale):
    x = (np.random.default_rng(1).uniform(-1, 1, (8, 50)) * scale).astype(np.float32)
    expected, _ = plain.draws(x, 3, seed=2)
    np.testing.assert_array_equal(sample(x, 3, seed=2), expected)


def chi_square(draws, p):
    """How unlikely the counts are."""
    counts = np.bincount(draws, minlength=len(p))
    assert not counts[p == 0].any()
    counts, p = counts[p > 0], p[p > 0]
    expected = p * counts.sum()
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(p) - 1)


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 2.0, "top_k": 9}, {"temperature": 0.8, "top_p": 0.9, "order": "mlx"}]
)
def test_a_million_draws_have_their_rates(plain, options):
    x = np.random.default_rng(8).normal(0, 2.5, 30)
    kept = plain.support(x, **options)
    p = np.where(kept, np.exp((x - x.max()) / options.get("temperature", 1)), 0)
    p /= p.sum()
    draws = sample(x, 1_000_000, seed=4, **options)
    assert chi_square(draws, p) > 1e-3
    # neighbouring draws, and draws of neighbouring rows, know nothing of one another
    both = np.outer(p, p).ravel()
    common = both > 1e-5
    for pairs in (
        draws[::2] * 30 + draws[1::2],
        sample(np.stack([x, x]), 300_000, seed=5, **options).T @ [30, 1],
    ):
        few = np.append(np.where(common, both, 0), both[~common].sum())
        assert chi_square(np.where(common[pairs], pairs, len(both)), few) > 1e-3


@pytest.mark.slow
def test_a_tail_far_below_is_drawn_at_its_rate():
    x = np.full(4096, -18.0, np.float32)
    x[0] = 0
    expected = 400_000 * 4095 * np.exp(-18)
    assert abs((sample(x, 400_000, seed=1) > 0).sum() - expected) < 4 * np.sqrt(expected)


OPTIONS = [{}, {"top_k": 20}, {"top_p": 0.8}, {"min_p": 0.1, "temperature": 1.5, "order": "llama.cpp"}]


@pytest.mark.parametrize("options", OPTIONS)
def test_batches_threads_and_neighbours_do_not_count(options, threads):
    whole = sample(X, 4, seed=3, **options)
    np.testing.assert_array_equal(sample(X, 4, seed=3, **options), whole)
    assert (sample(X, 4, seed=4, **options) != whole).any()
    parts = [sample(X[i : i + 13], 4, seed=3, rows=i, **options) for i in range(0, 40, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for i in (0, 17, 39):
        np.testing.assert_array_equal(sample(X[i], 4, seed=3, rows=i, **options), whole[i])
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(sample(X[order], 4, seed=3, rows=order, **options), whole[order])
    np.testing.assert_array_equal(sample(X, 2, seed=[3] * 40, rows=np.arange(40), **options), whole[:, :2])
    own = sample(X[order], 4, seed=order, rows=17, **options)
    for i in (0, 20):
        np.testing.assert_array_equal(own[i], sample(X[order[i]], 4, seed=order[i], rows=17, **options))
    spoiled = X.copy()
    spoiled[::2] = NAN
    np.testing.assert_array_equal(sample(spoiled, 4, seed=3, **options)[1::2], whole[1::2])
    many = np.tile(X, (10, 20))
    threads(2)
    expected = sample(many, seed=3, **options)
    threads(1)
    np.testing.assert_array_equal(sample(many, seed=3, **options), expected)


def test_a_filter_leaves_draws_that_it_keeps(plain):
    drawn = sample(X, 50, seed=1)
    for options in OPTIONS[1:3]:
        kept = np.array([plain.support(line, **options) for line in X])
        filtered = sample(X, 50, seed=1, **options)
        stay = np.take_along_axis(kept, drawn, -1)
        np.testing.assert_array_equal(filtered[stay], drawn[stay])


def test_rows_with_nothing_to_draw_from():
    x = np.array([[1, NAN, 2], [0, 1, 2], [1, INF, 0], [-INF] * 3, [-INF, 5, -INF]], np.float32)
    allowed = np.array([1, 0, 1], bool)
    for options in ({}, {"top_k": 2}, {"top_p": 0.9}, {"min_p": 0.5}, {"temperature": 0}):
        drawn = sample(x, 3, seed=0, **options)
        assert drawn[[0, 2, 3, 4]].tolist() == [[-1] * 3, [-1] * 3, [-1] * 3, [1] * 3]
        assert (drawn[1] >= 0).all()
        masked = sample(x, 3, seed=0, where=allowed, **options)
        assert (masked[3:] == -1).all()
        assert np.isin(masked[:3], [0, 2]).all()
        assert (sample(x, 3, seed=0, where=False, **options) == -1).all()


def test_masked_classes_are_as_if_of_no_weight():
    mask = np.random.default_rng(2).random(X.shape) < 0.4
    expected = sample(np.where(mask, X, -np.float32(INF)), 20, seed=7, top_p=0.9)
    hidden = np.where(mask, X, np.float32(NAN))
    np.testing.assert_array_equal(sample(hidden, 20, seed=7, top_p=0.9, where=mask), expected)


def test_axes_shapes_and_empty_arrays():
    x = X[:24].reshape(2, 3, 4, 300)
    whole = sample(x, 2, seed=1)
    assert whole.shape == (2, 3, 4, 2)
    np.testing.assert_array_equal(whole.reshape(24, 2), sample(X[:24], 2, seed=1))
    for axis in (0, 1, -2):
        np.testing.assert_array_equal(sample(np.moveaxis(x, -1, axis), 2, axis=axis, seed=1), whole)
    np.testing.assert_array_equal(sample(np.asfortranarray(x), 2, seed=1), whole)
    assert sample(x, 0).shape == (2, 3, 4, 0)
    assert sample(x[..., :0], 2).tolist() == np.full((2, 3, 4, 2), -1).tolist()
    assert sample(x[:0]).shape == (0, 3, 4, 1)
    assert (sample(X) != sample(X)).any()


def test_greedy():
    np.testing.assert_array_equal(sample(X, 3, temperature=0), np.repeat(X.argmax(-1)[:, None], 3, 1))
    np.testing.assert_array_equal(sample(X, seed=1, temperature=1e-320)[:, 0], X.argmax(-1))
    assert sample(np.zeros((2, 9)), temperature=0).tolist() == [[0], [0]]


@dtypes
@pytest.mark.parametrize("temperature", [0.1, 1, 3])
def test_gumbel_softmax(dtype, temperature):
    x = X.astype(dtype)
    z = (x.astype(np.longdouble) + gumbel_noise(x.shape, seed=6)) / temperature
    expected = np.exp(z - z.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)
    drawn = gumbel_softmax(x, temperature=temperature, seed=6)
    assert drawn.dtype == dtype
    tiny = float(ml_dtypes.finfo(dtype).smallest_subnormal)
    eps = float(ml_dtypes.finfo(dtype).eps) if dtype != np.float64 else 2.0**-44
    np.testing.assert_allclose(drawn.astype(float), expected.astype(float), rtol=0.51 * eps, atol=tiny)
    hard = gumbel_softmax(x, temperature=temperature, seed=6, hard=True)
    np.testing.assert_array_equal(hard.astype(float), np.eye(300)[sample(x, seed=6)[:, 0]])
    np.testing.assert_array_equal(
        gumbel_softmax(x.T, 0, hard=True, seed=6).T.astype(float), hard.astype(float)
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"logits": np.zeros((2, 3), int)}, TypeError, "sample takes float16.*got int64"),
        ({"logits": np.zeros(())}, ValueError, "sample works along an axis"),
        ({"axis": 2}, AxisError, "axis 2 is out of bounds"),
        ({"num_samples": -1}, ValueError, "takes a num_samples from 0 on .*got -1"),
        ({"num_samples": 1.5}, TypeError, "takes an integer as num_samples .*got 1.5"),
        ({"temperature": -1}, ValueError, "takes a temperature from 0 on and finite.*got -1"),
        ({"temperature": INF}, ValueError, "temperature from 0 on and finite.*got inf"),
        ({"temperature": NAN}, ValueError, "temperature from 0 on and finite.*got nan"),
        ({"temperature": "1"}, TypeError, "takes a number as temperature .*got '1'"),
        ({"top_k": 0}, ValueError, "takes a top_k from 1 on .*got 0.*leave it out"),
        ({"top_k": 2.0}, TypeError, "takes an integer as top_k"),
        ({"top_p": 1.1}, ValueError, "takes a top_p from 0 to 1 .*got 1.1"),
        ({"top_p": NAN}, ValueError, "takes a top_p from 0 to 1 .*got nan"),
        ({"min_p": -0.1}, ValueError, "takes a min_p from 0 to 1 .*got -0.1"),
        ({"order": "ollama"}, ValueError, "takes an order of hugging-face, vllm.*got 'ollama'"),
        ({"order": ("top_k", "top_k")}, ValueError, "once at the most as order"),
        ({"order": ("typical",)}, ValueError, "once at the most as order .*typical"),
        ({"order": "onnxruntime-genai", "min_p": 0.1}, ValueError, "'onnxruntime-genai' has no min_p"),
        ({"order": ("top_k",), "temperature": 2}, ValueError, "has no temperature"),
        ({"where": np.ones(3)}, TypeError, "where of bool"),
        ({"where": np.ones(4, bool)}, ValueError, "broadcasts to the shape"),
        ({"seed": "1"}, TypeError, "as seed"),
    ],
)
def test_what_it_refuses(options, error, message):
    with pytest.raises(error, match=message):
        sample(**{"logits": np.zeros((2, 3))} | options)


def test_temperatures_that_gumbel_softmax_refuses():
    for temperature in (0, -1, INF, NAN):
        with pytest.raises(ValueError, match="gumbel_softmax takes a temperature above 0"):
            gumbel_softmax(np.zeros(3), temperature=temperature)
