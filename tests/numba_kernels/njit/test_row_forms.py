"""The row forms, from Python and inside jitted functions of a user's: bits, special values, memory, threads, cache."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python, rtsys

from softops import numba_kernels as kernels

NAMES = ["softmax", "log_softmax", "hardmax", "sigmoid"]
LENGTHS = [1, 2, 7, 8, 15, 16, 17, 100, 1000, 40000]


@pytest.fixture(scope="module")
def functions(compiled_by_user):
    return compiled_by_user()


@pytest.fixture(scope="module")
def fast(compiled_by_user):
    """The same, under every fast-math flag."""
    return compiled_by_user(fastmath=True, nogil=True, error_model="numpy")


def special_rows(n):
    """Rows of n numbers, n of 3 or more, that hold what fast-math flags allow a compiler to take for impossible."""
    x = np.random.default_rng(n).standard_normal((9, n)).astype(np.float32) * 30
    x[1, n // 2] = np.nan
    x[2, 0], x[3, -1] = np.inf, -np.inf
    x[4] = -np.inf
    x[5, : n - 1] = -np.inf
    x[6, -1], x[6, 0] = np.nan, np.inf
    x[7] = np.finfo(np.float32).max
    x[8] = -0.0
    return x


def bits(x):
    """The bits of an array, with one NaN for all: the sign of a NaN means nothing."""
    return np.where(np.isnan(x), np.nan, x).astype(x.dtype).tobytes()


def assert_rows_as_in_python(functions, x):
    out = np.full((4, *x.shape), 9, x.dtype)
    sums = functions.over_rows(x, out)
    for result, name in zip(out, NAMES, strict=True):
        operator, row_form = getattr(kernels, name), getattr(kernels, f"{name}_row")
        wanted = operator(x)
        assert bits(result) == bits(wanted), name
        row = np.empty_like(x[0])
        assert row_form(x[0], row) is None
        assert bits(row) == bits(wanted[0])
    assert bits(sums) == bits(kernels.logsumexp(x))
    assert kernels.logsumexp_row(x[0]) == sums[0]


@pytest.mark.parametrize("n", LENGTHS)
def test_rows(functions, n):
    assert_rows_as_in_python(
        functions, np.random.default_rng(n).standard_normal((3, n)).astype(np.float32) * 5
    )


@pytest.mark.parametrize("n", [3, 16, 33, 1000])
def test_special_values(functions, n):
    assert_rows_as_in_python(functions, special_rows(n))


@pytest.mark.parametrize("n", [3, 16, 33, 1000])
def test_fastmath_of_the_user_does_not_reach_the_kernels(fast, n):
    """Nor does `prange` change a bit."""
    x = special_rows(n)
    for axis in (0, 1):
        assert fast.softmax_of(x, axis).tobytes() == kernels.softmax(x, axis).tobytes()
    out = np.empty_like(x)
    sums = fast.parallel_rows(x, out)
    assert out.tobytes() == kernels.softmax(x).tobytes()
    assert bits(sums) == bits(kernels.logsumexp(x))


@contextlib.contextmanager
def allocations_counted():
    counted = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    yield lambda: rtsys.get_allocation_stats().alloc
    if not counted:
        _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("n", LENGTHS)
def test_nothing_is_allocated(functions, n):
    x = np.random.default_rng(n).standard_normal((50, n)).astype(np.float32)
    out = np.empty((4, 50, n), np.float32)
    functions.over_rows(x, out)
    with allocations_counted() as allocated:
        start = allocated()
        functions.over_rows(x[:0], out[:, :0].copy())
        fixed = allocated() - start  # Numba's, for the arguments and the array of the sums
        start = allocated()
        functions.over_rows(x, out)
        assert allocated() - start == fixed


def test_any_stride(functions):
    """A row with steps allocates nothing either, as long as the result has none."""
    x = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    wanted = {step: kernels.softmax(x[::step].copy()) for step in (-1, 2, 3, -5)}
    nothing = np.empty(0, np.float32)
    functions.one_row(x[::2][:0:2], nothing)
    with allocations_counted() as allocated:
        start = allocated()
        functions.one_row(x[:0:2], nothing)
        fixed = allocated() - start  # Numba's, for the arguments
        for step, expected in wanted.items():
            out, start = np.empty_like(expected), allocated()
            functions.one_row(x[::step], out)
            assert allocated() - start == fixed
            assert out.tobytes() == expected.tobytes()
    for step, expected in wanted.items():
        memory = x.copy()
        row = memory[::step]
        functions.one_row(row, row)
        assert row.tobytes() == expected.tobytes()
        assert np.isin(np.delete(x, slice(None, None, step)), memory).all()
    shifted = x.copy()
    functions.one_row(shifted[:100], shifted[3:103])
    assert shifted[3:103].tobytes() == kernels.softmax(x[:100]).tobytes()
    np.testing.assert_array_equal(shifted[103:], x[103:])


def test_refused(compiled_by_user):
    one_row, row = compiled_by_user().one_row, np.zeros(4)
    for x, out, message in [
        (np.zeros((2, 2)), row, r"softmax_row takes one row, an array of rank 1 \(got rank 2\); pass x\[i\]"),
        (np.zeros(4, int), row, r"softmax_row takes float32 or float64 inside jitted code \(got int64\)"),
        (row, np.zeros(4, np.float32), r"softmax_row gives float64 of rank 1"),
        (row, None, r"softmax_row writes to out \(got None\)"),
    ]:
        with pytest.raises(TypingError, match=message):
            one_row(x, out)
    with pytest.raises(ValueError, match="softmax_row gives a result of the shape of x"):
        one_row(row, np.zeros(5))


def test_refused_from_python():
    row = np.zeros(4)
    with pytest.raises(
        ValueError, match=r"softmax_row takes one row, an array of rank 1 \(got shape \(2, 2\)\)"
    ):
        kernels.softmax_row(np.zeros((2, 2)), row)
    with pytest.raises(TypeError, match=r"sigmoid_row takes .* \(got int64\)"):
        kernels.sigmoid_row(np.zeros(4, int), row)
    with pytest.raises(ValueError, match="hardmax_row gives float64 of shape"):
        kernels.hardmax_row(row, np.zeros(5))
    with pytest.raises(ValueError, match="logsumexp_row takes one row"):
        kernels.logsumexp_row(1.0)


CACHED = """
import numpy as np
from numba import njit
from softops.numba_kernels import softmax, softmax_row

@njit(cache=True)
def rows(x, out):
    for i in range(x.shape[0]):
        softmax_row(x[i], out[i])

x = np.arange(60, dtype=np.float32).reshape(3, 20)
x[1, 1] = np.nan
out = np.empty_like(x)
rows(x, out)
stats = rows.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), out.tobytes().hex())
"""


def test_cache_of_the_users_function(run_python, tmp_path):
    """What a user's ``cache=True`` keeps runs in another process, also where the kernels are not on disk."""
    module = tmp_path / "users_module.py"
    module.write_text(CACHED)
    run = f"import runpy; runpy.run_path({str(module)!r})"
    cache = tmp_path / "cache"
    first = run_python(run, NUMBA_CACHE_DIR=cache).split()
    assert first[:2] == ["0", "1"]
    for folder in cache.glob("kernels-*"):
        shutil.rmtree(Path(folder))
    assert run_python(run, NUMBA_CACHE_DIR=cache).split() == ["1", "0", first[2]]
