"""log_vector against mpmath: every exponent, and numbers near 1."""

import mpmath
import numba
import numpy as np

from softops.numba_kernels.numerics.log import log_vector
from softops.numba_kernels.vector import load, loop, store, traced


@traced
def write_logs(dst, src, vectors) -> None:
    kind = dst.constant(0.0, numba.types.float64)
    with loop(0, vectors) as i:
        store(kind, dst, log_vector(load(kind, src, i)), i)


@numba.njit
def logs_of(dst, src, vectors):
    write_logs(dst, src, vectors)


def test_below_one_ulp():
    random = np.random.default_rng(0)
    near = 1 + np.concatenate([2.0 ** -np.arange(1, 53), -(2.0 ** -np.arange(1, 54)), [0]])
    x = np.concatenate([2.0 ** random.uniform(-1021, 1023, 3000), random.uniform(0, 3, 3000), near])
    x = x[: x.size // 8 * 8]
    found = np.empty_like(x)
    logs_of(found.ctypes.data, x.ctypes.data, x.size // 8)
    with mpmath.workprec(120):
        for number, got in zip(x, found, strict=True):
            exact = mpmath.log(mpmath.mpf(float(number)))
            assert abs(got - exact) <= np.spacing(abs(float(exact)))
