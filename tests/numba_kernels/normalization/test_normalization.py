"""layer_norm and rms_norm against mpmath: plain rows, rows far from zero, rows with one large number."""

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest
from numpy.exceptions import AxisError

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import layer_norm, rms_norm

DTYPES = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
lengths = pytest.mark.parametrize("n", [1, 5, 16, 100, 257, 1000])
EPSILON = 1e-5


def inputs(dtype, n, rows=60, seed=0):
    """Rows of three kinds, a weight and a bias."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, n))
    x[1::3] += 1000
    x[2::3, 0] = 3e4
    weight, bias = random.uniform(0.5, 2, n), random.standard_normal(n)
    return x.astype(dtype), weight.astype(dtype), bias.astype(dtype)


def exact_row(row, *, centred):
    """(numbers less their mean, the mean, 1 / the root of what they are divided by) in long double, by mpmath."""
    with mp.workprec(200):
        x = [mp.mpf(float(each)) for each in row]
        mean = mp.fsum(x) / len(x) if centred else mp.mpf(0)
        d = [each - mean for each in x]
        inverse = 1 / mp.sqrt(mp.fsum(each**2 for each in d) / len(x) + mp.mpf(EPSILON))
        return [_long_double(each * inverse) for each in d], _long_double(mean), _long_double(inverse)


def _long_double(value):
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - high))


def standardized(x, *, centred):
    rows = [exact_row(row, centred=centred) for row in x]
    return tuple(np.array(part) for part in zip(*rows, strict=True))


def spacing(dtype, size):
    """One unit in the last place at each size."""
    error = ulp_error(np.zeros(size.shape, dtype), size)
    return np.where(error > 0, np.abs(size) / np.where(error > 0, error, 1), 1)


@dtypes
@lengths
def test_layer_norm(dtype, n):
    x, weight, bias = inputs(dtype, n, 12 if dtype == np.float64 else 60)
    y, mean, inverse = layer_norm(x, weight, bias, return_statistics=True)
    z, exact_mean, exact_inverse = standardized(x, centred=True)
    product = z * weight.astype(np.longdouble)
    expected = product + bias.astype(np.longdouble)
    assert y.dtype == dtype
    size = np.maximum(np.abs(product), np.abs(expected))
    off = np.abs(y.astype(np.longdouble) - expected) / spacing(dtype, size)
    assert off.max() <= (0.51 if dtype.itemsize == 2 else 4.5)
    wide = np.promote_types(dtype, np.float32)
    assert (mean.dtype, mean.shape, inverse.dtype) == (wide, (len(x), 1), wide)
    assert ulp_error(mean[:, 0], exact_mean).max() <= (2 if dtype == np.float64 else 0.51)
    assert ulp_error(inverse[:, 0], exact_inverse).max() <= (2.5 if dtype == np.float64 else 0.51)


@dtypes
@lengths
def test_rms_norm(dtype, n):
    x, weight, _ = inputs(dtype, n, 12 if dtype == np.float64 else 60, 1)
    z, _, _ = standardized(x, centred=False)
    error = ulp_error(rms_norm(x, weight), z * weight.astype(np.longdouble))
    bounds = {2: 0.51, 4: 3, 8: 4.5}
    assert error.max() <= bounds[dtype.itemsize]


@dtypes
def test_without_weights(dtype):
    x, weight, _ = inputs(dtype, 37)
    one, zero = np.ones_like(weight), np.full_like(weight, -0.0)
    np.testing.assert_array_equal(layer_norm(x), layer_norm(x, one, zero))
    np.testing.assert_array_equal(layer_norm(x, weight), layer_norm(x, weight, zero))
    np.testing.assert_array_equal(rms_norm(x), rms_norm(x, one))


@dtypes
def test_equal_numbers_give_the_bias(dtype):
    """However large: their mean is exact."""
    bias = np.linspace(-1, 1, 21).astype(dtype)
    for value in (0, 0.1, 3e4, -1e30 if dtype.itemsize > 2 else -1):
        x = np.full((2, 21), value, dtype)
        np.testing.assert_array_equal(layer_norm(x, None, bias), [bias, bias])


@dtypes
def test_special_values(dtype):
    x = np.ones((4, 20), dtype)
    x[1, 3], x[2, 4], x[3, 5] = np.nan, np.inf, -np.inf
    y, z = layer_norm(x).astype(float), rms_norm(x).astype(float)
    assert (y[0] == 0).all()
    assert np.isnan(y[1:]).all()
    assert np.isnan(z[1]).all()
    for row, place in ((2, 4), (3, 5)):
        assert np.isnan(z[row, place])
        assert (np.delete(z[row], place) == 0).all()


@dtypes
def test_axes_layout_out_and_neighbours(dtype):
    x, _, _ = inputs(dtype, 60, 300)
    x = x.reshape(300, 4, 15)
    weight = np.linspace(0.5, 1, 60).astype(dtype).reshape(4, 15)
    for function in (layer_norm, rms_norm):
        flat = function(x.reshape(300, 60), weight.reshape(60))
        expected = flat.reshape(x.shape)
        np.testing.assert_array_equal(function(x, weight, axis=1), expected)
        np.testing.assert_array_equal(function(x[7:9], weight, axis=-2), expected[7:9])
        np.testing.assert_array_equal(function(np.asfortranarray(x), weight, axis=1), expected)
        for out in (np.empty_like(x), np.empty((*x.shape, 2), dtype)[..., 0]):
            assert function(x, weight, axis=1, out=out) is out
            np.testing.assert_array_equal(out, expected)
        z = x.copy()
        assert function(z, weight, axis=1, out=z) is z
        np.testing.assert_array_equal(z, expected)
        np.testing.assert_array_equal(function(x, weight[0]), function(x, np.tile(weight[0], (15, 1))[0]))
        assert function(x[:0]).shape == (0, 4, 15)
        whole = function(x, axis=0)
        np.testing.assert_array_equal(whole, function(x.reshape(1, -1)).reshape(x.shape))


def test_shapes_of_statistics():
    x = np.arange(24.0).reshape(2, 3, 4)
    _, mean, inverse = layer_norm(x, axis=1, return_statistics=True)
    assert mean.shape == inverse.shape == (2, 1, 1)
    np.testing.assert_array_equal(mean.ravel(), [5.5, 17.5])


def test_refusals():
    x = np.zeros((2, 3))
    for function in (layer_norm, rms_norm):
        with pytest.raises(TypeError, match=f"{function.__name__} takes float16"):
            function(x.astype(int))
        with pytest.raises(TypeError, match=r"weight of the dtype of x, float64 .got float32"):
            function(x, np.ones(3, np.float32))
        with pytest.raises(ValueError, match=r"weight that broadcasts .*got .4"):
            function(x, np.ones(4))
        with pytest.raises(ValueError, match="epsilon of 0 or more"):
            function(x, epsilon=-1)
        with pytest.raises(ValueError, match="epsilon of 0 or more"):
            function(x, epsilon=np.nan)
        with pytest.raises(AxisError):
            function(x, axis=2)
        with pytest.raises(ValueError, match="shape"):
            function(x, out=np.zeros(3))
        with pytest.raises(ValueError, match="scalar"):
            function(np.float64(1))
