"""sparsemax and entmax15 against exact arithmetic: a sorted sum of fractions, a bisection with 200 bits."""

from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.exceptions import AxisError

from softops.numba_kernels import entmax15, sparsemax

BOTH = pytest.mark.parametrize("operator", [sparsemax, entmax15], ids=lambda operator: operator.__name__)
INF, NAN = np.inf, np.nan
# In units of the last place of the row's largest result. float32 is float64 rounded once, 2⁻⁵¹ being nothing to it.
# In float64 the sum is known to 2⁻⁵¹, so the threshold (the largest slope being that of the largest p) to as much.
BOUNDS = {np.dtype(np.float32): 0.501, np.dtype(np.float64): 4}


def exact_sparsemax(row):
    """By the definition: the largest k with 1 + k z_k > z_1 + … + z_k, in fractions."""
    z = [Fraction(float(v)) for v in row]
    total, threshold = Fraction(0), None
    for k, v in enumerate(sorted(z, reverse=True), 1):
        total += v
        if 1 + k * v > total:
            threshold = (total - 1) / k
    return [max(v - threshold, Fraction(0)) for v in z]


def exact_entmax15(row):
    """The root of the sum by bisection."""
    with mpmath.workprec(200):
        z = [mpmath.mpf(float(v)) / 2 for v in row]
        low, high = max(z) - 1, max(z)
        for _ in range(110):
            middle = (low + high) / 2
            if mpmath.fsum((v - middle) ** 2 for v in z if v > middle) >= 1:
                low = middle
            else:
                high = middle
        return [(v - low) ** 2 if v > low else mpmath.mpf(0) for v in z]


EXACT = {sparsemax: exact_sparsemax, entmax15: exact_entmax15}


def assert_exact(operator, row, result):
    exact = EXACT[operator](row)
    kind = {Fraction: Fraction, mpmath.mpf: mpmath.mpf}[type(exact[0])]
    with mpmath.workprec(200):
        errors = [float(abs(kind(float(got)) - p)) for got, p in zip(result, exact, strict=True)]
    unit = float(np.spacing(row.dtype.type(float(max(exact)))))
    assert max(errors) <= BOUNDS[row.dtype] * unit
    if row.dtype == np.float32:
        # each rounded to nearest on its own, but for those that 2⁻⁵¹ still matters to
        own = np.spacing(np.array([float(p) for p in exact], np.float32)).astype(np.float64)
        assert (np.array(errors) <= 0.501 * own + 2.0**-50).all()


@BOTH
@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 40, 101])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1, 30])
def test_rows_and_columns_are_exact(operator, n, scale, dtype):
    x = np.random.default_rng(n).normal(scale * 3, scale, (3, n)).astype(dtype)
    for row, along_row, along_column in zip(x, operator(x), operator(x.T.copy(), 0).T, strict=True):
        assert_exact(operator, row, along_row)
        assert_exact(operator, row, along_column)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([sparsemax, entmax15]),
    arrays(np.float64, st.integers(1, 24), elements=st.floats(-3, 3)),
)
def test_any_scores(operator, x):
    for row in (x, x.astype(np.float32)):
        result = operator(row)
        assert_exact(operator, row, result)
        assert (result >= 0).all()
        assert result[row == row.max()].min() == result.max()
        assert (np.diff(result[np.argsort(row, kind="stable")]) >= 0).all()
        np.testing.assert_array_equal(operator(row[::-1].copy())[::-1] > 0, result > 0)


@BOTH
def test_rows_that_need_many_steps(operator, dtype):
    """Half the scores equal, the others each just below the threshold that holds without it."""
    n = 120
    total, x = 1.0, np.zeros(n)
    for k in range(n - 1, n // 2, -1):
        x[k] = -total / k
        total += x[k] / 2
    for row in (x, -np.geomspace(1e-12, 2, n), -np.linspace(0, 2, n), np.full(n, 7.0)):
        assert_exact(operator, row.astype(dtype), operator(row.astype(dtype)))


@BOTH
def test_a_long_row_sums_to_one(operator, dtype):
    x = np.random.default_rng(0).standard_normal(100_003).astype(dtype)
    for row in (x, x * dtype.type(1e-6), x * dtype.type(1e6)):
        y = operator(row)
        assert abs(y.sum(dtype=np.longdouble) - 1) <= np.finfo(dtype).eps * 4
        assert y.argmax() == row.argmax()


@BOTH
def test_a_known_row(operator, dtype):
    """By hand: 2/3 − t + 0 − t = 1; (0 − t)² + (−1/2 − t)² = 1."""
    if operator is sparsemax:
        np.testing.assert_allclose(
            operator(np.array([2 / 3, 0, -1], dtype)), [5 / 6, 1 / 6, 0], rtol=4 * np.finfo(dtype).eps
        )
    else:
        t = (-0.5 - np.sqrt(7 / 4)) / 2
        expected = [t**2, (0.5 + t) ** 2]
        np.testing.assert_allclose(operator(np.array([0, -1], dtype)), expected, rtol=8 * np.finfo(dtype).eps)


@BOTH
@pytest.mark.parametrize(("n", "at"), [(3, 0), (3, 2), (17, 8), (100, 99)])
def test_special_values(operator, n, at, dtype):
    x = np.random.default_rng(n).standard_normal((3, n)).astype(dtype)
    plain = operator(x)

    def down(rows):
        return operator(rows.T.copy(), 0).T

    for values in ((NAN,), (-NAN,), (INF,), (INF, INF), (NAN, -INF), (INF, -INF), (NAN, INF)):
        spoiled = x.copy()
        for i, value in enumerate(values):
            spoiled[1, (at + i) % n] = value
        for function, others in ((operator, plain), (down, down(x))):
            result = function(spoiled)
            assert np.isnan(result[1]).all()
            np.testing.assert_array_equal(result[::2], others[::2])
    spoiled = x.copy()
    spoiled[1] = -INF
    assert np.isnan(operator(spoiled)[1]).all()
    spoiled[1] = x[1]
    spoiled[1, at] = -INF
    for result in (operator(spoiled), down(spoiled)):
        assert result[1, at] == 0
        assert not np.signbit(result).any()
        np.testing.assert_allclose(
            np.delete(result[1], at), operator(np.delete(x[1], at)), rtol=0, atol=np.finfo(dtype).eps
        )
    for offset in (0, 1e30, -1e30, np.finfo(dtype).max):
        far = np.full(n, -np.finfo(dtype).max, dtype)
        far[at] = offset
        assert operator(far).tolist() == [float(i == at) for i in range(n)]


@BOTH
@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_halves_are_computed_in_float32(operator, half):
    x = np.random.default_rng(1).standard_normal((5, 33)).astype(half)
    for axis in (0, 1):
        result = operator(x, axis)
        assert result.dtype == half
        np.testing.assert_array_equal(result, operator(x.astype(np.float32), axis).astype(half))


@BOTH
def test_strides_axes_and_out(operator, dtype):
    x = np.random.default_rng(2).standard_normal((6, 20, 14)).astype(dtype)
    for axis in (0, 1, 2, -1):
        moved = np.moveaxis(x, axis, -1)
        expected = np.moveaxis(
            np.array([operator(row) for row in moved.reshape(-1, x.shape[axis])]).reshape(moved.shape),
            -1,
            axis,
        )
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(operator(x, axis), expected, rtol=0, atol=eps)
        np.testing.assert_allclose(
            operator(x[::-1, ::2], axis), operator(x[::-1, ::2].copy(), axis), rtol=0, atol=eps
        )
        in_place = x.copy()
        assert operator(in_place, axis, out=in_place) is in_place
        np.testing.assert_array_equal(in_place, operator(x, axis))
    assert operator(np.empty((0, 3), dtype)).shape == (0, 3)
    assert operator(np.empty((3, 0), dtype)).shape == (3, 0)
    big = np.random.default_rng(3).standard_normal((300, 700)).astype(dtype)
    np.testing.assert_array_equal(operator(big)[:2], operator(big[:2]))
    np.testing.assert_array_equal(operator(big, 0)[:, :3], operator(big[:, :3].copy(), 0))


@BOTH
def test_refusals(operator):
    name = operator.__name__
    with pytest.raises(TypeError, match=rf"^{name} takes .*\(got int64\); convert"):
        operator(np.array([1, 2]))
    with pytest.raises(AxisError):
        operator(np.ones(3), 1)
    with pytest.raises(ValueError, match=rf"^{name} gives float64 of shape"):
        operator(np.ones(3), out=np.ones(4))
