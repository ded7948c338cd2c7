"""The filters: what is left is exactly what sorting leaves, in every order, and what transformers leaves."""

import itertools

import numpy as np
import pytest

from softops.numba_kernels import sample

FILTERS = [
    {"top_k": 1},
    {"top_k": 7},
    {"top_k": 1000},
    {"top_p": 0.0},
    {"top_p": 0.5},
    {"top_p": 0.95},
    {"top_p": 1.0},
    {"min_p": 0.0},
    {"min_p": 0.3},
    {"min_p": 1.0},
    {"top_k": 12, "top_p": 0.8},
    {"top_k": 15, "top_p": 0.9, "min_p": 0.15},
]
# Every class that is left has a probability of 1 / 500 at least; with so many draws none stays away.
DRAWS, CLASSES = 12000, 24


def left_by(x, **options):
    """Which classes are ever drawn."""
    drawn = sample(x, DRAWS, seed=1, **options)
    return np.array([np.isin(np.arange(x.shape[-1]), line) for line in drawn])


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).uniform(-1.5, 1.5, (25, CLASSES)).astype(np.float32)


@pytest.mark.parametrize("order", ["hugging-face", "vllm", "llama.cpp", "mlx", "onnxruntime-genai"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_what_is_left_in_every_order(plain, x, order, filters):
    if order == "onnxruntime-genai" and "min_p" in filters:
        pytest.skip("it has no min_p")
    for temperature in (0.8, 1.6):
        options = {"order": order, "temperature": temperature, **filters}
        expected = np.array([plain.support(line, **options) for line in x])
        np.testing.assert_array_equal(left_by(x, **options), expected)


def test_orders_differ_and_any_is_taken(plain, x):
    options = {"temperature": 1.5, "top_k": 14, "top_p": 0.7, "min_p": 0.2}
    seen = set()
    for order in itertools.permutations(("temperature", "top_k", "top_p", "min_p")):
        left = left_by(x[:8], order=order, **options)
        expected = np.array([plain.support(line, order=order, **options) for line in x[:8]])
        np.testing.assert_array_equal(left, expected)
        seen.add(left.tobytes())
    assert len(seen) > 3


def test_equals_at_the_edge_go_by_index():
    x = np.array([[1, 2, 1, 1, 2, 1, 0], [-0.0, 0.0, -1, 0.0, -0.0, -1, -1]], np.float32)
    assert [np.flatnonzero(left).tolist() for left in left_by(x, top_k=3)] == [[0, 1, 4], [0, 1, 3]]
    assert [np.flatnonzero(left).tolist() for left in left_by(x, top_k=5)] == [
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4],
    ]
    flat = np.zeros((1, 50), np.float32)
    # eight of fifty have 0.16 exactly as good as; a ninth is taken only where they fall short
    assert np.flatnonzero(left_by(flat, top_p=0.15)[0]).tolist() == list(range(8))
    assert np.flatnonzero(left_by(flat, top_p=0.17)[0]).tolist() == list(range(9))
    assert left_by(flat, min_p=1.0).all()


def test_the_class_that_reaches_top_p_is_kept():
    """Probabilities 1/2, 1/4, 1/8, 1/8: sums that are exact."""
    x = np.log2([[8.0, 4.0, 2.0, 2.0]])
    for top_p, expected in ((0.5, 1), (0.500001, 2), (0.75, 2), (0.76, 3), (0.875, 3), (0.88, 4), (0.999, 4)):
        assert left_by(x * np.log(2), top_p=top_p).sum() == expected


def test_a_class_exactly_at_min_p_is_kept():
    x = np.array([[0.0, np.log(0.25), -np.inf, -9.0]])
    assert left_by(x, min_p=0.25).tolist() == [[True, True, False, False]]


@pytest.mark.parametrize(
    "values", ["gaussian", "ties", "masked by a low number", "wide", "tiny", "both ends"]
)
def test_long_rows(plain, values, dtype):
    """The draws of what is left, where too many are left to see them all."""
    random = np.random.default_rng(6)
    x = random.normal(0, 2, (4, 20000)).astype(dtype)
    if values == "ties":
        x = np.round(x * 4) / 4
    elif values == "masked by a low number":
        x[random.random(x.shape) < 0.7] = np.finfo(dtype).min
    elif values == "wide":
        x = x ** dtype.type(5)
    elif values == "tiny":
        x *= dtype.type(1e-30)
    elif values == "both ends":
        x[:, ::50], x[:, 1::50] = np.finfo(dtype).max / 4, np.finfo(dtype).min / 4
    for options in ({"top_k": 4000}, {"top_k": 50, "top_p": 0.9}, {"top_p": 0.6}, {"min_p": 0.02}):
        expected, _ = plain.draws(x, 3, seed=11, **options)
        np.testing.assert_array_equal(sample(x, 3, seed=11, **options), expected)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_the_processors_of_transformers_leave_the_same(x, filters):
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers.generation.logits_process")
    for temperature in (0.8, 1.6):
        processors = [process.TemperatureLogitsWarper(temperature)]
        if "top_k" in filters:
            processors.append(process.TopKLogitsWarper(filters["top_k"]))
        if "top_p" in filters:
            processors.append(process.TopPLogitsWarper(filters["top_p"]))
        if "min_p" in filters:
            processors.append(process.MinPLogitsWarper(filters["min_p"]))
        scores = torch.from_numpy(x)
        for processor in processors:
            scores = processor(None, scores)
        expected = torch.isfinite(scores).numpy()
        np.testing.assert_array_equal(left_by(x, temperature=temperature, **filters), expected)
