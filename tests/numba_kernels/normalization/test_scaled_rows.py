"""scaled_rows: a product and a sum in float64, rounded once."""

import ml_dtypes
import numpy as np
import pytest

from softops.conformance.measure.ulp import spacing, ulp_error
from softops.numba_kernels.normalization.scaled_rows import scaled_rows

DTYPES = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(2, 3, 40), (1, 5, 7, 7), (3, 64, 33, 31)], ids=str)
def test_exact(shape, dtype):
    random = np.random.default_rng(1)
    x = random.standard_normal(shape).astype(dtype)
    factors, terms = random.standard_normal((2, shape[1]))
    of_channels = (-1, *[1] * (len(shape) - 2))
    product = x.astype(np.longdouble) * factors.reshape(of_channels)
    expected = product + terms.reshape(of_channels)
    y = scaled_rows(x, factors, terms)
    assert y.dtype == dtype
    # the oracle's own roundings show where product and term cancel
    own = np.abs(product) * np.longdouble(2) ** -62 / spacing(expected, dtype)
    assert (ulp_error(y, expected) <= 0.51 + own).all()
    np.testing.assert_array_equal(scaled_rows(np.asfortranarray(x), factors, terms), y)
    np.testing.assert_array_equal(scaled_rows(x[:1], factors, terms), y[:1])


def test_special_values_and_refusals():
    x = np.array([[[np.inf, np.nan, 0, -0.0]]], np.float32)
    np.testing.assert_array_equal(scaled_rows(x, np.ones(1), np.zeros(1)), x)
    assert scaled_rows(x[:0], np.ones(1), np.zeros(1)).shape == (0, 1, 4)
    with pytest.raises(ValueError, match="for each channel of x"):
        scaled_rows(x, np.ones(2), np.zeros(2))
    with pytest.raises(TypeError, match="scaled_rows takes float16"):
        scaled_rows(np.zeros((1, 1, 1), int), np.ones(1), np.zeros(1))
