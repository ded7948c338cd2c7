"""The oracle's element-wise functions and gradients, against mpmath and against differences."""

import mpmath
import numpy as np
import pytest

from softops.opset import reference

POINTS = [-11000.0, -745.0, -100.0, -36.7, -1.0, -1e-3, -1e-20, 0.0, 1e-20, 0.3, 1.0, 36.8, 100.0, 11000.0]


def exactly(x):
    """A longdouble as an mpmath number."""
    mantissa, exponent = np.frexp(x[()])
    high = float(mantissa)
    return mpmath.ldexp(mpmath.mpf(high) + mpmath.mpf(float(mantissa - np.longdouble(high))), int(exponent))


@pytest.mark.parametrize("x", POINTS)
def test_softplus_and_log_sigmoid(x):
    if reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is float64 here: no more precise than what it would check")
    with mpmath.workprec(40000):
        exact = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
        for actual in (reference.softplus(x), -reference.log_sigmoid(-x)):
            assert abs(exactly(actual) / exact - 1) < 2.0**-60


def test_at_infinity():
    x = np.array([-np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(reference.softplus(x), [0, np.inf, np.nan])
    np.testing.assert_array_equal(reference.log_sigmoid(x), [-np.inf, 0, np.nan])


@pytest.mark.parametrize(
    ("forward", "gradient"), [("log_softmax", "log_softmax_grad"), ("sigmoid", "sigmoid_grad")]
)
def test_gradients_are_the_limits_of_differences(forward, gradient):
    random = np.random.default_rng(0)
    x, dy = random.standard_normal((2, 5, 4)).astype(np.longdouble)
    function = getattr(reference, forward)
    actual = getattr(reference, gradient)(dy, function(x))
    step = np.longdouble(1e-5)
    for i in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[i] = step
        slope = ((function(x + moved) - function(x - moved)) * dy).sum() / (2 * step)
        assert abs(actual[i] - slope) < 1e-9


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape of y"):
        reference.log_softmax_grad(np.zeros(3), np.zeros(4))
