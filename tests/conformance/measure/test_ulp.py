"""ulp_distance and ulp_error against NumPy's own notion of neighbours."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softops.conformance import ulp_distance, ulp_error

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
NAN = np.iinfo(np.uint64).max


def distance(left, right, dtype):
    return int(ulp_distance(np.array(left, dtype), np.array(right, dtype)))


@dtypes
@pytest.mark.parametrize("start", [0.0, 1.0, -1.0, 0.1, 2.0, -3.0, 1e-6])
def test_neighbours_are_one_apart(dtype, start):
    value = np.array(start, dtype)
    for towards in (np.inf, -np.inf):
        other = np.nextafter(value, np.array(towards, dtype))
        assert ulp_distance(value, other) == 1
        assert ulp_distance(other, value) == 1


@dtypes
def test_the_largest_number_and_infinity_are_neighbours(dtype):
    largest = ml_dtypes.finfo(dtype).max
    assert distance(largest, np.inf, dtype) == 1
    assert distance(-np.inf, largest * -1, dtype) == 1


@dtypes
def test_zeros_of_either_sign_are_the_same_place(dtype):
    assert distance(0.0, -0.0, dtype) == 0
    smallest = ml_dtypes.finfo(dtype).smallest_subnormal
    assert distance(smallest, -0.0, dtype) == 1
    assert distance(smallest, -smallest, dtype) == 2


@dtypes
def test_nan_equals_nan_and_is_farthest_from_every_number(dtype):
    assert distance(np.nan, np.nan, dtype) == 0
    assert distance(np.nan, -np.nan, dtype) == 0
    for number in (0.0, 1.0, np.inf, -np.inf):
        assert distance(np.nan, number, dtype) == NAN
        assert distance(number, np.nan, dtype) == NAN


@dtypes
def test_infinities_are_apart_by_every_number_there_is(dtype):
    bits = np.array(np.inf, dtype).view(f"u{np.dtype(dtype).itemsize}")
    assert distance(-np.inf, np.inf, dtype) == 2 * int(bits)
    assert distance(-np.inf, np.inf, dtype) < NAN


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_counts_like_a_walk_over_all_numbers_of_a_half(dtype):
    every = np.arange(2**16, dtype=np.uint16).view(dtype)
    magnitude = (every.view(np.uint16) & 0x7FFF).astype(int)
    numbers = every[magnitude <= int(np.array(np.inf, dtype).view(np.uint16))]
    ordered = np.unique(numbers.astype(np.float64))  # unique makes one of both zeros
    start = np.full(ordered.shape, ordered[1000], np.float64).astype(dtype)
    expected = np.abs(np.arange(len(ordered)) - 1000)
    assert np.array_equal(ulp_distance(ordered.astype(dtype), start), expected.astype(np.uint64))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_float32_pairs_agree_with_python_integers(left, right):
    values = np.array([left, right], np.uint32).view(np.float32)
    got = int(ulp_distance(values[:1], values[1:])[0])
    if np.isnan(values).any():
        assert got == (0 if np.isnan(values).all() else NAN)
    else:
        places = [(-1 if bits >> 31 else 1) * (bits & 0x7FFFFFFF) for bits in (left, right)]
        assert got == abs(places[0] - places[1])


def test_measures_in_the_arrays_own_type():
    one, two = np.float16([1]), np.nextafter(np.float16([1]), np.float16(2))
    assert ulp_distance(one, two) == 1
    assert ulp_distance(one.astype(np.float32), two.astype(np.float32)) == 8192


def test_views_strides_byte_order_and_empty_arrays():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert not ulp_distance(values[::-1, ::2], values[::-1, ::2].copy()).any()
    assert not ulp_distance(values.astype(">f4"), values).any()
    assert ulp_distance(np.empty((0, 3)), np.empty((0, 3))).shape == (0, 3)
    assert ulp_distance(values, values).dtype == np.uint64


def test_bad_input_is_named():
    single = np.ones(3, np.float32)
    with pytest.raises(TypeError, match=r"one dtype.*float32 and float64"):
        ulp_distance(single, np.ones(3))
    with pytest.raises(TypeError, match="got int64"):
        ulp_distance(np.ones(3, np.int64), np.ones(3, np.int64))
    with pytest.raises(ValueError, match=r"one shape.*\(3,\) and \(1,\)"):
        ulp_distance(single, single[:1])
    with pytest.raises(TypeError, match=r"np\.longdouble.*float64"):
        ulp_error(single, np.ones(3))
    with pytest.raises(ValueError, match="one shape"):
        ulp_error(single, np.ones(1, np.longdouble))


@dtypes
@given(exact=st.floats(-1e4, 1e4), steps=st.integers(-3, 3))
def test_error_is_the_distance_in_spacings_of_the_exact_value(dtype, exact, steps):
    exact = np.array(exact, np.longdouble)
    rounded = exact.astype(np.float64).astype(dtype)
    floor = ml_dtypes.finfo(dtype).smallest_normal
    # Rounding up to a power of two doubles np.spacing; the exact value's own binade counts.
    unit = np.spacing(np.maximum(np.abs(rounded), floor)).astype(np.longdouble)
    if np.abs(rounded.astype(np.longdouble)) > np.abs(exact) and np.frexp(np.abs(rounded))[0] == 0.5:
        unit = max(unit / 2, np.spacing(floor).astype(np.longdouble))
    actual = rounded.astype(np.longdouble) + steps * unit
    if actual.astype(dtype).astype(np.longdouble) == actual:
        want = float(np.abs(actual - exact) / unit)
        assert float(ulp_error(actual.astype(dtype), exact)) == pytest.approx(want, rel=1e-12)
    assert ulp_error(rounded, exact) <= 0.5 + 1e-3  # float64 stands between, for the halves


def test_error_of_small_large_and_special_values():
    def error(actual, exact):
        return float(ulp_error(np.array(actual, np.float32), np.array(exact, np.longdouble)))

    tiny = np.longdouble(np.finfo(np.float32).smallest_subnormal)
    assert error(0.0, tiny / 4) == 0.25
    assert error(0.0, np.finfo(np.float32).tiny) == 2**23
    assert error(np.inf, np.inf) == error(np.nan, np.nan) == error(-np.inf, -np.inf) == 0
    assert error(np.inf, np.longdouble("1e39")) == 0
    assert error(np.inf, -np.longdouble("1e39")) == np.inf
    largest = np.finfo(np.float32).max
    assert error(np.inf, largest) == np.inf
    assert error(largest, np.longdouble(largest) * (1 + np.longdouble(2) ** -26)) == 0.25 * (1 - 2.0**-24)
    for pair in ((np.nan, 1), (1, np.nan), (1, np.inf), (np.inf, -np.inf), (np.inf, 1)):
        assert error(*pair) == np.inf


@dtypes
def test_every_nan_is_nan_signalling_ones_too(dtype):
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    infinity = int(np.array(np.inf, dtype).view(unsigned))
    nans = np.array([infinity + 1, infinity | (infinity >> 1)], unsigned).view(dtype)
    assert not ulp_distance(nans, nans[::-1]).any()
    assert (ulp_distance(nans, np.zeros(2, dtype)) == NAN).all()
    assert (ulp_error(nans, np.full(2, np.nan, np.longdouble)) == 0).all()
    assert (ulp_error(nans, np.zeros(2, np.longdouble)) == np.inf).all()
