"""topk: order, ties and NaN against a plain sort, probabilities against the formula in longdouble."""

import ml_dtypes
import numba
import numpy as np
import pytest
from numpy.exceptions import AxisError

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import topk
from softops.opset import reference

INF, NAN = np.inf, np.nan
DTYPES = [np.dtype(name) for name in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
BOUNDS = {"float16": 0.51, "bfloat16": 0.51, "float32": 2, "float64": 4}
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


def best(line, k):
    """Indices by the definition: a NaN first, then by number, equals by index."""
    numbers = line.astype(np.float64)
    keys = [(0, 0.0) if v != v else (1, -v) for v in numbers.tolist()]
    return sorted(range(len(keys)), key=keys.__getitem__)[:k]


def assert_best(x, k):
    values, indices = topk(x, k)
    assert (values.dtype, indices.dtype) == (x.dtype, np.int64)
    assert indices.tolist() == [best(line, k) for line in x]
    # as bytes: NaN, and the sign of 0
    assert values.tobytes() == np.take_along_axis(x, indices, -1).tobytes()


@dtypes
@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 5), (17, 3), (63, 62), (200, 7), (1000, 999), (3000, 64)])
def test_order_ties_and_special_values(dtype, n, k):
    random = np.random.default_rng(n)
    x = (random.integers(-50, 50, (6, n)) / 8).astype(dtype)
    x[0, random.integers(0, n, n // 10)] = NAN
    x[1, ::3], x[1, 1::3], x[1, 2::3] = -0.0, 0.0, -1
    x[2, ::4] = INF
    x[3] = -INF
    x[4] = NAN
    assert_best(x, k)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_numbers_that_rise_and_that_fall(k, dtype):
    x = np.stack([np.arange(2000), -np.arange(2000), np.zeros(2000), np.arange(2000) % 7]).astype(dtype)
    assert_best(x, k)


def test_the_smallest_differences(dtype):
    info = np.finfo(dtype)
    numbers = np.array([0, info.smallest_subnormal, info.tiny, 1, np.nextafter(dtype.type(1), 2), info.max])
    x = np.concatenate([numbers, -numbers]).astype(dtype)
    x = np.stack([np.random.default_rng(i).permutation(np.tile(x, 9)) for i in range(4)])
    assert_best(x, 40)


def test_axes_and_strides(dtype):
    x = np.random.default_rng(0).standard_normal((7, 33, 5)).astype(dtype)
    for view in (x, x.T, x[::-1, ::2], np.asfortranarray(x), np.broadcast_to(x[:, :1], x.shape)):
        for axis in (0, 1, -1):
            values, indices = topk(view, 3, axis)
            lines = np.moveaxis(view, axis, -1)
            expected = np.apply_along_axis(best, -1, lines, 3)
            np.testing.assert_array_equal(np.moveaxis(indices, axis, -1), expected)
            np.testing.assert_array_equal(values, np.take_along_axis(view, indices, axis))
            assert values.flags.c_contiguous
            assert indices.flags.c_contiguous


def exact(x, temperature):
    """The softmax of x / temperature in longdouble."""
    with np.errstate(all="ignore"):
        e = np.exp((x.astype(np.longdouble) - x.max(-1, keepdims=True)) / np.longdouble(temperature))
        return e / e.sum(-1, keepdims=True)


@dtypes
@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.5])
def test_probabilities_are_exact(dtype, temperature):
    if dtype == np.float64 and reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")
    random = np.random.default_rng(5)
    for n in (1, 3, 16, 100, 20000):
        for sigma in (0, 0.1, 3, 30, 200):
            x = (random.standard_normal((9, n)) * sigma + random.choice([0, 300, -300])).astype(dtype)
            k = min(n, 19)
            given, indices = topk(x, k, probabilities=True, temperature=temperature)
            np.testing.assert_array_equal(indices, topk(x, k)[1])
            expected = np.take_along_axis(exact(x, temperature), indices, -1)
            assert ulp_error(given, expected).max() <= BOUNDS[dtype.name]


@dtypes
def test_probabilities_of_special_values(dtype):
    x = np.array([[1, NAN, 2], [1, INF, 2], [-INF] * 3, [0, -INF, 0], [5, -INF, -INF]], dtype)
    for options in ({}, {"temperature": 2.0}):
        values, indices = topk(x, 3, probabilities=True, **options)
        expected = [[NAN] * 3, [NAN] * 3, [NAN] * 3, [0.5, 0.5, 0], [1, 0, 0]]
        np.testing.assert_array_equal(values.astype(float), expected)
        assert indices.tolist() == [best(line, 3) for line in x]


@pytest.mark.parametrize("number", [1, 2])
def test_the_same_bits_for_any_number_of_threads(number, threads):
    x = np.random.default_rng(1).standard_normal((50, 3000)).astype(np.float32)
    many = numba.get_num_threads()
    threads(number)
    values, indices = topk(x, 20, probabilities=True)
    threads(many)
    for i in range(0, 50, 7):
        one = topk(x[i : i + 1], 20, probabilities=True)
        assert one[0].tobytes() == values[i : i + 1].tobytes()
        np.testing.assert_array_equal(one[1], indices[i : i + 1])


def test_nothing_and_everything():
    x = np.zeros((3, 4), np.float32)
    assert [each.shape for each in topk(x, 0)] == [(3, 0)] * 2
    assert [each.shape for each in topk(x, 0, 0)] == [(0, 4)] * 2
    assert [each.shape for each in topk(x[:, :0], 0)] == [(3, 0)] * 2
    assert [each.shape for each in topk(x[:0], 2)] == [(0, 2)] * 2
    assert topk(x[0], 4)[1].tolist() == [0, 1, 2, 3]
    assert topk(x, np.int8(2))[1].shape == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((2, 3), np.int32), 1), TypeError, "topk takes float16.*got int32"),
        ((np.zeros((2, 3)), 4), ValueError, "topk takes a k from 0 to 3.*got 4"),
        ((np.zeros((2, 3)), -1), ValueError, "topk takes a k from 0 to 3.*got -1"),
        ((np.zeros((2, 3)), 1.0), TypeError, "topk takes an integer as k.*got 1.0"),
        ((np.zeros((2, 3)), 1, 2), AxisError, "axis 2 is out of bounds"),
        ((np.zeros(()), 1), ValueError, "topk works along an axis"),
    ],
)
def test_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        topk(*arguments)


def test_temperatures_it_refuses():
    for temperature in (0, -1, INF, NAN):
        with pytest.raises(ValueError, match="takes a temperature above 0"):
            topk(np.zeros(3), 1, probabilities=True, temperature=temperature)
    with pytest.raises(ValueError, match="temperature with probabilities alone"):
        topk(np.zeros(3), 1, temperature=2.0)
