"""One row long enough to be spread over threads: as right, and the same bits, as on one thread."""

import numba
import numpy as np
import pytest

from softops.conformance import ulp_error
from softops.numba_kernels import softmax
from softops.opset import reference

BOUND = 2


@pytest.fixture(params=[32768, 50257, 65541, 128256])
def row(request, dtype):
    return np.random.default_rng(request.param).normal(size=(1, request.param)).astype(dtype) * dtype.type(10)


@pytest.fixture
def threads():
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def test_right_and_the_same_on_one_thread(row, threads):
    spread = softmax(row)
    threads(1)
    assert softmax(row).tobytes() == spread.tobytes()
    assert ulp_error(spread, reference.softmax(row)).max() <= BOUND


def test_in_place(row):
    expected = softmax(row)
    assert softmax(row, out=row) is row
    assert row.tobytes() == expected.tobytes()


@pytest.mark.parametrize("at", [0, 20000, -1])
def test_special_values(row, at):
    row[0, at] = -np.inf
    result = softmax(row)
    assert result[0, at] == 0
    assert np.isfinite(result).all()
    for value in (np.nan, np.inf):
        row[0, at] = value
        assert np.isnan(softmax(row)).all()


def test_offsets_beyond_what_is_exponentiated_directly(row):
    shifted = np.round(row) + row.dtype.type(5000)
    assert ulp_error(softmax(shifted), reference.softmax(shifted)).max() <= BOUND
