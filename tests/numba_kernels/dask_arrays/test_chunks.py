"""softmax, log_softmax, logsumexp and hardmax of arrays in chunks are those of the whole array, within their bounds."""

import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("bfloat16", "float32", "float64")]
AXES = [1, 0, -1, (0, 1), (2, 1), None]
# What a float64 result may be off by, in chunks merged four at a time in at most three levels.
MERGED = 3 * 8 / 2
BOUNDS = {"softmax": 3 + MERGED, "log_softmax": 2 + MERGED}

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
precise = pytest.mark.skipif(
    reference.MANTISSA_BITS < 64, reason="np.longdouble is no more precise than float64"
)


@precise
@dtypes
@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize(("temperature", "sigma"), [(1.0, 0.1), (1.0, 30), (0.3, 3)])
def test_exact(name, temperature, sigma, dtype, chunked, scores, worst):
    x = scores(dtype, sigma)
    result = getattr(dask_arrays, name)(chunked(x), 1, temperature=temperature).compute()
    exact = getattr(reference, name)(x.astype(np.longdouble) / np.longdouble(temperature), 1)
    assert result.dtype == dtype
    # whole rows are the NumPy function's, within its own bound
    assert worst(result, exact) <= (BOUNDS[name] if dtype == np.float64 else 1.75)


@precise
@dtypes
def test_log_sums(dtype, chunked, scores, worst):
    x = scores(dtype)
    result = dask_arrays.logsumexp(chunked(x), 1).compute()
    assert worst(result, reference.logsumexp(x.astype(np.longdouble), 1)) <= (
        2 if dtype == np.float64 else 0.51
    )


@precise
@pytest.mark.parametrize("dtype", DTYPES[1:], ids=lambda dtype: dtype.name)
def test_what_outweighs_all_others(dtype, chunked, worst):
    """Where one number is nearly all there is, the logarithm of its probability is as exact as any."""
    x = np.full((4, 50, 3), -40.0, dtype)
    x[0, 5], x[1, 45], x[2, 20, 0] = 0, 1, -35
    result = dask_arrays.log_softmax(chunked(x), 1).compute()
    exact = reference.log_softmax(x.astype(np.longdouble), 1)
    assert -1e-14 < exact[0, 5, 0] < 0
    assert worst(result, exact) <= (BOUNDS["log_softmax"] if dtype == np.float64 else 1)


@dtypes
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "hardmax"])
def test_special_values(name, dtype, chunked, special):
    """NaN and infinities are where the NumPy function has them, and hardmax is that."""
    x = special(dtype)
    result, wanted = (
        f(given, 1).astype(np.float64)
        for f, given in (
            (getattr(dask_arrays, name), chunked(x)),
            (getattr(kernels, name), x),
        )
    )
    result = result.compute()
    if name == "hardmax":
        np.testing.assert_array_equal(result, wanted)
    else:
        np.testing.assert_allclose(result, wanted, rtol=2 * float(np.finfo(np.float16).eps))


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "hardmax"])
def test_axes(name, axis, chunked, scores):
    x = scores(np.float32)
    given, wanted = getattr(dask_arrays, name)(chunked(x), axis), getattr(kernels, name)(x, axis)
    result = given.compute()
    assert (given.shape, given.dtype) == (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-6 if name == "logsumexp" else 0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_masks(name, chunked, special):
    """Also one of Dask in other chunks, and one that is broadcast; a row with nothing left by it."""
    x = special(np.float32)
    mask = np.random.default_rng(2).random((4, 50, 1)) < 0.7
    mask[3], mask[0, 3], mask[1, 44] = False, False, False
    wanted = getattr(kernels, name)(x, 1, where=mask)
    for given in (mask, chunked(np.broadcast_to(mask, x.shape)).rechunk((3, 9, 2))):
        result = getattr(dask_arrays, name)(chunked(x), 1, where=given).compute()
        np.testing.assert_allclose(result, wanted, rtol=1e-6)


def test_weights_and_signs(chunked, scores):
    x, b = scores(np.float64), np.random.default_rng(3).normal(size=(50, 1))
    b[:30] = 0
    b[44] = -2
    for weights in (b, np.abs(b)):
        wanted, sign = kernels.logsumexp(x, 1, b=weights, return_sign=True)
        value, of_dask = dask_arrays.logsumexp(chunked(x), 1, b=weights, return_sign=True)
        np.testing.assert_array_equal(of_dask.compute(), sign)
        np.testing.assert_allclose(value.compute(), wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            dask_arrays.logsumexp(chunked(x), 1, b=weights, keepdims=True).compute(),
            kernels.logsumexp(x, 1, b=weights, keepdims=True),
            rtol=0,
            atol=1e-12,
        )


def test_weights_beside_infinities(chunked, special):
    x, b = special(np.float64), np.array([[1.0], [-1.0]] * 25)
    wanted = kernels.logsumexp(x, 1, b=b, return_sign=True)
    for part, exact in zip(dask_arrays.logsumexp(chunked(x), 1, b=b, return_sign=True), wanted, strict=True):
        np.testing.assert_allclose(part.compute(), exact, rtol=1e-12)


@pytest.mark.parametrize("split_every", [2, 3, 100])
def test_the_same_bits_for_the_same_chunks(split_every, chunked, scores):
    x = chunked(scores(np.float64))
    first, second, on_threads = (
        dask_arrays.softmax(x, 1, split_every=split_every, recompute=recompute).compute(scheduler=scheduler)
        for recompute, scheduler in ((False, "synchronous"), (True, "synchronous"), (False, "threads"))
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, on_threads)


def test_nothing_there(chunked):
    import dask.array as da

    for shape, chunks in (((0, 5), 2), ((3, 0), 2), ((0,), 1)):
        x, given = np.zeros(shape, np.float32), da.zeros(shape, dtype=np.float32, chunks=chunks)
        for name in ("softmax", "log_softmax", "logsumexp", "hardmax"):
            result = getattr(dask_arrays, name)(given).compute()
            np.testing.assert_array_equal(result, getattr(kernels, name)(x))
    scalar = da.from_array(np.float32(3))
    assert dask_arrays.softmax(scalar).compute() == 1
    assert dask_arrays.logsumexp(scalar, None).compute() == 3
