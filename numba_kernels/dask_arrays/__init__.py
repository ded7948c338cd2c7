"""The kernels over `dask.array`, chunked along any axis, that of the classes included; needs the extra ``dask``.

Tasks are plain functions on NumPy chunks, one thread each; scheduling, spilling and retries are Dask's. In come dask
arrays whose chunks are NumPy's, out go lazy ones. Of a row in several chunks each gives some numbers, which are merged
in a tree; no row is gathered. May import every room of the kernels, and none may import it.
"""

try:
    import dask.array  # noqa: F401
except ImportError as error:
    message = "softops.numba_kernels.dask_arrays needs Dask (not installed); pip install 'softops[dask]'"
    raise ImportError(message) from error

from .cross_entropy import cross_entropy, cross_entropy_grad
from .hardmax import hardmax
from .linear import (
    linear_log_softmax,
    linear_logsumexp,
    linear_softmax,
    linear_topk,
)
from .linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_grad
from .logsumexp import logsumexp
from .sample import sample
from .softmax import log_softmax, softmax
from .topk import topk

__all__ = [
    "cross_entropy",
    "cross_entropy_grad",
    "hardmax",
    "linear_cross_entropy",
    "linear_cross_entropy_grad",
    "linear_log_softmax",
    "linear_logsumexp",
    "linear_softmax",
    "linear_topk",
    "log_softmax",
    "logsumexp",
    "sample",
    "softmax",
    "topk",
]
