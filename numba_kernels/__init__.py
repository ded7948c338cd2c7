"""Softmax and its relatives on NumPy arrays: compiled by Numba, parallel, exact to a few units in the last place."""

from typing import TYPE_CHECKING

from .compile.interrupts import uninterrupted as _uninterrupted

with _uninterrupted():  # a half imported Numba cannot be imported again
    from .attention.attention import attention
    from .attention.backward import attention_grad
    from .attention.decode import attention_decode
    from .elementwise.elu import celu, elu, selu
    from .elementwise.erf import erf
    from .elementwise.gelu import gelu
    from .elementwise.hard import hard_sigmoid, hard_swish
    from .elementwise.sigmoid import sigmoid, sigmoid_grad
    from .elementwise.softplus import log_sigmoid, softplus
    from .elementwise.swish import mish, swish
    from .elementwise.tanh import tanh
    from .gradients import log_softmax_grad, softmax_grad
    from .hardmax import hardmax
    from .linear.cross_entropy import linear_cross_entropy
    from .linear.cross_entropy_grad import linear_cross_entropy_grad
    from .linear.probabilities import linear_log_softmax, linear_softmax
    from .linear.reductions import linear_logsumexp, linear_topk
    from .log_softmax import log_softmax
    from .logsumexp import logsumexp
    from .losses.binary_cross_entropy import binary_cross_entropy
    from .losses.binary_cross_entropy_grad import binary_cross_entropy_grad
    from .losses.cross_entropy import cross_entropy
    from .losses.cross_entropy_grad import cross_entropy_grad
    from .losses.nll_loss import nll_loss
    from .njit import overloads, row_overloads  # noqa: F401  # register the operators for jitted code
    from .njit.row_forms import hardmax_row, log_softmax_row, logsumexp_row, sigmoid_row, softmax_row
    from .normalization.layer_norm import layer_norm
    from .normalization.rms_norm import rms_norm
    from .precompile.warmup import warmup
    from .sampling.gumbel import gumbel_noise, gumbel_softmax
    from .sampling.sample import sample
    from .sampling.topk import topk
    from .softmax import softmax
    from .sparse.entmax import entmax15, sparsemax
    from .sparse.entmax_alpha import entmax
    from .sparse.gradients import entmax15_grad, entmax_grad, sparsemax_grad
    from .stats import merge_stats, softmax_stats

__version__: str

__all__ = [
    "attention",
    "attention_decode",
    "attention_grad",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "celu",
    "cross_entropy",
    "cross_entropy_grad",
    "elu",
    "entmax",
    "entmax15",
    "entmax15_grad",
    "entmax_grad",
    "erf",
    "gelu",
    "gumbel_noise",
    "gumbel_softmax",
    "hard_sigmoid",
    "hard_swish",
    "hardmax",
    "hardmax_row",
    "layer_norm",
    "linear_cross_entropy",
    "linear_cross_entropy_grad",
    "linear_log_softmax",
    "linear_logsumexp",
    "linear_softmax",
    "linear_topk",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_grad",
    "log_softmax_row",
    "logsumexp",
    "logsumexp_row",
    "merge_stats",
    "mish",
    "nll_loss",
    "rms_norm",
    "sample",
    "selu",
    "sigmoid",
    "sigmoid_grad",
    "sigmoid_row",
    "softmax",
    "softmax_grad",
    "softmax_row",
    "softmax_stats",
    "softplus",
    "sparsemax",
    "sparsemax_grad",
    "swish",
    "tanh",
    "topk",
    "warmup",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """Give the version of softops, looked up when it is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            return version("softops")
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
