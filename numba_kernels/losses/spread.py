"""Cross-entropy of targets that are spread over the classes (see `targets`).

    loss = sum(q) * log(sum(exp(x - max(x)))) + sum(q * (max(x) - x))

Where no weight and no target is negative, no term is, so nothing cancels. A class whose share is 0 counts for nothing,
also at −inf.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.layout import launch
from ..compile.kernels import over_rows
from ..log_sums.rows import log_sums_of_rows
from ..numerics.sums import PairSum
from ..rowwise.gather import Batch, reading, run_reading
from ..rowwise.lanes import PerRow
from ..rowwise.rows import rows_at_once
from ..rowwise.slices import Slice, slices
from ..vector import (
    Variable,
    fma,
    full,
    itemsize,
    load_scalar,
    loop,
    minimum,
    splat,
    store_scalar,
    traced,
    when,
    where,
    widen,
)
from ..vector.memory import read
from .targets import Spread

Shares = Callable[[Slice], Any]


def even_shares(numbers: Any, weights: Any) -> Shares:
    """What every class has by smoothing: `part` → its q in float64, 0 behind the end of a row."""
    real = numbers.constant(0.0, types.float64)
    even = load_scalar(real, numbers + 8)

    def shares(part: Slice) -> Any:
        w = _weights_of(part, weights, real)
        return w * splat(w, even)

    return shares


def given_shares(numbers: Any, weights: Any, probabilities: Any) -> Shares:
    """The q of a row whose probabilities begin at an address."""
    real = numbers.constant(0.0, types.float64)
    kept, even = load_scalar(real, numbers), load_scalar(real, numbers + 8)

    def shares(part: Slice) -> Any:
        w = _weights_of(part, weights, real)
        target = widen(part.load(probabilities))
        return w * (target * splat(w, kept) + splat(w, even))

    return shares


def _weights_of(part: Slice, weights: Any, real: Any) -> Any:
    return read(real, weights + part.first * 8, part.lanes)


def _spread_loss(kind: Any, src: Any, n: Any, m: Any, log_of_sum: Any, shares: Shares) -> Any:
    """The loss of a row in float64, as a pair."""
    zero = widen(full(kind, 0.0))
    top, total, of_shares = splat(zero, widen(m)), PairSum(zero), PairSum(zero)
    for part in slices(kind, n):
        q, below = shares(part), top - widen(part.load(src))
        total.add(where(q == 0.0, zero, q * below))
        of_shares.add(q)
    (high, low), (q, rest) = total.over_lanes(), of_shares.over_lanes()
    return fma(q, log_of_sum, high), fma(rest, log_of_sum, low)


def _smoothed_lines(dst: Any, batch: Batch, numbers: Any, weights: Any, labels: Any, own: Any) -> None:
    """The float64 losses of lines with smoothed labels."""
    _, kind, index, at, stride, count, n = batch
    m, log_of_sum = (PerRow(found) for found in log_sums_of_rows(kind, at, stride, count, n))
    with loop(0, count) as row:
        line, src = index + row, at + row * stride
        label, loss = load_scalar(line, labels + line * 8), Variable(line.constant(0.0, types.float64))
        with when(label >= 0):
            high, low = _spread_loss(kind, src, n, m[row], log_of_sum[row], even_shares(numbers, weights))
            q = load_scalar(high, own + line * 8)
            below = widen(m[row]) - widen(load_scalar(kind, src + label * itemsize(kind)))
            loss.value = where(q == 0.0, high, fma(q, below + log_of_sum[row], high)) + low
        store_scalar(loss.value, dst + line * 8, loss.value)


_SMOOTHED = reading(_smoothed_lines)


@traced
def _given_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    """The float64 losses of rows whose probabilities are given."""
    scores, numbers, weights, probabilities = src
    stride, at_once = n * itemsize(kind), rows_at_once(kind, n)
    with loop(first, last, at_once) as index:
        count, at = minimum(at_once, last - index), scores + index * stride
        m, log_of_sum = (PerRow(found) for found in log_sums_of_rows(kind, at, stride, count, n))
        with loop(0, count) as row:
            line = index + row
            shares = given_shares(numbers, weights, probabilities + line * stride)
            high, low = _spread_loss(kind, at + row * stride, n, m[row], log_of_sum[row], shares)
            store_scalar(high, dst + line * 8, high + low)


_GIVEN = over_rows(_given_rows, 2.0)


def spread_losses(x: Array, axis: int, spread: Spread) -> Array:
    """The float64 loss of every row of a non-empty `x`."""
    losses = np.zeros(x.shape[:axis] + x.shape[axis + 1 :])
    numbers, facts = spread.facts
    if spread.probabilities is None:
        run_reading(_SMOOTHED, x, axis, address(losses), *facts)
    else:
        rows = in_c_order(np.moveaxis(x, axis, -1))
        launch(_GIVEN, rows, losses.size, address(losses), (address(rows), *facts), rows.shape[-1])
    del numbers  # the kernel read them until here
    return losses
