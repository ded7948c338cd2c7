"""sample of arrays in chunks draws what the NumPy function draws of the whole array."""

import dask.array as da
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays

SEEDS = np.arange(12).reshape(4, 3)
OPTIONS = {
    "plain": {"seed": 5},
    "rows": {"seed": 2**100, "temperature": 0.3, "rows": 17},
    "seeds": {"seed": SEEDS, "rows": 3},
    "numbers": {"seed": 3, "rows": SEEDS * 7},
    "best": {"seed": 3, "temperature": 0},
    "top_k": {"seed": 1, "top_k": 5, "temperature": 2.0},
    "min_p": {"seed": 1, "min_p": 0.1, "temperature": 2.0},
    "vllm": {"seed": 1, "min_p": 0.1, "top_k": 7, "temperature": 0.5, "order": "vllm"},
    "mlx": {"seed": 1, "min_p": 0.1, "top_k": 7, "temperature": 0.5, "order": "mlx"},
    "where": {"seed": 1, "where": np.random.default_rng(1).random((4, 50, 1)) < 0.5, "top_p": 0},
}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS)
def test_draws_of_the_whole_array(options, dtype, chunked, special):
    """Chunks begin at classes that are no multiples of sixteen, for which the noise is made together."""
    x = special(np.dtype(dtype))
    x[:, :, 2] = np.round(x[:, :, 2].astype(np.float32))
    result = dask_arrays.sample(chunked(x), 3, axis=1, **OPTIONS[options])
    wanted = kernels.sample(x, 3, axis=1, **OPTIONS[options])
    assert (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(result.compute(), wanted)


def test_top_p_of_whole_rows(special):
    x = special(np.float32)
    given = da.from_array(x, chunks=(2, 50, 2))
    options = {"axis": 1, "top_p": 0.7, "top_k": 20, "seed": 4}
    np.testing.assert_array_equal(
        dask_arrays.sample(given, 5, **options).compute(), kernels.sample(x, 5, **options)
    )


def test_many_rows_of_a_long_vocabulary():
    """Far more classes than a draw looks at: each shard leaves out what cannot come first in it."""
    x = np.random.default_rng(0).normal(size=(50, 20_001)).astype(np.float32) * 2
    x[:, 15_000] += 9
    given = da.from_array(x, chunks=(20, (7001, 5000, 8000)))
    np.testing.assert_array_equal(
        dask_arrays.sample(given, 4, seed=8).compute(), kernels.sample(x, 4, seed=8)
    )


def test_a_seed_of_its_own_is_drawn_once():
    x = da.zeros((3, 10_000), chunks=(2, 3000), dtype=np.float32)
    first, second = dask_arrays.sample(x, 2), dask_arrays.sample(x, 2)
    np.testing.assert_array_equal(first.compute(), first.compute())
    assert (first.compute() != second.compute()).any()


def test_no_draws_and_no_classes():
    for shape, count in (((3, 10), 0), ((3, 0), 2), ((0, 10), 2)):
        x = np.zeros(shape, np.float32)
        result = dask_arrays.sample(da.from_array(x, chunks=2), count, seed=0).compute()
        np.testing.assert_array_equal(result, kernels.sample(x, count, seed=0))
