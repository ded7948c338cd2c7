"""The kernels of the operators that `softops.numba_kernels` has: adapters from a node to a call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis import along
from .reduction import reduced_axes
from .row import Attributes, Implementation, Inputs, Operator

Outputs = tuple[NDArray[Any], ...]


@cache
def compiled() -> Any:
    """Return `softops.numba_kernels`, on first use: whoever only reads the table needs no compiler."""
    from softops import numba_kernels

    return numba_kernels


def along_axis(name: str) -> Implementation:
    """Make an operator of the kernel ``name(x, axis)`` under the row's axis rule."""

    def kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        assert inputs[0] is not None
        assert row.axis_rule is not None
        function: Callable[..., NDArray[Any]] = getattr(compiled(), name)
        return (along(row.axis_rule, function, inputs[0], attributes["axis"], name=row.name),)

    return kernel


def elementwise(name: str) -> Implementation:
    """Make an operator of the kernel ``name(x)``."""

    def kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        return (np.asarray(getattr(compiled(), name)(inputs[0])),)

    return kernel


def reduce_log_sum_exp(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """`softops.numba_kernels.logsumexp`, and integers by way of it."""
    x = inputs[0]
    assert x is not None
    axes = reduced_axes(row, x.ndim, inputs, attributes)
    if axes == ():
        return (x.copy(),)
    keepdims = bool(attributes["keepdims"])
    if x.dtype.kind in "iu":
        return (_of_integers(x, axes, keepdims),)
    return (np.asarray(compiled().logsumexp(x, axes, keepdims=keepdims)),)


def softmax_cross_entropy(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """`softops.numba_kernels.cross_entropy`."""
    scores, labels, weights = inputs
    result = compiled().cross_entropy(
        scores,
        labels,
        weight=weights,
        ignore_index=attributes["ignore_index"],
        reduction=attributes["reduction"],
        return_log_prob=outputs > 1,
    )
    return tuple(map(np.asarray, result if outputs > 1 else (result,)))


def negative_log_likelihood(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """`softops.numba_kernels.nll_loss`."""
    log_prob, labels, weights = inputs
    loss = compiled().nll_loss(
        log_prob,
        labels,
        weight=weights,
        ignore_index=attributes["ignore_index"],
        reduction=attributes["reduction"],
    )
    return (np.asarray(loss),)


def _of_integers(x: NDArray[Any], axes: tuple[int, ...], keepdims: bool) -> NDArray[Any]:
    """
    Cut max + log sum exp(x - max) off towards zero.

    The differences are taken among the integers, where they are exact; the logarithm is below 45.
    """
    limits = np.iinfo(x.dtype)
    if not all(x.shape[axis] for axis in axes):
        kept = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
        return np.full(kept, limits.min, x.dtype)
    largest = x.max(axes, keepdims=True)
    wide = np.dtype(f"uint{8 * x.dtype.itemsize}")
    below = largest.astype(wide) - x.astype(wide)  # modulo 2^bits, which the difference itself is below
    more = np.asarray(compiled().logsumexp(-below.astype(np.float64), axes, keepdims=True))
    # Up to zero the cut raises the result, above zero it lowers it.
    negative = (largest < 0) & (largest.astype(np.float64) + more < 0)
    step = np.where(negative, np.ceil(more), np.floor(more)).astype(x.dtype)
    result = np.where(largest > limits.max - step, limits.max, largest + step).astype(x.dtype)
    return result if keepdims else result.squeeze(axes)
