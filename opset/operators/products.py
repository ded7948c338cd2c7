"""
A' B' + C and what is done to its rows afterwards, in one go.

Large products are split by rows over threads: each thread multiplies its share with a BLAS limited to one thread,
adds C and works on the rows, a block at a time while it lies in the nearest cache. One after the other, the
threads of BLAS and those of the kernels would wait for each other's idle loops: a head of 512 features and 1000
classes at batch 1024 then takes 1.8 times onnxruntime's time instead of 1.3. The limit holds for the process while
the product runs, and is then taken back; a BLAS that is not OpenBLAS is left to itself.

The last bits of a product depend on how a BLAS cuts it up. Where these limits lie and how rows are shared is
therefore part of the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from threadpoolctl import OpenBLASController

Array = NDArray[Any]
Finish = Callable[[Array], Array]
"""Works on each row of a matrix alone, in place."""

_LARGE = 1 << 24
"""From this many products on, the threads are worth their start (0.1 ms)."""

_SMALL, _MIDDLE = 1 << 18, 1 << 22
"""Between these OpenBLAS would wake its threads for 10 µs of work, and wait milliseconds where the cores are taken."""

_BLOCK = 16000
"""So many numbers are finished at a time: within the second cache, and too few for the kernels' own threads."""

_FLOATS = frozenset((np.dtype(np.float32), np.dtype(np.float64)))


def is_plain(a: Array, b: Array, c: Array | None) -> bool:
    """Whether these are matrices of one dtype, float32 or float64, and something to add."""
    return (
        c is not None
        and a.dtype in _FLOATS
        and a.dtype == b.dtype == c.dtype
        and a.ndim == b.ndim == 2 >= c.ndim
    )


def product(a: Array, b: Array, c: Array, finishes: Sequence[Finish]) -> Array:
    """
    Return the finished rows of A B + C.

    Parameters
    ----------
    a, b, c
        Shapes (m, k), (k, n), and what broadcasts to (m, n); one dtype.
    finishes
        Applied one after the other.
    """
    m, n = a.shape[0], b.shape[1]
    size = m * n * a.shape[1]
    if size >= _LARGE and m > 1 and a.shape[1] == b.shape[0]:
        with _one_blas_thread() as threads:
            if threads > 1:
                return _split(a, b, c, finishes, min(threads, m))
    if _SMALL <= size < _MIDDLE and m > 1:
        with _one_blas_thread():
            y: Array = a.dot(b)
    else:
        y = a.dot(b)
    y += c
    for finish in finishes:
        y = finish(y)
    return y


def _split(a: Array, b: Array, c: Array, finishes: Sequence[Finish], parts: int) -> Array:
    m, n = a.shape[0], b.shape[1]
    y = np.empty((m, n), a.dtype)
    addend = np.broadcast_to(c, (m, n))
    step = max(1, _BLOCK // n)

    def share(part: int) -> None:
        first, last = m * part // parts, m * (part + 1) // parts
        with np.errstate(all="ignore"):  # a new thread has its own
            np.matmul(a[first:last], b, out=y[first:last])
            for row in range(first, last, step):
                rows = y[row : min(row + step, last)]
                rows += addend[row : row + len(rows)]
                for finish in finishes:
                    finish(rows)

    with ThreadPoolExecutor(parts - 1) as pool:
        others = [pool.submit(share, part) for part in range(1, parts)]
        share(0)
    for other in others:
        other.result()
    return y


_limited = threading.Lock()
"""Two limits at once would each take the other's for the number to go back to."""


@contextmanager
def _one_blas_thread() -> Iterator[int]:
    """Limit BLAS to one thread; gives the number it had, or 1 where nothing was limited."""
    blas = _openblas()
    if blas is None or not _limited.acquire(blocking=False):
        yield 1
        return
    # By the methods that `ThreadpoolController.limit` calls: it asks all about the library first, which takes 10 µs
    # beside the 80 of a product.
    threads = blas.get_num_threads()
    try:
        blas.set_num_threads(1)
        yield threads
    finally:
        blas.set_num_threads(threads)
        blas.clear_controlling_thread()
        _limited.release()


@cache
def _openblas() -> OpenBLASController | None:
    """NumPy's OpenBLAS, by where it lies or, shared with others, the first; None where NumPy has another BLAS."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(internal_api="openblas").lib_controllers
    own = (
        library
        for library in libraries
        if any(part.startswith("numpy") for part in Path(library.filepath).parts)
    )
    return next(own, next(iter(libraries), None))
