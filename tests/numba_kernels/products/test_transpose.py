"""Blocks transposed in registers, against NumPy's view."""

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels.products.transpose import transpose
from softops.numba_kernels.vector import itemsize


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 3), (16, 16), (33, 40), (8, 100), (31, 17)])
def test_every_number_is_in_its_place_and_nothing_else_is_written(run, dtype, rows, columns):
    x = np.random.default_rng(0).normal(size=(rows, columns + 3)).astype(dtype)
    wide = np.float64 if dtype == np.float64 else np.float32
    y = np.full((columns + 1, rows + 5), 7, wide)

    def work(kind, dst, sources, count):
        steps = [count.constant(a.strides[0]) for a in (y, x)]
        transpose(kind, dst, steps[0], sources[0], steps[1], count.constant(rows), count.constant(columns))

    run(work, dtype, y, x)
    assert np.array_equal(y[:columns, :rows], x[:, :columns].T.astype(wide))
    assert (y[columns] == 7).all()
    assert (y[:, rows:] == 7).all()


def test_padded_rows_repeat_the_last_number(run):
    x = np.random.default_rng(0).normal(size=(19, 5)).astype(np.float32)
    y = np.full((5, 32), 7, np.float32)

    def work(kind, dst, sources, count):
        steps = [count.constant(a.shape[1] * itemsize(kind)) for a in (y, x)]
        sizes = count.constant(19), count.constant(5)
        transpose(kind, dst, steps[0], sources[0], steps[1], *sizes, padded=True)

    run(work, np.float32, y, x)
    assert np.array_equal(y, np.vstack([x, np.repeat(x[18:], 13, axis=0)]).T)
