"""Functions of single numbers, against mpmath in float64 and SciPy's float64 functions in what is narrower."""

from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import tanh

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
DTYPES = [*HALVES, np.dtype(np.float32), np.dtype(np.float64)]


class Function(NamedTuple):
    """A function of the package and what it is to be."""

    given: Callable[..., Any]
    exact: Callable[[Any], Any]
    """For an mpmath number."""
    narrow: Callable[[Any], Any]
    """For an array of float64, to far more than float32 shows."""
    bounds: tuple[float, float, float]
    """In ULP: of halves, of float32, of float64."""
    special: tuple[float, float, float, float]
    """At the two infinities and the two zeros, positive ones first."""
    spread: float
    """How far from zero there is something to see."""


FUNCTIONS = {
    "tanh": Function(tanh, mp.tanh, np.tanh, (0.51, 1.25, 1.25), (1, -1, 0.0, -0.0), 20),
}

functions = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


def numbers(function, dtype, count, seed=0):
    """Where something happens, beside zero down to the smallest numbers, and beside powers of two."""
    random = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        powers = np.ldexp(1.0, random.integers(-12, 8, count)) * (
            1 + random.integers(-9, 9, count) * 2.0**-23
        )
        small = np.exp(random.uniform(-100 if dtype.itemsize == 4 else -740, 3, count))
        uniform = random.uniform(-function.spread, function.spread, count)
        x = np.concatenate([uniform, uniform / 8, small, -small, powers, -powers]).astype(dtype)
    return x[np.isfinite(x.astype(np.float64))]


def all_halves(dtype):
    x = np.arange(65536, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):
        return x[np.isfinite(x.astype(np.float64))]


def long_double(value):
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - high) if np.isfinite(high) else 0.0)


def exact(function, x):
    """The values of a function at float64 numbers in long double."""
    with mp.workdps(60):
        return np.array([long_double(function.exact(mp.mpf(float(each)))) for each in x])


def narrow(function, x):
    with np.errstate(all="ignore"):
        return np.asarray(function.narrow(x.astype(np.float64)), np.longdouble)


def worst(function, x, expected):
    error = ulp_error(function.given(x), expected)
    at = error.argmax()
    return error[at], x[at]


@functions
@pytest.mark.parametrize("dtype", HALVES, ids=lambda dtype: dtype.name)
def test_every_half(function, dtype):
    x = all_halves(dtype)
    expected = narrow(function, x)
    error, at = worst(function, x, expected)
    assert error <= function.bounds[0], f"{error} at {at!r}"


@functions
def test_float32(function):
    x = numbers(function, np.dtype(np.float32), 30000)
    error, at = worst(function, x, narrow(function, x))
    assert error <= function.bounds[1], f"{error} at {at!r}"


@functions
def test_float32_beside_mpmath(function):
    """What is taken for right in the test before is right."""
    x = numbers(function, np.dtype(np.float32), 100, 1)
    error, at = worst(function, x, exact(function, x))
    assert error <= function.bounds[1], f"{error} at {at!r}"


@pytest.mark.slow
@functions
def test_all_float32(function):
    """Every 31st float32 number."""
    for first in range(-(1 << 31), 1 << 31, 1 << 24):
        x = np.arange(first, first + (1 << 24), 31, dtype=np.int64).astype(np.int32).view(np.float32)
        x = x[np.isfinite(x)]
        if x.size:
            error, at = worst(function, x, narrow(function, x))
            assert error <= function.bounds[1], f"{error} at {at!r}"


@functions
def test_float64(function):
    x = numbers(function, np.dtype(np.float64), 600)
    error, at = worst(function, x, exact(function, x))
    assert error <= function.bounds[2], f"{error} at {at!r}"


@functions
@dtypes
def test_special_values(function, dtype):
    x = np.array([np.inf, -np.inf, 0.0, -0.0, np.nan], dtype)
    y = function.given(x).astype(np.float64)
    np.testing.assert_array_equal(y, [*function.special, np.nan])
    np.testing.assert_array_equal(np.signbit(y[:4]), np.signbit(function.special))


@functions
@dtypes
def test_layout_out_and_threads(function, dtype):
    """Any array, in place too; a number has its result whatever stands beside it, and whoever computes it."""
    x = numbers(function, dtype, 20000, 2)
    whole = function.given(x)
    assert (whole.dtype, whole.shape) == (dtype, x.shape)
    parts = [function.given(part) for part in np.array_split(x, 37)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    x, expected = x[:2100].reshape(30, 70), whole[:2100].reshape(30, 70)
    for view in (np.asfortranarray(x), x[::-1][::-1], np.repeat(x, 3, 1)[:, ::3]):
        np.testing.assert_array_equal(function.given(view), expected)
    for out in (np.empty_like(x), np.empty((30, 140), dtype)[:, ::2], np.empty_like(x, order="F")):
        assert function.given(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
    for size in (0, 1, 7, 17):
        np.testing.assert_array_equal(function.given(x.ravel()[:size]), expected.ravel()[:size])
    assert function.given(x[0, 0]) == expected[0, 0]
    y = x.copy()
    assert function.given(y, out=y) is y
    np.testing.assert_array_equal(y, expected)


@functions
def test_refusals(function):
    with pytest.raises(TypeError, match=f"{function.given.__name__} takes"):
        function.given(np.arange(3))
    with pytest.raises(ValueError, match="shape"):
        function.given(np.zeros(3), out=np.zeros(4))


def test_tanh_is_odd_and_has_subnormal_numbers():
    x = numbers(FUNCTIONS["tanh"], np.dtype(np.float32), 5000)
    np.testing.assert_array_equal(tanh(-x), -tanh(x))
    tiny = np.arange(1, 2000, dtype=np.int32).view(np.float32)
    np.testing.assert_array_equal(tanh(tiny), tiny)
