"""Traced functions run on arrays: what a test of the language needs of a kernel."""

from types import SimpleNamespace

import numba
import numpy as np
import pytest

from softops.numba_kernels.vector import KINDS, traced


def run_traced(work, dtype, out, *sources, count=0):
    """``work(kind, dst, sources, count)`` on the addresses of arrays, `count` a number it may use; gives `out`."""
    kind, pad = KINDS[np.dtype(dtype)], 3 - len(sources)

    @traced
    def body(kind, dst, a, b, c, count) -> None:
        work(kind, dst, (a, b, c)[: len(sources)], count)

    @numba.njit
    def kernel(dst, a, b, c, count):
        body(kind, dst, a, b, c, count)

    places = [source.ctypes.data for source in sources] + [0] * pad
    kernel(out.ctypes.data, *places, count)
    return out


@pytest.fixture
def run():
    return run_traced


def many(dtype, seed):
    """Vectors of numbers: every special one, neighbours of powers of two, and random ones of every magnitude."""
    info, rng = np.finfo(dtype), np.random.default_rng(seed)
    special = [
        0,
        -0.0,
        1,
        -1,
        1.5,
        np.inf,
        -np.inf,
        np.nan,
        info.max,
        -info.max,
        info.tiny,
        info.smallest_subnormal,
    ]
    near = [np.nextafter(dtype(2.0**k), dtype(0)) for k in (-3, 0, 7)]
    spread = rng.normal(size=160 - len(special) - len(near)) * 2.0 ** rng.integers(
        -30, 30, 160 - len(special) - len(near)
    )
    return rng.permutation(np.array([*special, *near, *spread], dtype))


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def real(request):
    """A dtype that is computed in, three arrays of it, and how many numbers a vector has."""
    dtype = request.param
    count = 64 // np.dtype(dtype).itemsize
    return SimpleNamespace(dtype=dtype, lanes=count, arrays=[many(dtype, seed) for seed in (1, 2, 3)])
