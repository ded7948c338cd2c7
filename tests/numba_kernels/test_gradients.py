"""log_softmax_grad and sigmoid_grad against the oracle, and where the arrays lie."""

import numpy as np
import pytest

from softops.conformance.measure.ulp import spacing, ulp_error
from softops.numba_kernels import log_softmax, log_softmax_grad, sigmoid, sigmoid_grad
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
# float32: two roundings, the first of up to 1.1 times the largest, so of up to a whole unit, and a tenth for the rest
LOG_SOFTMAX_BOUND = {"float16": 1, "bfloat16": 1, "float32": 1.6, "float64": 4}
SIGMOID_BOUND = {"float16": 0.51, "bfloat16": 0.51, "float32": 0.51, "float64": 2}
GRADIENTS = [log_softmax_grad, sigmoid_grad]

pytestmark = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
gradients = pytest.mark.parametrize("gradient", GRADIENTS, ids=lambda gradient: gradient.__name__)


@pytest.fixture(autouse=True)
def _an_oracle(dtype):
    if dtype == np.float64 and reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")


def pair(gradient, shape, dtype, seed=0, sigma=3):
    random = np.random.default_rng(seed)
    x = (random.standard_normal(shape) * sigma).astype(dtype)
    y = log_softmax(x) if gradient is log_softmax_grad else sigmoid(x)
    return random.standard_normal(shape).astype(dtype), y


@pytest.mark.parametrize("n", [1, 2, 7, 10, 16, 17, 128, 1000, 4096])
@pytest.mark.parametrize("sigma", [0.1, 3, 100])
def test_log_softmax_grad(n, sigma, dtype):
    dy, y = pair(log_softmax_grad, (20, n), dtype, n, sigma)
    exact = reference.log_softmax_grad(dy, y)
    second = np.exp(y.astype(np.longdouble)) * dy.astype(np.longdouble).sum(-1, keepdims=True)
    # relative to the largest of the two terms and their difference, which is up to twice as large
    largest = np.maximum(np.maximum(abs(dy.astype(np.longdouble)), abs(second)), abs(exact))
    error = abs(log_softmax_grad(dy, y).astype(np.longdouble) - exact) / spacing(largest, dtype)
    assert error.max() <= LOG_SOFTMAX_BOUND[dtype.name]


def test_a_sum_that_cancels(dtype):
    """The sum of dy is tiny beside its numbers: it is taken as if exact."""
    big = 2.0**9
    dy = np.array([[big, 1, -big, -1, 2.0**-6] + [0] * 30], dtype)
    y = np.full(dy.shape, -1, dtype)
    actual = log_softmax_grad(dy, y)[0, 10:].astype(np.float64)
    np.testing.assert_allclose(actual, -np.exp(-1.0) * 2.0**-6, rtol=2.0**-7 if dtype.itemsize == 2 else 1e-7)


def test_sigmoid_grad(dtype):
    random = np.random.default_rng(0)
    x = random.uniform(-100, 40, 50000)
    y = sigmoid(x.astype(dtype))
    dy = (random.standard_normal(50000) * 10.0 ** random.integers(-4, 4, 50000)).astype(dtype)
    error = ulp_error(sigmoid_grad(dy, y), reference.sigmoid_grad(dy, y))
    assert error.max() <= SIGMOID_BOUND[dtype.name]


def test_special_values(dtype):
    """As the formulas have them."""
    rows = np.array([[np.nan, 1, 2], [1, 2, 3], [np.inf, 1, 2], [1, 2, 3]], dtype)
    y = np.array([[-1, -1, -1], [-1, np.nan, -1], [-1, -1, -1], [0, -np.inf, -np.inf]], dtype)
    actual = log_softmax_grad(rows, y)
    with np.errstate(invalid="ignore"):
        expected = rows.astype(float) - np.exp(y.astype(float)) * rows.astype(float).sum(-1, keepdims=True)
    np.testing.assert_allclose(actual.astype(float), expected, rtol=1e-2)
    dy, y = np.array([[np.nan, 1, np.inf, np.inf, 5, 5], [0.5, np.nan, 0.5, 0, 0, 1]], dtype)
    wanted = [np.nan, np.nan, np.inf, np.nan, 0, 0]
    np.testing.assert_array_equal(sigmoid_grad(dy, y).astype(float), wanted)


@gradients
def test_any_layout_and_out(gradient, dtype):
    dy, y = pair(gradient, (6, 5, 40), dtype)
    expected = gradient(dy, y)
    assert (expected.dtype, expected.shape) == (dtype, dy.shape)
    for view in (np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2], lambda a: a[::-1].copy()[::-1]):
        np.testing.assert_array_equal(gradient(view(dy), y), expected)
        np.testing.assert_array_equal(gradient(view(dy), view(y)), expected)
    for out in (np.empty_like(dy), np.empty_like(dy, order="F"), np.empty((6, 5, 80), dtype)[..., ::2]):
        assert gradient(dy, y, out=out) is out
        np.testing.assert_array_equal(out, expected)
    for place in range(2):
        arguments = [dy.copy(), y.copy()]
        assert gradient(*arguments, out=arguments[place]) is arguments[place]
        np.testing.assert_array_equal(arguments[place], expected)


def test_log_softmax_grad_along_any_axis(dtype):
    dy, y = pair(log_softmax_grad, (4, 5, 30), dtype)
    expected = log_softmax_grad(dy, y)
    for axis in range(3):
        moved = log_softmax_grad(np.moveaxis(dy, -1, axis), np.moveaxis(y, -1, axis), axis)
        np.testing.assert_array_equal(np.moveaxis(moved, axis, -1), expected)


@gradients
def test_threads_change_nothing(gradient, dtype):
    dy, y = pair(gradient, (300, 100), dtype)
    one_by_one = [gradient(a, b) for a, b in zip(dy, y, strict=True)]
    np.testing.assert_array_equal(gradient(dy, y), one_by_one)


@gradients
def test_refusals(gradient, dtype):
    x = np.zeros(3, dtype)
    with pytest.raises(TypeError, match=f"{gradient.__name__} takes"):
        gradient(np.arange(3), np.arange(3))
    other = np.float64 if dtype != np.float64 else np.float32
    with pytest.raises(TypeError, match="one dtype"):
        gradient(x, x.astype(other))
    with pytest.raises(ValueError, match="one shape"):
        gradient(x, np.zeros(4, dtype))
    with pytest.raises(ValueError, match="shape"):
        gradient(x, x, out=np.zeros(4, dtype))
