"""entmax of any alpha against a bisection with 200 bits, and against its relatives."""

import ml_dtypes
import mpmath
import numpy as np
import pytest
from numpy.exceptions import AxisError

from softops.numba_kernels import entmax, entmax15, softmax, sparsemax

INF, NAN = np.inf, np.nan
ALPHAS = (1 + 1e-12, 1.001, 1.25, 1.75, 1.999999)


def exact(row, alpha):
    """The root of the sum by bisection."""
    with mpmath.workprec(200):
        less_one = mpmath.mpf(alpha) - 1
        z = [(mpmath.mpf(float(v)) - float(max(row))) * less_one for v in row]
        low, high = mpmath.mpf(0), mpmath.mpf(1)
        for _ in range(130):
            middle = (low + high) / 2
            if mpmath.fsum((1 + v - middle) ** (1 / less_one) for v in z if 1 + v > middle) >= 1:
                low = middle
            else:
                high = middle
        return [(1 + v - low) ** (1 / less_one) if 1 + v > low else mpmath.mpf(0) for v in z]


def assert_exact(row, alpha, result):
    expected = exact(row, alpha)
    with mpmath.workprec(200):
        errors = np.array([float(abs(float(got) - p)) for got, p in zip(result, expected, strict=True)])
    values = np.array([float(p) for p in expected])
    if row.dtype == np.float32:
        assert (errors <= 0.51 * np.spacing(values.astype(np.float32)).astype(float) + 2.0**-48).all()
    else:
        assert errors.max() <= 6 * np.spacing(values.max())


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n", [1, 2, 17, 50])
def test_exact(alpha, n, dtype):
    random = np.random.default_rng(n)
    for scale in (1e-3, 1, 30):
        row = random.normal(scale * 3, scale, n).astype(dtype)
        assert_exact(row, alpha, entmax(row, alpha))


@pytest.mark.parametrize("alpha", [1.001, 1.75])
def test_rows_that_need_many_steps(alpha, dtype):
    n = 60
    for row in (-np.geomspace(1e-12, 2, n), -np.linspace(0, 2, n), np.full(n, 7.0), np.r_[1e4, np.zeros(n)]):
        assert_exact(row.astype(dtype), alpha, entmax(row.astype(dtype), alpha))


def test_its_relatives(dtype):
    x = np.random.default_rng(0).standard_normal((7, 33)).astype(dtype)
    for alpha, relative in ((1, softmax), (1.5, entmax15), (2, sparsemax), (np.float32(1.5), entmax15)):
        np.testing.assert_array_equal(entmax(x, alpha), relative(x))
        np.testing.assert_array_equal(entmax(x, alpha, 0), relative(x, 0))
    eps = np.finfo(dtype).eps
    for beside, relative in ((1 + 1e-14, softmax), (1.5 + 1e-14, entmax15), (2 - 1e-14, sparsemax)):
        np.testing.assert_allclose(entmax(x, beside), relative(x), rtol=0, atol=eps * 64)
    # the larger alpha, the fewer classes are left
    left = [(entmax(x, alpha) > 0).sum() for alpha in (1, 1.2, 1.4, 1.5, 1.7, 2)]
    assert left == sorted(left, reverse=True)


def test_special_values(dtype):
    x = np.random.default_rng(1).standard_normal((3, 40)).astype(dtype)
    plain = entmax(x, 1.3)
    for values in ((NAN,), (INF,), (INF, INF), (NAN, -INF)):
        spoiled = x.copy()
        spoiled[1, : len(values)] = values
        result = entmax(spoiled, 1.3)
        assert np.isnan(result[1]).all()
        np.testing.assert_array_equal(result[::2], plain[::2])
    spoiled[1] = -INF
    assert np.isnan(entmax(spoiled, 1.3)[1]).all()
    spoiled[1, 3:6] = 2
    np.testing.assert_allclose(
        entmax(spoiled, 1.3)[1], np.where(np.isfinite(spoiled[1]), 1 / 3, 0), rtol=np.finfo(dtype).eps
    )
    for offset in (0, 1e30, np.finfo(dtype).max):
        far = np.full(40, -np.finfo(dtype).max, dtype)
        far[7] = offset
        assert entmax(far, 1.3).tolist() == [float(i == 7) for i in range(40)]


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_halves_are_rounded_once(half):
    x = np.random.default_rng(1).standard_normal((5, 33)).astype(half)
    np.testing.assert_array_equal(entmax(x, 1.3), entmax(x.astype(np.float32), 1.3).astype(half))
    np.testing.assert_array_equal(entmax(x, 1.3, 0), entmax(x.T, 1.3).T)


def test_axes_strides_out_and_threads(dtype, threads):
    x = np.random.default_rng(2).standard_normal((6, 20, 14)).astype(dtype)
    for axis in (0, 1, 2, -1):
        moved = np.ascontiguousarray(np.moveaxis(x, axis, -1))
        expected = np.moveaxis(entmax(moved, 1.3), -1, axis)
        np.testing.assert_array_equal(entmax(x, 1.3, axis), expected)
        np.testing.assert_array_equal(entmax(x[::-1, ::2], 1.3, axis), entmax(x[::-1, ::2].copy(), 1.3, axis))
        own = x.copy()
        assert entmax(own, 1.3, axis, out=own) is own
        np.testing.assert_array_equal(own, expected)
    flat = entmax(x.reshape(6, -1), 1.3).reshape(x.shape)
    np.testing.assert_array_equal(entmax(x, 1.3, (1, 2)), flat)
    assert entmax(np.empty((0, 3), dtype), 1.3).shape == (0, 3)
    assert entmax(dtype.type(3), 1.3) == 1
    together = entmax(np.repeat(x, 20, 0), 1.3)
    threads(1)
    np.testing.assert_array_equal(entmax(np.repeat(x, 20, 0), 1.3), together)


def test_refusals():
    for alpha in (0.99, 2.01, NAN):
        with pytest.raises(ValueError, match=r"^entmax takes an alpha from 1, softmax, to 2"):
            entmax(np.ones(3), alpha)
    for alpha in ("2", [1.5, 1.5], None):
        with pytest.raises(TypeError, match=r"^entmax takes one number as alpha"):
            entmax(np.ones(3), alpha)
    with pytest.raises(TypeError, match=r"^entmax takes .*\(got int64\); convert"):
        entmax(np.array([1, 2]), 1.3)
    with pytest.raises(AxisError):
        entmax(np.ones(3), 1.3, 1)
    with pytest.raises(ValueError, match=r"^entmax gives float64 of shape"):
        entmax(np.ones(3), 1.3, out=np.ones(4))
