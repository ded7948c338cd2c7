"""Numbers to try the operations of the language on."""

from types import SimpleNamespace

import numpy as np
import pytest


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
