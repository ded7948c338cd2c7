"""warmup: compile kernels ahead of their first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.operators import RANKS
from ..attention.attention import attention
from ..attention.backward import attention_grad
from ..attention.decode import attention_decode
from ..compile.threads import on_this_thread, whatever_others_do
from ..elementwise.elu import celu, elu, selu
from ..elementwise.erf import erf
from ..elementwise.gelu import gelu
from ..elementwise.hard import hard_sigmoid, hard_swish
from ..elementwise.sigmoid import sigmoid, sigmoid_grad
from ..elementwise.softplus import log_sigmoid, softplus
from ..elementwise.swish import mish, swish
from ..elementwise.tanh import tanh
from ..gradients import log_softmax_grad, softmax_grad
from ..hardmax import hardmax
from ..linear.cross_entropy import linear_cross_entropy
from ..linear.cross_entropy_grad import linear_cross_entropy_grad
from ..linear.probabilities import linear_log_softmax, linear_softmax
from ..linear.reductions import linear_logsumexp, linear_topk
from ..log_softmax import log_softmax
from ..log_sums.pieces import log_shares_of_piece, shares_of_piece, sums_of_piece
from ..logsumexp import logsumexp
from ..losses.binary_cross_entropy import binary_cross_entropy
from ..losses.binary_cross_entropy_grad import binary_cross_entropy_grad
from ..losses.cross_entropy import cross_entropy
from ..losses.cross_entropy_grad import cross_entropy_grad
from ..normalization.layer_norm import layer_norm
from ..normalization.rms_norm import rms_norm
from ..sampling.gumbel import gumbel_softmax
from ..sampling.sample import sample
from ..sampling.topk import topk
from ..softmax import softmax
from ..sparse.entmax import entmax15, sparsemax
from ..sparse.entmax_alpha import entmax
from ..sparse.gradients import entmax15_grad, entmax_grad, sparsemax_grad
from ..stats import softmax_stats
from ..vector import KINDS

# Below the size from which threads are used and above it; of several rows, of one; and rows of less than a vector.
_SHAPES = ((2, 40), (64, 2048), (1, 131072), (2, 5), (32768, 5))


def _in_each_rank(operator: Callable[..., Any]) -> Callable[[Array], None]:
    """Run an operator on the numbers of an array of rank 2 in arrays of every rank that has a short way."""

    def run(x: Array) -> None:
        for rank in range(1, RANKS + 1):
            operator(x[0] if rank == 1 else x.reshape((1,) * (rank - 2) + x.shape))

    return run


def _along(operator: Callable[..., Any]) -> Callable[[Array], None]:
    """Run an operator along rows and along columns."""

    def run(x: Array) -> None:
        _in_each_rank(operator)(x)
        operator(x, 0)

    return run


def _with_options(operator: Callable[..., Any]) -> Callable[[Array], None]:
    """Run an operator along rows and columns, and with each of its options."""

    def run(x: Array) -> None:
        _along(operator)(x)
        operator(x, temperature=2.0)
        operator(x, where=np.ones(x.shape, bool))

    return run


def _with_probabilities(x: Array) -> None:
    topk(x, 2)
    topk(x, 2, probabilities=True)


def _gelu(x: Array) -> None:
    """Both forms."""
    _in_each_rank(gelu)(x)
    _in_each_rank(partial(gelu, approximate="tanh"))(x)


def _swish(x: Array) -> None:
    """Without a factor inside, and with one."""
    _in_each_rank(swish)(x)
    swish(x, 2.0)


def _labels(x: Array) -> Array:
    return np.zeros(x.shape[0], np.int64)


def _of_each_target(operator: Callable[..., Any]) -> Callable[[Array], None]:
    """Run a loss, or its gradient, of labels, smoothed labels and probabilities."""

    def run(x: Array) -> None:
        operator(x, _labels(x))
        operator(x, _labels(x), label_smoothing=0.1)
        operator(x, x)

    return run


# Of more queries and keys attention takes long.
_LINES = 2048


def _decode(x: Array) -> None:
    cache = x[None, None, :, :5]
    attention_decode(x[:1, None, :5], cache, cache, len(x))


def _attention(x: Array) -> None:
    rows = x[None, None, :_LINES, :5]
    attention(rows, rows, rows)


def _attention_grad(x: Array) -> None:
    rows = x[None, None, :_LINES, :5]
    out, log_sums = attention(rows, rows, rows, return_logsumexp=True)
    attention_grad(out, rows, rows, rows, out, log_sums)


def _of_a_layer(operator: Callable[..., Any]) -> Callable[[Array], None]:
    """Run a loss of a linear layer, or its gradient, with labels and smoothed labels, and with a softcap."""

    def run(x: Array) -> None:
        rows, weights = x[:32, :32], x[:, :32]
        labels = _labels(rows)
        operator(rows, weights, labels)
        operator(rows, weights, labels, label_smoothing=0.1, softcap=1.0)

    return run


def _pieces(x: Array) -> None:
    """The pair of a piece, and what tasks over arrays of Dask do with pieces, each on its own thread."""
    softmax_stats(x)
    with on_this_thread():
        sums = sums_of_piece(x)
        shares_of_piece(x, sums)
        log_shares_of_piece(x, sums)


# How to have every kernel of an operator compiled for the dtype of an array.
_RUNS: dict[str, Callable[[Array], Any]] = {
    "softmax": _with_options(softmax),
    "log_softmax": _with_options(log_softmax),
    "hardmax": _along(hardmax),
    "logsumexp": _along(logsumexp),
    "sparsemax": _along(sparsemax),
    "entmax15": _along(entmax15),
    "entmax": lambda x: entmax(x, 1.25),
    "sigmoid": _in_each_rank(sigmoid),
    "log_sigmoid": _in_each_rank(log_sigmoid),
    "softplus": _in_each_rank(softplus),
    "tanh": _in_each_rank(tanh),
    "erf": _in_each_rank(erf),
    "gelu": _gelu,
    "swish": _swish,
    "mish": _in_each_rank(mish),
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": _in_each_rank(hard_swish),
    "elu": elu,
    "selu": selu,
    "celu": celu,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "softmax_grad": lambda x: softmax_grad(x, x),
    "log_softmax_grad": lambda x: log_softmax_grad(x, x),
    "sparsemax_grad": lambda x: sparsemax_grad(x, x),
    "entmax15_grad": lambda x: entmax15_grad(x, x),
    "entmax_grad": lambda x: entmax_grad(x, x, 1.25),
    "sigmoid_grad": lambda x: sigmoid_grad(x, x),
    "cross_entropy": _of_each_target(cross_entropy),
    "cross_entropy_grad": _of_each_target(cross_entropy_grad),
    "binary_cross_entropy": lambda x: (
        binary_cross_entropy(x, x),
        binary_cross_entropy(x, x, reduction="none"),
    ),
    "binary_cross_entropy_grad": lambda x: binary_cross_entropy_grad(x, x),
    "softmax_stats": _pieces,
    "topk": _with_probabilities,
    "attention_decode": _decode,
    "attention_grad": _attention_grad,
    "attention": _attention,
    "linear_cross_entropy": _of_a_layer(linear_cross_entropy),
    "linear_cross_entropy_grad": _of_a_layer(linear_cross_entropy_grad),
    "linear_softmax": lambda x: linear_softmax(x[:, :64], x[:64, :64]),
    "linear_log_softmax": lambda x: linear_log_softmax(x[:, :64], x[:64, :64]),
    "linear_logsumexp": lambda x: linear_logsumexp(x[:, :64], x[:64, :64]),
    "linear_topk": lambda x: linear_topk(x[:, :64], x[:64, :64], 1),
    "sample": lambda x: sample(x, seed=0),
    "gumbel_softmax": lambda x: gumbel_softmax(x, seed=0),
}


def _checked_dtypes(dtypes: Iterable[npt.DTypeLike]) -> list[np.dtype[Any]]:
    names = {dtype.name: dtype for dtype in KINDS}
    known = [names.get(dtype) if isinstance(dtype, str) else np.dtype(dtype) for dtype in dtypes]
    for given, dtype in zip(dtypes, known, strict=True):
        if dtype not in KINDS:
            message = f"warmup takes dtypes among {', '.join(names)} (got {given!r})"
            raise TypeError(message)
    return [dtype for dtype in known if dtype is not None]


def _progress(jobs: list[tuple[np.dtype[Any], str]]) -> Iterable[tuple[np.dtype[Any], str]]:
    """The jobs, with a bar while they run where there is a terminal and rich is installed."""
    if not sys.stderr.isatty():
        return jobs
    try:
        # optional: kernels need nothing but Numba and NumPy
        progress = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
    except ImportError:
        return jobs
    tracked: Iterable[tuple[np.dtype[Any], str]] = progress.track(
        jobs, description="Compiling kernels", console=console, transient=True
    )
    return tracked


def warmup(dtypes: Iterable[npt.DTypeLike] = ("float32",), operators: Iterable[str] | None = None) -> None:
    """Compile kernels now, so that no later call waits for it; the disk cache keeps them for later processes.

    For each dtype and operator the serial and the parallel kernels, for rows and for columns. Shows a progress bar on a
    terminal. What lies in the disk cache already is only loaded.

    Parameters
    ----------
    dtypes : iterable of dtypes
        Which of float16, bfloat16, float32 and float64, by name or as NumPy dtypes.
    operators : iterable of str, optional
        The names of functions of this package; None for all that have kernels.

    Returns
    -------
    None

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        An unknown operator.

    Notes
    -----
    The kernels of an operator inside a user's own jitted function are compiled with that function.
    """
    if isinstance(dtypes, str):
        dtypes = (dtypes,)
    if isinstance(operators, str):
        operators = (operators,)
    wanted = list(_RUNS) if operators is None else list(operators)
    for name in wanted:
        if name not in _RUNS:
            message = f"warmup takes operators among {', '.join(_RUNS)} (got {name!r})"
            raise ValueError(message)
    jobs = [(dtype, name) for dtype in _checked_dtypes(tuple(dtypes)) for name in wanted]
    for dtype, name in _progress(jobs):
        for alone in (False, True):
            with whatever_others_do(alone=alone):
                for shape in _SHAPES * 2:  # calls have a shorter way from the second on
                    _RUNS[name](np.zeros(shape, dtype))
