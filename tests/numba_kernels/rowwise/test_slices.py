"""A row slice by slice: every length comes whole, and nothing behind its end is read or written."""

import ml_dtypes
import numba
import numpy as np
import pytest

from softops.numba_kernels.rowwise.slices import slices
from softops.numba_kernels.vector import KINDS, Variable, full, split, store_scalar, traced

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_map_and_sum(dtype):
    kind = KINDS[np.dtype(dtype)]

    @traced
    def body(doubled, total, src, n) -> None:
        sums = Variable(full(kind_of(n), 0.0))
        for part in slices(kind_of(n), n):
            x = part.load(src)
            part.prefetch(src + 4096)
            part.store(doubled, x + x)
            sums.value += part.load(src, fill=0.0)
        lanes = sums.value
        while lanes.lanes > 1:
            low, high = split(lanes)
            lanes = low + high
        store_scalar(kind_of(n), total, lanes)

    def kind_of(n):
        return n.constant(0, numba.typeof(kind))

    @numba.njit
    def kernel(doubled, total, src, n):
        body(doubled, total, src, n)

    for n in (0, 1, 7, 8, 9, 15, 16, 17, 40, 100):
        # behind its end a row of ones goes on with NaN
        x = np.append(np.ones(n), np.full(33, np.nan)).astype(dtype)
        doubled, total = np.full(n + 33, 7, dtype), np.zeros(1, dtype)
        kernel(doubled.ctypes.data, total.ctypes.data, x.ctypes.data, n)
        assert total.astype(float)[0] == n
        assert (doubled[:n] == 2).all()
        assert (doubled[n:] == 7).all()


def test_what_a_slice_changes_is_a_variable():
    @traced
    def body(src, n) -> None:
        total = full(n.constant(0, numba.float32), 0.0)
        for part in slices(n.constant(0, numba.float32), n):
            total = total + part.load(src)
        total + total

    @numba.njit
    def kernel(src, n):
        body(src, n)

    with pytest.raises(NameError, match="Variable"):
        kernel(0, 5)
