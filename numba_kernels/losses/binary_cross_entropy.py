"""binary_cross_entropy: the loss of logits that each stand for a class by itself.

    loss = (1 - t) * softplus(x) + w * t * softplus(-x)        softplus(x) = max(x, 0) + log(1 + exp(-|x|))

Of targets from 0 to 1 no term is negative, so nothing cancels, as it does in ``max(x, 0) - x * t + ...``. Sums go block
by block, at fixed places, so that they have the same bits for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, address
from ..arrays.labels import Reduction, checked_divisor, reduce_losses
from ..arrays.layout import launch
from ..compile.arithmetic import own_arithmetic
from ..compile.kernels import over_rows
from ..numerics.exp_below import exp_below
from ..numerics.log import log1p_unit
from ..numerics.sums import PairSum
from ..rowwise.slices import slices
from ..vector import full, itemsize, loop, minimum, narrow, splat, store_scalar, traced, where, widen
from .binary import Binary, checked_binary, places, spread_at

# So many logits are summed before the next.
_BLOCK = 4096
_COST = 4.0


def _loss(x: Any, target: Any, weight: Any) -> Any:
    """The losses of a vector in float64; of x = −inf and a target of 0 they are 0."""
    zero, t = splat(x, 0.0), widen(target)
    e = exp_below(where(x < zero, x, zero - x), zero)
    log = log1p_unit(e, x)
    up, down = (widen(where(part > zero, part, zero)) + log for part in (x, zero - x))
    return _product(1.0 - t, up) + _product(weight * t, down)


def _product(share: Any, loss: Any) -> Any:
    return where((share == 0.0) & (loss == np.inf), 0.0, share * loss)


@traced
def _each(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
    x, t, weights, step = src
    begin = first * itemsize(kind)
    for part in slices(kind, last - first):
        scores = part.load(x + begin)
        loss = _loss(scores, part.load(t + begin), spread_at(part, first, weights, step))
        part.store(dst + begin, narrow(scores, loss))


@traced
def _sums(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    """The float64 sums of blocks of all n losses."""
    x, t, weights, step = src
    with loop(first, last) as block:
        begin = block * _BLOCK
        offset, total = begin * itemsize(kind), PairSum(widen(full(kind, 0.0)))
        for part in slices(kind, minimum(n - begin, _BLOCK)):
            scores, targets = part.load(x + offset, -np.inf), part.load(t + offset)
            total.add(_loss(scores, targets, spread_at(part, begin, weights, step)))
        high, low = total.over_lanes()
        store_scalar(high, dst + block * 8, high + low)


_LOSSES, _BLOCK_SUMS = over_rows(_each, _COST), over_rows(_sums, _COST)


def binary_cross_entropy(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    pos_weight: npt.ArrayLike | None = None,
    reduction: Reduction = "mean",
    divisor: float | None = None,
) -> Array:
    """Minus the log-probability that a sigmoid gives to each target, of logits.

    ``loss = -(pos_weight * t * log(sigmoid(x)) + (1 - t) * log(1 - sigmoid(x)))``

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, any shape
        The scores, of classes that may be right together.
    targets : array of the shape and dtype of `logits`
        How probable each class is, 0 to 1.
    pos_weight : number or array, optional
        What the terms of the targets are multiplied by; an array broadcasts to the shape of `logits`, so that (C,)
        has a weight for each class.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of logits (NaN where there are none).
    divisor : float, optional
        What "mean" divides by instead.

    Returns
    -------
    scalar of the dtype of `logits`, or for "none" an array of their shape

    Raises
    ------
    TypeError
        Another dtype, two different ones, a masked array, a pos_weight that is not of real numbers.
    ValueError
        Shapes that differ or do not broadcast, an unknown reduction, a divisor that is not positive or no mean's.

    Notes
    -----
    Computed in float64; sums are compensated, in blocks of 4096 logits, and rounded once. Special values: NaN gives
    NaN; +inf has loss 0 where the target is 1 and −inf where it is 0 (torch: NaN), +inf otherwise.

    Error of targets from 0 to 1: at most 0.51 ULP in float16, bfloat16 and float32, 3 in float64
    (``tests/numba_kernels/losses/test_binary_cross_entropy.py``).
    """
    name = "binary_cross_entropy"
    with own_arithmetic():
        divided_by = checked_divisor(name, divisor, reduction)
        given = checked_binary(name, logits, targets, pos_weight, reduction)
        if reduction == "none":
            return _each_loss(given)
        sums = _sums_of_blocks(given)
        weights = np.full(1, float(given.x.size))
        return reduce_losses(sums, weights, reduction, given.x.dtype, divided_by)


def _each_loss(given: Binary) -> Array:
    x, targets, positive = given
    losses = np.empty(x.shape, x.dtype)
    if x.size:
        launch(_LOSSES, x, x.size, address(losses), (address(x), address(targets), *places(positive)), 1)
    return losses if x.ndim else losses[()]


def _sums_of_blocks(given: Binary) -> Array:
    x, targets, positive = given
    sums = np.zeros(-(-x.size // _BLOCK))
    if x.size:
        source = (address(x), address(targets), *places(positive))
        launch(_BLOCK_SUMS, x, sums.size, address(sums), source, x.size)
    return sums
