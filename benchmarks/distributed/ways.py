"""What is measured: shapes of logits, and softmax and log-sums as softops and as people write them over dask.array."""

from collections.abc import Callable
from typing import Any

import numpy as np

CHUNK = 8_000_000
"""Numbers of a chunk, 32 MB."""
SHAPES: dict[str, Callable[[int], tuple[int, int]]] = {
    "one row": lambda numbers: (1, numbers),
    "rows of 1000": lambda numbers: (numbers // 1000, 1000),
}


def _made(block_info: Any) -> Any:
    """A chunk of logits, evenly from −10 to 10."""
    facts = block_info[None]
    random = np.random.default_rng([0, *facts["chunk-location"]])
    x = random.random(facts["chunk-shape"], np.float32)
    x *= 20
    x -= 10
    return x


def logits(shape: tuple[int, int]) -> Any:
    """The logits as an array of Dask."""
    import dask.array as da

    rows, n = shape
    each = (min(CHUNK, n), rows) if rows == 1 else (n, max(CHUNK // n, 1))
    chunks = da.core.normalize_chunks((each[1], each[0]), shape=shape)
    return da.map_blocks(_made, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0), np.float32))


def _softops(x: Any) -> Any:
    from softops.numba_kernels import dask_arrays

    return dask_arrays.softmax(x, recompute=True).max()


def _held(x: Any) -> Any:
    from softops.numba_kernels import dask_arrays

    return dask_arrays.softmax(x).max()


def _log_sums(x: Any) -> Any:
    from softops.numba_kernels import dask_arrays

    return dask_arrays.logsumexp(x).max()


def _usual(x: Any) -> Any:
    import dask.array as da

    e = da.exp(x - x.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).max()


def _usual_log_sums(x: Any) -> Any:
    import dask.array as da

    m = x.max(axis=-1, keepdims=True)
    return (m + da.log(da.exp(x - m).sum(axis=-1, keepdims=True))).max()


WAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "softops": ("softmax, `recompute=True`", _softops),
    "held": ("softmax", _held),
    "usual": ("`e = da.exp(x - x.max(...)); e / e.sum(...)`", _usual),
    "log-sums": ("logsumexp", _log_sums),
    "usual log-sums": ("`m + da.log(da.exp(x - m).sum(...))`", _usual_log_sums),
    "made": ("the logits alone: `x.max()`", lambda x: x.max()),
}
