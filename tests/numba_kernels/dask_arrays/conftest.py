"""What the tests of arrays of Dask share: five ways to lie in chunks, and results in this process."""

import dask
import dask.array as da
import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error

SHAPE = (4, 50, 3)
WAYS = {
    "whole": SHAPE,
    "rows": (1, 50, 2),
    "classes": (4, (1, 30, 19), 3),
    "all": ((2, 0, 2), (17, 0, 16, 17), (1, 2)),
    "small": (2, 7, 3),
}


@pytest.fixture(params=WAYS, scope="session")
def chunked(request):
    """chunked(x): an array of shape (4, 50, 3) in chunks, one of five ways."""
    return lambda x: da.from_array(x, chunks=WAYS[request.param])


@pytest.fixture(autouse=True)
def in_this_thread():
    """What is not sent to a cluster is computed here, task after task."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="session")
def scores():
    """scores(dtype, sigma): numbers of that shape."""

    def make(dtype, sigma=3.0):
        return (np.random.default_rng(0).normal(size=SHAPE) * sigma).astype(dtype)

    return make


@pytest.fixture(scope="session")
def special():
    """special(dtype): rows along axis 1 with NaN, infinities, ties, and −inf in whole chunks."""

    def make(dtype):
        x = np.random.default_rng(1).normal(size=SHAPE).astype(dtype)
        x[0, 3, 0], x[1, 44, 0], x[0, 40, 1], x[0, 41, 1] = np.nan, np.inf, np.inf, np.nan
        x[2, :, 0], x[3, :31, 0], x[3, 17:, 1] = -np.inf, -np.inf, -np.inf
        x[1, 20, 1] = x[1, 5, 1] = x[1, 49, 1] = 9
        x[2, 5, 1], x[2, 20, 1] = -0.0, 0.0
        x[2, 21:, 1] = x[2, :5, 1] = -1
        return x

    return make


@pytest.fixture(scope="session")
def worst():
    """worst(actual, exact): the largest error in ULP, of results that are NaN and infinite at the same places."""

    def error(actual, exact):
        np.testing.assert_array_equal(np.isnan(actual.astype(float)), np.isnan(exact))
        return np.nanmax(ulp_error(np.asarray(actual), np.asarray(exact, np.longdouble)), initial=0)

    return error
