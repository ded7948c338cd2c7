"""float16 and bfloat16: computed in float32 and rounded once, so right to 0.51 ULP of their own type."""

import ml_dtypes
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.conformance import ulp_error
from softops.opset import reference

BOUND = 0.51
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
ROW_OPERATORS = ["softmax", "log_softmax", "logsumexp"]


@pytest.fixture(params=HALVES, ids=lambda dtype: dtype.name)
def half(request):
    return request.param


def every_number(half):
    return np.arange(65536, dtype=np.uint32).astype(np.uint16).view(half)


@pytest.mark.parametrize("operator", ["sigmoid", "softplus", "log_sigmoid"])
def test_every_number_there_is(operator, half):
    x = every_number(half)
    with np.errstate(invalid="ignore"):  # NumPy warns of signalling NaN, which are among the numbers
        wide = x.astype(np.float64)
    actual = getattr(kernels, operator)(x)
    assert actual.dtype == half
    assert np.array_equal(np.isnan(actual.astype(np.float64)), np.isnan(wide))
    # the exact value is past the largest number of the type from half a unit above it on
    with np.errstate(all="ignore"):
        exact = getattr(reference, operator)(wide)
    inside = np.isfinite(wide) & (abs(exact) <= float(ml_dtypes.finfo(half).max))
    assert ulp_error(actual[inside], exact[inside]).max() <= BOUND


@pytest.mark.parametrize("n", [1, 2, 7, 10, 16, 17, 128, 1000, 4096])
@pytest.mark.parametrize("operator", ROW_OPERATORS)
def test_rows_and_columns(operator, n, half):
    random = np.random.default_rng(n)
    kinds = [(s, o) for s in (0.1, 1, 3, 10, 30, 100, 1000) for o in (0, 100, -100, 1e4, -1e4)]
    sigma, offset = np.array(kinds).T[..., None]
    x = (random.standard_normal((len(kinds), n)) * sigma + offset).astype(half)
    exact = getattr(reference, operator)(x)
    kernel = getattr(kernels, operator)
    assert ulp_error(kernel(x), exact).max() <= BOUND
    columns = kernel(np.ascontiguousarray(x.T), 0)
    assert ulp_error(columns.T if columns.ndim == 2 else columns, exact).max() <= BOUND


def test_gradual_underflow(half):
    smallest = float(ml_dtypes.finfo(half).smallest_subnormal)
    x = np.array([0, np.log(3 * smallest)]).astype(half)
    assert 0 < kernels.softmax(x)[1].astype(np.float64) < float(ml_dtypes.finfo(half).smallest_normal)


@pytest.mark.parametrize("n", [3, 17, 1000])
def test_special_values(n, half):
    x = np.zeros((4, n)).astype(half)
    x[0, n // 2], x[1, -1], x[2, :], x[3, 0] = np.nan, np.inf, -np.inf, -np.inf
    p = kernels.softmax(x).astype(np.float64)
    assert np.isnan(p[:3]).all()
    assert p[3, 0] == 0
    assert (p[3, 1:] > 0).all()
    assert kernels.logsumexp(x).astype(np.float64)[1] == np.inf
    assert kernels.logsumexp(x).astype(np.float64)[2] == -np.inf
    assert kernels.hardmax(x).astype(np.float64)[0].argmax() == n // 2
