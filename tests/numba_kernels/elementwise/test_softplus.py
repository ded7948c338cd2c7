"""softplus and log_sigmoid: exact in the middle and in both tails, against the oracle and SciPy."""

import numpy as np
import pytest
from scipy.special import log_expit

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import log_sigmoid, log_softmax, softplus
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
OPERATORS = [softplus, log_sigmoid]
BOUNDS = {"float16": 0.51, "bfloat16": 0.51, "float32": 0.51, "float64": 2}

pytestmark = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
operators = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)


def numbers(dtype, seed=0):
    """Around zero, where the two terms meet, far into both tails, and beside zero."""
    random = np.random.default_rng(seed)
    parts = [random.uniform(-750, 760, 20000), random.uniform(-110, 110, 20000), random.uniform(-2, 2, 20000)]
    small = np.exp(random.uniform(-700, 5, 10000))
    return np.concatenate([*parts, small, -small]).astype(dtype)


@operators
def test_exact(operator, dtype):
    if dtype == np.float64 and reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")
    x = numbers(dtype)
    error = ulp_error(operator(x), getattr(reference, operator.__name__)(x))
    at = error.argmax()
    assert error[at] <= BOUNDS[dtype.name], f"{error[at]} at {x[at]!r}"


def test_underflow_is_gradual(dtype):
    """Down to the last subnormal number: exp(x) itself there, which is rounded once."""
    lowest = np.log(np.finfo(np.float64).smallest_subnormal) if dtype == np.float64 else -103.2
    x = np.linspace(lowest, lowest / 2, 1000).astype(dtype)
    expected = np.exp(x.astype(np.longdouble))
    assert (ulp_error(softplus(x), expected) <= BOUNDS[dtype.name]).all()
    if dtype.itemsize >= 4:
        assert (softplus(x) > 0).all()
        assert (log_sigmoid(-x) < 0).all()


def test_one_is_the_other_turned(dtype):
    x = numbers(dtype, 1)
    np.testing.assert_array_equal(
        log_sigmoid(x).view(f"u{dtype.itemsize}"), (-softplus(-x)).view(f"u{dtype.itemsize}")
    )


def test_special_values(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0, -0.0], dtype)
    half = np.log(2)
    wanted = np.array([np.nan, np.inf, 0, half, half]).astype(dtype).astype(float)
    np.testing.assert_array_equal(softplus(x).astype(float), wanted)
    wanted = np.array([np.nan, 0, -np.inf, -half, -half]).astype(dtype).astype(float)
    np.testing.assert_array_equal(log_sigmoid(x).astype(float), wanted)
    assert np.signbit(log_sigmoid(x)[1])
    assert not np.signbit(softplus(x)[2])


def test_as_scipy(dtype):
    x = numbers(dtype, 2).astype(np.float64)
    np.testing.assert_allclose(log_sigmoid(x), log_expit(x), rtol=1e-14)


def test_log_sigmoid_is_a_log_softmax_of_two(dtype):
    x = np.random.default_rng(3).uniform(-20, 20, 1000).astype(dtype)
    both = log_softmax(np.stack([x, np.zeros_like(x)], -1))[:, 0]
    assert (ulp_error(log_sigmoid(x), both.astype(np.longdouble)) <= 3).all()


@operators
def test_any_layout_and_out(operator, dtype):
    x = numbers(dtype, 4)[:2100].reshape(30, 70)
    expected = operator(x)
    assert (expected.dtype, expected.shape) == (dtype, x.shape)
    for view in (np.asfortranarray(x), x[::-1][::-1], np.repeat(x, 3, 1)[:, ::3]):
        np.testing.assert_array_equal(operator(view), expected)
    for out in (np.empty_like(x), np.empty((30, 140), dtype)[:, ::2], np.empty_like(x, order="F")):
        assert operator(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
    for size in (0, 1, 7, 17):
        np.testing.assert_array_equal(operator(x.ravel()[:size]), expected.ravel()[:size])
    assert operator(x[0, 0]) == expected[0, 0]
    y = x.copy()
    assert operator(y, out=y) is y
    np.testing.assert_array_equal(y, expected)


@operators
def test_threads_change_nothing(operator, dtype):
    x = numbers(dtype, 5)
    np.testing.assert_array_equal(
        operator(x), np.concatenate([operator(part) for part in np.array_split(x, 17)])
    )


@operators
def test_refusals(operator, dtype):
    x = np.zeros(3, dtype)
    with pytest.raises(TypeError, match=f"{operator.__name__} takes"):
        operator(np.arange(3))
    with pytest.raises(ValueError, match="shape"):
        operator(x, out=np.zeros(4, dtype))
