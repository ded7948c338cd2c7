"""softmax and log_softmax with a temperature and with a mask, against the formulas in longdouble."""

import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import log_softmax, softmax
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
BOUNDS = {"float16": (0.51, 0.51), "bfloat16": (0.51, 0.51), "float32": (2, 1), "float64": (2, 2)}
OPERATORS = [softmax, log_softmax]
TEMPERATURES = [0.1, 0.7, 1.0, 3.3, 100, 1e-300, 1e300]

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
operators = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)


def exact(x, temperature, mask):
    """(softmax, log_softmax) of x / temperature over the mask, by the formulas in longdouble."""
    wide = np.where(mask, x.astype(np.longdouble), -np.inf)
    with np.errstate(all="ignore"):
        difference = (wide - wide.max(-1, keepdims=True)) / np.longdouble(temperature)
        first = np.zeros(x.shape, bool)
        np.put_along_axis(first, wide.argmax(-1, keepdims=True), True, -1)
        exponentials = np.exp(difference)
        rest = np.where(first, 0, exponentials).sum(-1, keepdims=True)
        probabilities, logs = exponentials / (1 + rest), difference - np.log1p(rest)
    return np.where(mask, probabilities, 0), np.where(mask, logs, -np.inf)


@dtypes
@pytest.mark.parametrize("n", [1, 2, 7, 16, 17, 100, 1000])
def test_exact(n, dtype):
    if dtype == np.float64 and reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")
    random = np.random.default_rng(n)
    for sigma in (0.1, 3, 30, 1000):
        x = (random.standard_normal((20, n)) * sigma).astype(dtype)
        for temperature in TEMPERATURES:
            for mask in (None, random.random(x.shape) < 0.5):
                hidden = x if mask is None else np.where(mask, x, np.array(np.nan, dtype))
                wanted = exact(x, temperature, np.ones(x.shape, bool) if mask is None else mask)
                for operator, expected, bound in zip(OPERATORS, wanted, BOUNDS[dtype.name], strict=True):
                    actual = operator(hidden, temperature=temperature, where=mask)
                    finite = np.isfinite(expected)
                    np.testing.assert_array_equal(actual[~finite].astype(float), -np.inf)
                    if finite.any():
                        assert ulp_error(actual[finite], expected[finite]).max() <= bound


@operators
def test_the_quotient_is_not_rounded(operator):
    """In float32, x / T has an error of up to 2⁻²⁵ of x, which is 2⁻¹⁸ of the result here."""
    x = np.random.default_rng(0).uniform(200, 210, (10, 50)).astype(np.float32)
    expected = getattr(reference, operator.__name__)(x.astype(np.longdouble) / np.longdouble(1.7))
    assert ulp_error(operator(x, temperature=1.7), expected).max() <= 0.51


@operators
@dtypes
def test_the_largest_numbers(operator, dtype):
    largest = float(np.finfo(dtype).max) if dtype.name != "bfloat16" else 3.38e38
    x = np.array([[largest, -largest, 0, largest]], dtype)
    for temperature in (1e-3, 1.0, 2.0, 1e308):
        expected = exact(x, temperature, True)[OPERATORS.index(operator)]
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(
                operator(x, temperature=temperature, where=True).astype(float),
                expected.astype(dtype).astype(float),
                rtol=1e-2 if dtype.itemsize == 2 else 1e-6,
            )


@dtypes
def test_special_values(dtype):
    nan, inf = np.nan, np.inf
    x = np.array([[0, nan, 0], [inf, 0, 0], [-inf] * 3, [0, -inf, 0], [nan, nan, nan]], dtype)
    for temperature in (1.0, 0.5):
        for mask in ([True] * 3, None) if temperature != 1 else ([True] * 3,):
            p = softmax(x, temperature=temperature, where=mask).astype(float)
            np.testing.assert_array_equal(p, [[nan] * 3, [nan] * 3, [nan] * 3, [0.5, 0, 0.5], [nan] * 3])
            logs = log_softmax(x, temperature=temperature, where=mask).astype(float)
            assert np.isnan(logs[[0, 1, 2, 4]]).all()
            assert logs[3, 1] == -inf
    # what is masked out does not count, and is 0 or −inf in a row of NaN too
    mask = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]], bool)
    p = softmax(x, where=mask).astype(float)
    np.testing.assert_array_equal(p, [[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 0], [0, nan, 0], [nan, 0, 0]])
    logs = log_softmax(x, where=mask).astype(float)
    np.testing.assert_array_equal(logs[2:], [[-inf] * 3, [-inf, nan, -inf], [nan, -inf, -inf]])


@operators
@dtypes
def test_any_axis_layout_and_out(operator, dtype):
    random = np.random.default_rng(1)
    x, mask = random.standard_normal((4, 5, 40)).astype(dtype), random.random((4, 5, 40)) < 0.7
    for options in ({"temperature": 0.7}, {"where": mask}, {"where": mask, "temperature": 3.0}):
        wanted = operator(x, **options)
        assert (wanted.dtype, wanted.shape) == (dtype, x.shape)
        for axis in range(3):
            moved = np.moveaxis(x, -1, axis)
            turned = {k: np.moveaxis(v, -1, axis) if k == "where" else v for k, v in options.items()}
            for view in (
                moved,
                np.ascontiguousarray(moved),
                np.repeat(moved, 2, 1)[:, ::2],
                moved[::-1].copy()[::-1],
            ):
                np.testing.assert_array_equal(np.moveaxis(operator(view, axis, **turned), axis, -1), wanted)
        own = x.copy()
        for source, out in ((x, np.empty_like(x)), (x, np.empty_like(x, order="F")), (own, own)):
            assert operator(source, out=out, **options) is out
            np.testing.assert_array_equal(out, wanted)


@dtypes
def test_the_mask_broadcasts(dtype):
    x = np.random.default_rng(2).standard_normal((4, 5, 6)).astype(dtype)
    for shape in ((6,), (5, 6), (5, 1), (4, 1, 1), (1, 5, 6), ()):
        mask = np.random.default_rng(3).random(shape) < 0.6
        full = np.broadcast_to(mask, x.shape).copy()
        np.testing.assert_array_equal(softmax(x, where=mask), softmax(x, where=full))
        np.testing.assert_array_equal(softmax(x, 0, where=mask), softmax(x, 0, where=full))


@operators
def test_threads_change_nothing(operator):
    random = np.random.default_rng(4)
    x, mask = random.standard_normal((300, 100)), random.random((300, 100)) < 0.5
    rows = [operator(a, where=b, temperature=2.0) for a, b in zip(x, mask, strict=True)]
    np.testing.assert_array_equal(operator(x, where=mask, temperature=2.0), rows)


@operators
def test_refusals(operator):
    x = np.zeros((2, 3), np.float32)
    for temperature in (0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"{operator.__name__} takes a temperature"):
            operator(x, temperature=temperature)
    for temperature in ("hot", None, 1j):
        with pytest.raises(TypeError, match=f"{operator.__name__} takes a number as temperature"):
            operator(x, temperature=temperature)
    with pytest.raises(TypeError, match="where of bool"):
        operator(x, where=np.ones((2, 3), int))
    with pytest.raises(ValueError, match="broadcasts"):
        operator(x, where=np.ones((2, 2), bool))
    with pytest.raises(np.exceptions.AxisError):
        operator(x, 2, temperature=2.0)
    assert operator(x[:0], temperature=2.0, where=True).shape == (0, 3)
