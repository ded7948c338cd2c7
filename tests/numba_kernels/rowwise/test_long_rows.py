"""One row long enough to be spread over threads: as right, and the same bits, as on one thread."""

import numpy as np
import pytest

from softops import numba_kernels
from softops.conformance import ulp_error
from softops.opset import reference

# in float32, float64 and halves
BOUNDS = {"softmax": (2, 2, 0.51), "log_softmax": (1, 2, 0.51), "logsumexp": (2, 2, 0.51)}


@pytest.fixture(params=BOUNDS)
def operator(request):
    return request.param


@pytest.fixture(params=["float32", "float64", "float16"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=[32768, 50257, 65541, 128256])
def row(request, dtype):
    return np.random.default_rng(request.param).normal(size=(1, request.param)).astype(dtype) * dtype.type(10)


def kernel(operator, x, **out):
    return np.atleast_1d(getattr(numba_kernels, operator)(x, **out))


def within_bounds(operator, x):
    bound = BOUNDS[operator][{4: 0, 8: 1, 2: 2}[x.itemsize]]
    return (ulp_error(kernel(operator, x), getattr(reference, operator)(x)) <= bound).all()


def test_right_and_the_same_on_one_thread(operator, row, threads):
    spread = kernel(operator, row)
    assert within_bounds(operator, row)
    threads(1)
    assert kernel(operator, row).tobytes() == spread.tobytes()


def test_the_same_as_among_many_rows(operator, row):
    many = np.repeat(row, 5, axis=0)
    assert kernel(operator, many)[3:4].tobytes() == kernel(operator, row).tobytes()


@pytest.mark.parametrize("operator", ["softmax", "log_softmax"], indirect=True)
def test_in_place(operator, row):
    expected = kernel(operator, row)
    assert getattr(numba_kernels, operator)(row, out=row) is row
    assert row.tobytes() == expected.tobytes()


@pytest.mark.parametrize("at", [0, 20000, -1])
def test_special_values(operator, row, at):
    row[0, at] = -np.inf
    assert within_bounds(operator, row)
    for value in (np.nan, np.inf):
        row[0, at] = value
        result = kernel(operator, row)
        if operator == "logsumexp":
            assert np.array_equal(result, [value], equal_nan=True)
        else:
            assert np.isnan(result).all()


def test_blocks_that_hold_nothing(operator, row, threads):
    row[0, :20000] = -np.inf
    result = kernel(operator, row)
    assert within_bounds(operator, row)
    threads(1)
    assert kernel(operator, row).tobytes() == result.tobytes()
    row[:] = -np.inf
    expected = np.isneginf if operator == "logsumexp" else np.isnan
    assert expected(kernel(operator, row)).all()


@pytest.mark.parametrize("lead", [0, 3, 40, 87, 104, 700])
def test_one_winner_in_any_block(operator, row, lead, threads):
    """Beside a winner the logarithm is as small as the sum over all the others."""
    row *= row.dtype.type(0.01)
    row[0, 17000] += row.dtype.type(lead)
    result = kernel(operator, row)
    assert within_bounds(operator, row)
    threads(1)
    assert kernel(operator, row).tobytes() == result.tobytes()


def test_offsets_beyond_what_is_exponentiated_directly(operator, row):
    assert within_bounds(operator, np.round(row) + row.dtype.type(5000))
    assert within_bounds(operator, np.round(row) - row.dtype.type(5000))
