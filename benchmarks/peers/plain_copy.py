"""A plain copy of a workload's input: the speed of memory, on one thread and on several."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from ..workloads import Array, aligned_empty


@cache
def _parallel_copy() -> Any:
    @numba.njit(parallel=True)
    def copy(dst, src, parts):  # type: ignore[no-untyped-def]
        n = src.size
        for part in numba.prange(parts):
            first, last = n * part // parts, n * (part + 1) // parts
            dst[first:last] = src[first:last]

    return copy


def copies(x: Array, threads: int) -> dict[str, Callable[[], Any]]:
    """Ways to copy `x`, of which the fastest counts; on several threads one of them uses all."""
    out = aligned_empty(x.shape, x.dtype)
    ways: dict[str, Callable[[], Any]] = {"copy": lambda: np.copyto(out, x)}
    if threads > 1:
        numba.set_num_threads(threads)
        copy = _parallel_copy()
        dst, src = out.reshape(-1).view(np.uint8), x.reshape(-1).view(np.uint8)
        ways["parallel copy"] = lambda: copy(dst, src, threads)
    return ways
