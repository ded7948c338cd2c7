"""logsumexp with weights, signs and masks: against arbitrary precision, and SciPy for special values."""

import ml_dtypes
import mpmath
import numpy as np
import pytest
from scipy import special

from softops.conformance import ulp_error
from softops.numba_kernels import logsumexp
from softops.opset import reference

NAN, INF = np.nan, np.inf
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def exactly(x, b):
    """(log |Σ b exp(x)|, sign) in 400 bits, the logarithm rounded to longdouble."""
    with mpmath.workprec(400):
        terms = [mpmath.mpf(float(w)) * mpmath.exp(mpmath.mpf(float(v))) for v, w in zip(x, b, strict=True)]
        total = mpmath.fsum(terms)
        logarithm = mpmath.log(abs(total))
        high = float(logarithm)
        return np.longdouble(high) + np.longdouble(float(logarithm - high)), int(mpmath.sign(total))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("spread", [0.1, 3, 300])
@pytest.mark.parametrize("magnitude", [0, 3, 250])
def test_right_to_a_unit_in_the_last_place(dtype, spread, magnitude):
    random = np.random.default_rng(int(spread * 10) + magnitude)
    for n in (1, 2, 7, 16, 41):
        x = (random.standard_normal((6, n)) * spread).astype(dtype)
        b = random.standard_normal((6, n)) * 10.0 ** random.integers(-magnitude, magnitude + 1, (6, n))
        values, signs = logsumexp(x, b=b, return_sign=True)
        assert values.dtype == signs.dtype == dtype
        exact, expected = zip(*(exactly(*row) for row in zip(x, b, strict=True)), strict=True)
        assert signs.tolist() == list(expected)
        assert ulp_error(values, np.array(exact)).max() <= 1
        alone = logsumexp(x, b=b)
        expected = np.where(signs < 0, np.nan, values.astype(np.float64))
        np.testing.assert_array_equal(alone.astype(np.float64), expected)


def test_sums_that_cancel():
    """exp(x) − exp(y) of neighbours, whose difference is 2⁻⁵² of both."""
    x = np.linspace(-30, 30, 60)
    pairs = np.stack([np.nextafter(x, INF), x], -1)
    values, signs = logsumexp(pairs, b=[1, -1], return_sign=True)
    exact = [exactly(row, (1, -1))[0] for row in pairs]
    assert (signs == 1).all()
    assert ulp_error(values, np.array(exact)).max() <= 1


@pytest.mark.parametrize(
    "x", [(1, 2), (INF, 1), (NAN, 1), (INF, INF), (-INF, 2), (-INF, -INF), (INF, -INF), (1, 1)]
)
@pytest.mark.parametrize(
    "b", [(1, 1), (1, -1), (-1, 1), (0, 1), (0, 0), (INF, 1), (-INF, 1), (INF, -INF), (NAN, 1), (1, NAN)]
)
def test_special_values_as_in_scipy(x, b):
    """What has weight 0 is left out here: SciPy, too, lets it count for nothing, but not if all that counts is −inf."""
    counts = np.array(b, float) != 0
    given, weights = np.array(x, float)[counts], np.array(b, float)[counts]
    with np.errstate(all="ignore"):
        expected = special.logsumexp(given, b=weights, return_sign=True) if counts.any() else (-INF, 0)
        alone = special.logsumexp(given, b=weights)
    np.testing.assert_allclose(logsumexp(np.array(x, float), b=b, return_sign=True), expected, rtol=1e-15)
    np.testing.assert_allclose(logsumexp(np.array(x, float), b=b), alone, rtol=1e-15)


@pytest.mark.parametrize("row", [(1.0, 2.0), (-INF, -INF), (NAN, 1.0), (INF, 2.0), (INF, -INF), ()])
def test_signs_without_weights(row):
    value, sign = logsumexp(np.array(row, float), return_sign=True)
    np.testing.assert_array_equal(value, logsumexp(np.array(row, float)))
    with np.errstate(all="ignore"):
        total = np.exp(np.array(row, float)).sum()
    np.testing.assert_array_equal(sign, np.sign(total))


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 1), None], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_and_broadcasting(axis, keepdims):
    random = np.random.default_rng(11)
    x, b = random.standard_normal((3, 4, 5)), random.uniform(-1, 2, (4, 1))
    expected = special.logsumexp(x, axis, b=b, keepdims=keepdims, return_sign=True)
    for given in (x, np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
        actual = logsumexp(given, axis, b=b, keepdims=keepdims, return_sign=True)
        for one, two in zip(actual, expected, strict=True):
            assert np.shape(one) == np.shape(two)
            np.testing.assert_allclose(one, two, rtol=1e-12)
    out = np.empty(np.shape(expected[0]))
    value, _ = logsumexp(x, axis, b=b, keepdims=keepdims, return_sign=True, out=out)
    assert value is out
    np.testing.assert_allclose(out, expected[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_a_mask_leaves_numbers_out(dtype):
    random = np.random.default_rng(2)
    x, mask = random.standard_normal((5, 9)).astype(dtype), random.random(9) < 0.5
    x[:, np.argmin(mask)] = NAN
    assert (x.dtype, mask.any(), mask.all()) == (dtype, True, False)
    exact = reference.logsumexp(x[:, mask])
    assert ulp_error(logsumexp(x, where=mask), exact).max() <= 2
    assert ulp_error(logsumexp(x, where=mask, b=np.ones(9)), exact).max() <= 1
    assert (logsumexp(x, where=np.zeros(9, bool)) == -INF).all()
    value, sign = logsumexp(x, where=False, b=2.0, return_sign=True)
    assert (value == -INF).all()
    assert (sign == 0).all()


def test_refusals():
    x = np.ones((2, 3))
    with pytest.raises(TypeError, match=r"^logsumexp takes real weights as b \(got complex128\); convert"):
        logsumexp(x, b=[1j, 1, 1])
    with pytest.raises(
        ValueError, match=r"^logsumexp takes a b that broadcasts to the shape of x, \(2, 3\) \(got"
    ):
        logsumexp(x, b=[1, 2])
    with pytest.raises(TypeError, match=r"^logsumexp takes a where of bool \(got int64\)"):
        logsumexp(x, where=[1, 0, 1])
    with pytest.raises(TypeError, match="without a mask"):
        logsumexp(x, b=np.ma.ones(3))
