"""The error of every kernel against the exact value, and what probabilities must be besides exact.

The exact value is that of `softops.opset.reference` in `np.longdouble`; tests/opset checks that against mpmath, and
test_mpmath.py checks the kernels against mpmath directly.
"""

import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.conformance.measure.ulp import spacing, ulp_error
from softops.numba_kernels.vector import fuses
from softops.opset import reference

LENGTHS = [1, 2, 7, 10, 16, 17, 128, 1000, 4096, 50257, 128256]
SIGMAS = [0.1, 1, 3, 10, 30, 100, 1000]
OFFSETS = [0, 100, -100, 1e4, -1e4, 1e30, -1e30]
GAPS = [1e-7, 1e-5, 1e-3, 0.1, 0.5, 1, 3, 10, 17, 30, 36, 37, 60, 88, 104, 120]
ROW_OPERATORS = ["softmax", "log_softmax", "logsumexp", "sigmoid"]

# In ULP of the result's dtype; a new dtype is one more column here and one more word in conftest.DTYPES.
BOUNDS = {
    # without a fused multiply-add the exponential's last step rounds once more
    "softmax": {"float32": 1.75 if fuses() else 2, "float64": 2},
    "sigmoid": {"float32": 2, "float64": 2},
    "logsumexp": {"float32": 2, "float64": 2},
    "log_softmax": {"float32": 1, "float64": 2},
    "cross_entropy": {"float32": 2, "float64": 2},
    "softmax_grad": {"float32": 4, "float64": 4},
}


@pytest.fixture(autouse=True)
def _an_oracle_for(request):
    if reference.MANTISSA_BITS < 64 and request.getfixturevalue("dtype") == np.float64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")


def normal_rows(n, dtype, seed):
    """A row for each σ and offset; of the long lengths only three, σ of 1, 10 and 100 around 0."""
    random = np.random.default_rng([seed, n])
    kinds = [(s, o) for s in SIGMAS for o in OFFSETS] if n <= 4096 else [(1, 0), (10, 0), (100, 0)]
    sigma, offset = np.array(kinds).T[..., None]
    return (random.standard_normal((len(kinds), n)) * sigma + offset).astype(dtype)


def winner_rows(n, dtype):
    """One number ahead of the others by each gap; the others all equal or nearly so."""
    random = np.random.default_rng(n)
    rows = []
    for gap in GAPS:
        for winner in {0, n // 2, n - 1}:
            for others in (np.zeros(n), random.standard_normal(n) * 0.1):
                others[winner] = others.max() + gap
                rows.append(others)
    return np.array(rows).astype(dtype)


def assert_close(operator, x):
    actual = getattr(kernels, operator)(x)
    exact = getattr(reference, operator)(x)
    error = ulp_error(actual, exact)
    if operator == "logsumexp" and x.dtype == np.float64:
        # The maximum m and L, the logarithm of the rest, are each rounded to float64 before they are added. Where
        # they cancel, that rounding is what is left; the error is relative to the larger of the two.
        m = x.max(-1).astype(np.longdouble)
        error = abs(actual - exact) / spacing(
            np.maximum(abs(exact), np.maximum(abs(m), abs(exact - m))), x.dtype
        )
    at = np.unravel_index(error.argmax(), error.shape)
    assert error[at] <= BOUNDS[operator][x.dtype.name], f"{actual[at]!r} for {exact[at]!r} at {at}"


@pytest.mark.parametrize("n", [*LENGTHS, 50000])
@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_normal_rows(operator, n, dtype):
    assert_close(operator, normal_rows(n, dtype, 0))


@pytest.mark.parametrize("n", [2, 7, 17, 1000])
@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_a_winner_ahead(operator, n, dtype):
    assert_close(operator, winner_rows(n, dtype))


@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_all_equal(operator, dtype):
    for n in LENGTHS[:-2]:
        values = [0, 1, -3.3, 0.35, 100, 1e4, 1e30, -1e30, 1e-30, 300, 4100, np.finfo(dtype).max]
        assert_close(operator, np.repeat(np.array(values, dtype)[:, None], n, axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_more_normal_rows(operator, n, dtype, seed):
    for _ in range(max(1, 2000 // n)):
        assert_close(operator, normal_rows(n, dtype, seed))


@pytest.mark.slow
@pytest.mark.parametrize("n", [4096, 50257, 128256])
@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_a_winner_ahead_of_many(operator, n, dtype):
    for start in range(0, 6 * len(GAPS), 8):
        assert_close(operator, winner_rows(n, dtype)[start : start + 8])


@pytest.mark.parametrize("operator", ["log_softmax", "logsumexp"])
def test_small_terms_far_below_one_add_up_exactly(operator, dtype):
    """20000 equal terms beside a 1: each is lost in the 1, or half lost, together they are the result."""
    x = np.repeat(np.array([-35.9, -36.2, -36.9, -40.3, -55.7, -87.1], dtype)[:, None], 20000, axis=1)
    x[:, 3] = 0
    assert_close(operator, x)


@pytest.mark.parametrize("n", [8, 20, 600, 20000])
def test_log_softmax_of_scores_far_below(n, dtype):
    """Scores of any size below an ordinary maximum; −inf stays so."""
    random = np.random.default_rng(n)
    x = random.standard_normal((40, n)) * 3
    far = random.random((40, n)) < 0.3
    far[:, 0] = False
    x[far] = -(10 ** random.uniform(1, 30, far.sum()))
    x[::3][far[::3]] = np.nextafter(dtype.type(-65536), dtype.type(0), dtype=dtype)
    x[1::3] = np.round(x[1::3] * 64) / 64
    x = x.astype(dtype)
    assert_close("log_softmax", x)
    x[far] = -np.inf
    assert_close("log_softmax", x)


@pytest.mark.parametrize("n", [2, 10, 1000, 50257])
def test_sigmoid_everywhere(n, dtype):
    lowest = np.log(np.finfo(dtype).smallest_subnormal) - 2
    x = np.random.default_rng(n).uniform(lowest, -lowest / 4, (1, n)).astype(dtype)
    assert_close("sigmoid", x)
    assert_close("sigmoid", x * np.asarray(1e-3, dtype))


@pytest.mark.parametrize("gap", [0, 1e-3, 10, 30])
def test_cross_entropy_mean_of_4096(dtype, gap):
    """From losses near ln n down to those of right classes far ahead, which are all small."""
    random = np.random.default_rng(7)
    for n in (2, 10, 129):
        x = random.standard_normal((4096, n)) * 3
        labels = random.integers(0, n, 4096)
        if gap:
            x[np.arange(4096), labels] = x.max(1) + gap
        x = x.astype(dtype)
        for weight in (None, random.random(n).astype(dtype)):
            actual = kernels.cross_entropy(x, labels, weight=weight)
            error = ulp_error(actual, reference.cross_entropy(x, labels, weight=weight)[()])
            assert error <= BOUNDS["cross_entropy"][dtype.name], (n, weight)


@pytest.mark.parametrize("n", LENGTHS)
def test_softmax_grad(dtype, n):
    """In ULP of the largest term of a row: |y| times the larger of |dy| and |Σ dy y|."""
    random = np.random.default_rng(n)
    for scale in (1e-3, 1, 30) if n <= 4096 else (1,):
        y = reference.softmax(random.standard_normal((3, n)) * 3 * scale, dtype=dtype)
        dy = (random.standard_normal((3, n)) * scale).astype(dtype)
        exact = reference.softmax_grad(dy, y)
        wide = dy.astype(np.longdouble)
        term = np.abs(y) * np.maximum(abs(wide), abs((wide * y).sum(-1, keepdims=True)))
        error = abs(kernels.softmax_grad(dy, y) - exact) / spacing(term, dtype)
        assert error.max() <= BOUNDS["softmax_grad"][dtype.name]
