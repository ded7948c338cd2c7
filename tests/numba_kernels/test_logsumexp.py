"""logsumexp over several axes, and where the maximum and the logarithm of the rest cancel, against mpmath."""

import itertools
import tracemalloc

import mpmath
import numpy as np
import pytest
from scipy.special import logsumexp as scipy_logsumexp

from softops.conformance.measure.ulp import spacing
from softops.numba_kernels import logsumexp

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
WIDE = [np.dtype(np.float32), np.dtype(np.float64)]
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-22, "float64": 2.0**-50}
FLOOR = 2.0**-103  # the terms that cancel here are about 1, known to twice the precision of float64
AXES = [
    None,
    *(axes for count in range(5) for axes in itertools.combinations(range(4), count)),
    (3, 0),
    (-1, 1),
    2,
    -4,
]

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
wide = pytest.mark.parametrize("dtype", WIDE, ids=lambda dtype: dtype.name)


def exact(row):
    return mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(x))) for x in row))


@wide
@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 17, 40])
@pytest.mark.parametrize("target", [0, 1e-9, -1e-4, 0.01, -0.3, 0.9, -3])
def test_near_zero(n, target, dtype):
    """Rows whose result is nearly `target`: 2 ULP, or 2⁻¹⁰² of the two terms where that is more."""
    random = np.random.default_rng([n, int(1e9 * abs(target))])
    with mpmath.workprec(300):
        for sigma in (0.1, 1, 3, 10):
            x = random.standard_normal((25, n)) * sigma
            x = (x - scipy_logsumexp(x, axis=1, keepdims=True) + target).astype(dtype)
            for row, actual in zip(x, logsumexp(x), strict=True):
                wanted = exact(row)
                one = max(float(spacing(np.longdouble(float(wanted)), dtype)), FLOOR)
                assert abs(mpmath.mpf(float(actual)) - wanted) <= 2 * one


@wide
def test_two_numbers_that_nearly_make_one(dtype):
    """log(exp(a) + exp(b)) for a, b = log p, log(1 − p): what is left is the rounding of a and b themselves."""
    p = np.random.default_rng(0).uniform(0.01, 0.99, 300)
    x = np.stack([np.log(p), np.log1p(-p)], 1).astype(dtype)
    with mpmath.workprec(300):
        for row, actual in zip(x, logsumexp(x), strict=True):
            wanted = exact(row)
            one = max(float(spacing(np.longdouble(float(wanted)), dtype)), FLOOR)
            assert abs(mpmath.mpf(float(actual)) - wanted) <= 2 * one


@dtypes
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_axes(axis, dtype):
    """NumPy's meaning, for every order of the memory."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(dtype)
    for order in [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)]:
        y = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        for keepdims in (False, True):
            actual = logsumexp(y, axis, keepdims=keepdims)
            wide = x.astype(np.float64)
            expected = wide if axis == () else scipy_logsumexp(wide, axis=axis, keepdims=keepdims)
            assert np.shape(actual) == np.shape(expected)
            assert actual.dtype == dtype
            np.testing.assert_allclose(np.float64(actual), expected, rtol=EPSILON[dtype.name], atol=1e-15)
            out = np.empty(np.shape(expected), dtype)
            assert logsumexp(y, axis, keepdims=keepdims, out=out) is out
            np.testing.assert_array_equal(out, actual)


@dtypes
def test_special_values(dtype):
    x = np.array(
        [[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [np.inf, np.nan, 0], [-np.inf, 2, -np.inf]], dtype
    )
    expected = [np.nan, np.inf, -np.inf, np.nan, 2]
    for actual in (logsumexp(x), logsumexp(x.T, 0), logsumexp(x[:, None, :], (1, 2))):
        np.testing.assert_array_equal(actual.astype(float), expected)
    assert np.isnan(logsumexp(x, None))
    assert (logsumexp(np.empty((3, 0, 2), dtype), (1, 2)) == -np.inf).all()
    assert logsumexp(np.empty((3, 0), dtype), None) == -np.inf
    assert logsumexp(np.empty((3, 0), dtype), 0).shape == (0,)
    assert logsumexp(np.asarray(1.5, dtype), None) == 1.5


@dtypes
def test_refusals(dtype):
    x = np.zeros((2, 3), dtype)
    for axis in (2, -3, (0, 2), (0, -3)):
        with pytest.raises(np.exceptions.AxisError):
            logsumexp(x, axis)
    with pytest.raises(ValueError, match="repeated axis"):
        logsumexp(x, (0, -2))
    with pytest.raises(ValueError, match="shape"):
        logsumexp(x, (0, 1), out=np.zeros(1, dtype))


@pytest.mark.usefixtures("steady_threads")
def test_nothing_as_large_as_x_is_allocated():
    """Along any one axis, and along several that can be merged."""
    x = np.zeros((128, 64, 128), np.float32)
    for axis in (0, 1, 2, None, (0, 1), (1, 2), (0, 1, 2)):
        logsumexp(x, axis)
        tracemalloc.start()
        logsumexp(x, axis)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # a scratch of half a megabyte, whatever the size of x
        assert most < x.nbytes / 4, axis
