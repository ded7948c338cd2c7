"""topk of arrays in chunks: the numbers and places of the whole array, whatever the chunks."""

import dask
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "float32", "float64")]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("k", [0, 1, 7, 50])
def test_numbers_and_places(k, dtype, chunked, special):
    """Equals by index, also across chunks; a NaN above all."""
    x = special(dtype)
    x[:, :, 2] = np.round(x[:, :, 2].astype(np.float32))
    values, places = dask.compute(*dask_arrays.topk(chunked(x), k, 1))
    wanted = kernels.topk(x, k, 1)
    np.testing.assert_array_equal(places, wanted[1])
    np.testing.assert_array_equal(values.astype(np.float64), wanted[0].astype(np.float64))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_any_axis(axis, chunked, scores):
    x = scores(np.float32)
    for result, wanted in zip(dask_arrays.topk(chunked(x), 2, axis), kernels.topk(x, 2, axis), strict=True):
        np.testing.assert_array_equal(result.compute(), wanted)


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_probabilities(temperature, chunked, special, worst):
    x = special(np.float32)
    result, places = dask.compute(
        *dask_arrays.topk(chunked(x), 5, 1, probabilities=True, temperature=temperature)
    )
    with np.errstate(invalid="ignore"):
        exact = reference.softmax(x.astype(np.longdouble) / np.longdouble(temperature), 1)
    np.testing.assert_array_equal(places, kernels.topk(x, 5, 1)[1])
    assert worst(result, np.take_along_axis(exact, places, 1)) <= 0.51
