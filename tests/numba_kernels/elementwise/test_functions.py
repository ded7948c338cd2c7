"""Functions of single numbers, against mpmath in float64 and SciPy's float64 functions in what is narrower."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest
from scipy import special

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import (
    celu,
    elu,
    erf,
    gelu,
    hard_sigmoid,
    hard_swish,
    mish,
    selu,
    swish,
    tanh,
)

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


INF, NAN = np.inf, np.nan
TWO_OVER_PI = np.longdouble(2) / (np.arctan(np.longdouble(1)) * 4)
LINE = (np.float32(1 / 6), np.float32(0.5))


def phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def gelu_by_tanh(x):
    return x / (1 + mp.exp(-2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)))


def wide_gelu_by_tanh(x):
    x = x.astype(np.longdouble)
    return x / (1 + np.exp(-2 * np.sqrt(TWO_OVER_PI) * (x + np.longdouble("0.044715") * x**3)))


def wide_swish(x, alpha=1.0):
    return x / (1 + np.exp(-alpha * x.astype(np.longdouble)))


def exact_mish(x):
    n = mp.exp(x) * (mp.exp(x) + 2)
    return x * n / (n + 2)


def wide_mish(x):
    e = np.exp(-np.abs(x.astype(np.longdouble)))
    top, rest = np.where(x < 0, e * (e + 2), 1 + 2 * e), np.where(x < 0, 2, 2 * e * e)
    return x * (top / (top + rest))


def exact_elu(x, alpha=1.0, gamma=1.0, slope=1.0):
    return gamma * (x if x >= 0 else alpha * mp.expm1(x * slope))


def wide_elu(x, alpha=1.0, gamma=1.0, slope=1.0):
    return gamma * np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0).astype(np.longdouble) * slope))


# Numbers that float32 has.
ALPHA, GAMMA = 1.671875, 1.0625
SELU = partial(selu, alpha=ALPHA, gamma=GAMMA)
FUNCTIONS = {
    "tanh": Function(tanh, mp.tanh, np.tanh, (0.51, 1.25, 1.25), (1, -1, 0.0, -0.0), 20),
    "erf": Function(erf, mp.erf, special.erf, (0.51, 1.5, 1.5), (1, -1, 0.0, -0.0), 7),
    "gelu": Function(
        gelu, lambda x: x * phi(x), lambda x: x * special.ndtr(x), (0.51, 5, 6), (INF, NAN, 0.0, -0.0), 40
    ),
    "gelu by tanh": Function(
        partial(gelu, approximate="tanh"),
        *(gelu_by_tanh, wide_gelu_by_tanh, (0.51, 3, 3), (INF, NAN, 0.0, -0.0), 22),
    ),
    "swish": Function(
        swish, lambda x: x / (1 + mp.exp(-x)), wide_swish, (0.51, 2.5, 2.5), (INF, NAN, 0.0, -0.0), 120
    ),
    "swish of 1.5": Function(
        partial(swish, alpha=1.5),
        *(lambda x: x / (1 + mp.exp(x * -1.5)), partial(wide_swish, alpha=1.5)),
        *((0.51, 2.75, 2.75), (INF, NAN, 0.0, -0.0), 80),
    ),
    "mish": Function(mish, exact_mish, wide_mish, (0.51, 4.5, 4.5), (INF, NAN, 0.0, -0.0), 120),
    "hard_sigmoid": Function(
        partial(hard_sigmoid, alpha=LINE[0], beta=LINE[1]),
        lambda x: min(max(x * mp.mpf(float(LINE[0])) + 0.5, 0), 1),
        lambda x: np.clip(x.astype(np.longdouble) * np.longdouble(LINE[0]) + 0.5, 0, 1),
        *((0.51, 0.51, 0.51), (1, 0, 0.5, 0.5), 4),
    ),
    "hard_swish": Function(
        hard_swish,
        lambda x: x * min(max(x + 3, 0), 6) / 6,
        lambda x: x * (np.clip(x.astype(np.longdouble) + 3, 0, 6) / 6),
        *((0.51, 2, 2), (INF, NAN, 0.0, -0.0), 4),
    ),
    "elu": Function(elu, exact_elu, wide_elu, (0.51, 2, 2), (INF, -1, 0.0, -0.0), 40),
    "selu": Function(
        SELU,
        partial(exact_elu, alpha=ALPHA, gamma=GAMMA),
        partial(wide_elu, alpha=ALPHA, gamma=GAMMA),
        *((0.51, 3, 3), (INF, -ALPHA * GAMMA, 0.0, -0.0), 40),
    ),
    "celu": Function(
        partial(celu, alpha=ALPHA),
        lambda x: exact_elu(x / mp.mpf(ALPHA), ALPHA) if x < 0 else x,
        partial(wide_elu, alpha=ALPHA, slope=1 / np.longdouble(ALPHA)),
        *((0.51, 3, 3), (INF, -ALPHA, 0.0, -0.0), 40),
    ),
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
    wanted = np.array([*function.special, np.nan]).astype(dtype).astype(np.float64)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(np.signbit(y[2:4]), np.signbit(wanted[2:4]))


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
    name = getattr(function.given, "func", function.given).__name__
    with pytest.raises(TypeError, match=f"{name} takes"):
        function.given(np.arange(3))
    with pytest.raises(ValueError, match="shape"):
        function.given(np.zeros(3), out=np.zeros(4))


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions(name):
    function = FUNCTIONS[name]
    x = numbers(function, np.dtype(np.float32), 5000)
    np.testing.assert_array_equal(function.given(-x), -function.given(x))


def test_tanh_of_subnormal_numbers():
    tiny = np.arange(1, 2000, dtype=np.int32).view(np.float32)
    np.testing.assert_array_equal(tanh(tiny), tiny)


def test_arguments():
    x = np.linspace(-3, 3, 50)
    np.testing.assert_array_equal(selu(x), selu(x, 1.6732632423543772, 1.0507009873554805))
    np.testing.assert_array_equal(hard_sigmoid(x), hard_sigmoid(x, 0.2, 0.5))
    np.testing.assert_array_equal(swish(x, 0.0), x / 2)
    huge = np.array([-1e38, -1e20, 1e20, 3e38], np.float32)
    np.testing.assert_allclose(
        swish(huge, 1e-38), huge / (1 + np.exp(-huge.astype(float) * 1e-38)), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"approximate .got 'erf'"):
        gelu(x, "erf")
    with pytest.raises(ValueError, match=r"alpha above 0 .got 0"):
        celu(x, 0)
