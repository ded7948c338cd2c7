"""The library's one rule for NaN, the infinities and what is empty, wherever in a row they stand."""

import numpy as np
import pytest

from softops import numba_kernels as kernels

NAN, INF = np.nan, np.inf
ROW_TO_ROW = ["softmax", "log_softmax", "hardmax"]
CASES = [(3, 0), (3, 1), (3, 2), (17, 0), (17, 8), (17, 16), (1000, 0), (1000, 500), (1000, 991), (1000, 999)]


@pytest.fixture(params=CASES, ids=lambda case: f"n{case[0]}-at{case[1]}")
def place(request):
    return request.param


@pytest.fixture
def rows(place, dtype):
    """Three rows of normal numbers of which the middle one is for spoiling; and the place for it."""
    n, at = place
    return np.random.default_rng(n).standard_normal((3, n)).astype(dtype), at


def spoiled(x, at, *values):
    """`x` with `values` from place `at` of the middle row on, wrapping around."""
    x = x.copy()
    for i, value in enumerate(values):
        x[1, (at + i) % x.shape[1]] = value
    return x


def assert_others_unharmed(operator, x, result):
    for row in (0, 2):
        np.testing.assert_array_equal(result[row], operator(x[row]))


@pytest.mark.parametrize(
    "values", [(NAN,), (-NAN,), (INF,), (NAN, INF), (INF, INF), (NAN, -INF), (INF, -INF)]
)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_nan_and_infinity_make_the_row_nan(name, values, rows):
    operator = getattr(kernels, name)
    x = spoiled(*rows, *values)
    result = operator(x)
    assert np.isnan(result[1]).all()
    assert_others_unharmed(operator, x, result)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_nothing_but_minus_infinity_is_nan(name, rows):
    operator = getattr(kernels, name)
    x = rows[0]
    x[1] = -INF
    result = operator(x)
    assert np.isnan(result[1]).all()
    assert_others_unharmed(operator, x, result)


@pytest.mark.parametrize("offset", [0, 1e3, -1e3, 1e30])
@pytest.mark.parametrize(("name", "expected"), [("softmax", 0.0), ("log_softmax", -INF)])
def test_minus_infinity_beside_finite_values(name, expected, offset, rows):
    """It is as if the entry were not there."""
    operator = getattr(kernels, name)
    x, at = rows
    x = spoiled(x + x.dtype.type(offset), at, -INF)
    result = operator(x)
    assert result[1, at] == expected
    assert not (expected == 0 and np.signbit(result[1, at]))
    without = operator(np.delete(x[1], at))
    # the sum is taken in another order: the last bit may differ in the result, and in a term
    np.testing.assert_array_max_ulp(np.delete(result[1], at), without, 2)


def test_one_finite_value_among_minus_infinity(place, dtype):
    n, at = place
    x = np.full(n, -INF, dtype)
    for value in (0, -5.5, 1e30, -1e30):
        x[at] = value
        assert kernels.softmax(x).tolist() == [float(i == at) for i in range(n)]
        assert kernels.log_softmax(x).tolist() == [0.0 if i == at else -INF for i in range(n)]
        assert kernels.logsumexp(x) == x[at]


def test_extreme_finite_values(place, dtype):
    """As far apart as the type goes: the difference overflows, the results do not turn NaN."""
    n, at = place
    largest = np.finfo(dtype).max
    x = np.full(n, -largest, dtype)
    x[at] = largest
    assert kernels.softmax(x).tolist() == [float(i == at) for i in range(n)]
    assert kernels.log_softmax(x).tolist() == [0.0 if i == at else -INF for i in range(n)]
    assert kernels.logsumexp(x) == largest
    assert kernels.logsumexp(-x) == largest
    assert kernels.sigmoid(x).tolist() == [float(i == at) for i in range(n)]


@pytest.mark.parametrize(
    "values",
    [(NAN,), (-NAN,), (NAN, NAN), (INF,), (INF, INF), (INF, NAN), (NAN, INF), (9, 9, 9), (-INF,), (1e30,)],
)
def test_hardmax_picks_what_argmax_picks(values, rows):
    x = spoiled(*rows, *values)
    expected = np.zeros_like(x)
    expected[np.arange(3), x.argmax(1)] = 1
    np.testing.assert_array_equal(kernels.hardmax(x), expected, strict=True)


@pytest.mark.parametrize(
    "row", [[-INF, -INF, -INF], [-0.0, 0.0, -0.0], [0.0, -0.0, 0.0], [5, 5, 5], [NAN, NAN, 1]]
)
def test_hardmax_picks_the_first_of_equals(row, dtype):
    for repeats in (1, 7, 400):
        x = np.array(row * repeats, dtype)
        assert kernels.hardmax(x).tolist() == [1.0] + [0.0] * (x.size - 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((NAN,), NAN),
        ((NAN, INF), NAN),
        ((INF, NAN), NAN),
        ((NAN, -INF), NAN),
        ((INF,), INF),
        ((INF, INF), INF),
        ((INF, -INF), INF),
    ],
)
def test_logsumexp_of_nan_and_infinity(values, expected, rows):
    x = spoiled(*rows, *values)
    result = kernels.logsumexp(x)
    np.testing.assert_array_equal(result[1], expected)
    assert_others_unharmed(kernels.logsumexp, x, result)


def test_logsumexp_of_minus_infinity(rows):
    x, at = rows
    assert kernels.logsumexp(np.full_like(x, -INF)).tolist() == [-INF] * 3
    x[:] = -INF
    x[1, at] = NAN
    np.testing.assert_array_equal(kernels.logsumexp(x), [-INF, NAN, -INF])


def test_sigmoid_keeps_each_to_itself(rows):
    x, at = rows
    for value, expected in ((NAN, NAN), (INF, 1), (-INF, 0), (0, 0.5), (-0.0, 0.5), (1e30, 1), (-1e30, 0)):
        result = kernels.sigmoid(spoiled(x, at, value))
        np.testing.assert_array_equal(result[1, at], expected)
        expected_others = np.delete(kernels.sigmoid(x).ravel(), x.shape[1] + at)
        np.testing.assert_array_equal(np.delete(result.ravel(), x.shape[1] + at), expected_others)


def test_softmax_grad_carries_nan_through_its_row(rows):
    x, at = rows
    y = kernels.softmax(x)
    for dy, p in ((spoiled(x, at, NAN), y), (x, spoiled(y, at, NAN))):
        result = kernels.softmax_grad(dy, p)
        assert np.isnan(result[1]).all()
        for row in (0, 2):
            np.testing.assert_array_equal(result[row], kernels.softmax_grad(x[row], y[row]))


def test_signalling_nan(dtype):
    pattern = {4: 0x7F800001, 8: 0x7FF0000000000001}[dtype.itemsize]
    x = np.array([0, 1, pattern, 2], f"u{dtype.itemsize}").view(dtype)
    for operator in (kernels.softmax, kernels.log_softmax, kernels.logsumexp):
        assert np.isnan(operator(x)).all()
    assert kernels.hardmax(x).tolist() == [0, 0, 1, 0]
    assert np.isnan(kernels.cross_entropy(x[None], [0]))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (2, 0, 3), (0, 0)])
def test_empty(shape, dtype):
    x = np.empty(shape, dtype)
    for axis in range(len(shape)):
        for name in ROW_TO_ROW:
            assert_empty(getattr(kernels, name)(x, axis), shape, dtype)
        assert_empty(kernels.softmax_grad(x, x, axis), shape, dtype)
        result = np.asarray(kernels.logsumexp(x, axis))
        assert (result.shape, result.dtype) == (shape[:axis] + shape[axis + 1 :], dtype)
        assert (result == -INF).all()
        assert kernels.logsumexp(x, axis, keepdims=True).shape == (*shape[:axis], 1, *shape[axis + 1 :])
    assert_empty(kernels.sigmoid(x), shape, dtype)
    out = np.empty(shape, dtype)
    assert kernels.softmax(x, out=out) is out


def assert_empty(result, shape, dtype):
    assert (result.shape, result.dtype) == (shape, dtype)
