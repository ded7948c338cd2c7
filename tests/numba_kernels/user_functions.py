"""A module of a user of the kernels: jitted functions that call them, with Numba options of theirs."""

from types import SimpleNamespace

import numpy as np
from numba import njit, prange

from softops import numba_kernels as kernels
from softops.numba_kernels import logsumexp, sigmoid, softmax, softmax_row


def compiled(**options):
    """The functions below, compiled with these options."""
    jit = njit(**options)

    @jit
    def operators(x, axis):
        return (
            softmax(x, axis),
            kernels.log_softmax(x, axis=axis),
            kernels.hardmax(x, axis),
            logsumexp(x, axis=axis),
            sigmoid(x),
        )

    @jit
    def softmax_into(x, axis, out):
        return softmax(x, axis, out=out)

    @jit
    def softmax_of(x, axis):
        return softmax(x, axis)

    @jit
    def sigmoid_of(x):
        return sigmoid(x)

    @jit
    def elements(x):
        return kernels.log_sigmoid(x), kernels.softplus(x)

    @jit
    def activations(x):
        return kernels.tanh(x), kernels.erf(x), kernels.mish(x), kernels.hard_swish(x)

    @jit
    def sums(x):
        return logsumexp(x, axis=0, keepdims=True), logsumexp(x[0])

    @jit
    def over_rows(x, out):
        """Row by row: the four operators into out[0] … out[3], logsumexp into the result."""
        sums = np.empty(x.shape[0], x.dtype)
        for i in range(x.shape[0]):
            softmax_row(x[i], out[0, i])
            kernels.log_softmax_row(x[i], out[1, i])
            kernels.hardmax_row(x[i], out[2, i])
            kernels.sigmoid_row(x[i], out[3, i])
            sums[i] = kernels.logsumexp_row(x[i])
        return sums

    @njit(parallel=True, **options)
    def parallel_rows(x, out):
        """softmax of every row into out, logsumexp into the result."""
        sums = np.empty(x.shape[0], x.dtype)
        for i in prange(x.shape[0]):
            softmax_row(x[i], out[i])
            sums[i] = kernels.logsumexp_row(x[i])
        return sums

    @jit
    def one_row(x, out):
        softmax_row(x, out)

    return SimpleNamespace(
        **{name: value for name, value in locals().items() if name not in ("jit", "options")}
    )
