"""The gradient of the cross-entropy of targets that are spread over the classes (see `targets`).

    dx = scale * (sum(q) * p - q)        p = exp(x - max(x)) / sum(exp(x - max(x)))

At the maximum of a row, where p is above one half and may be nearly 1, as ``(sum(q) - q) - sum(q) * (1 - p)`` with
1 − p from the sum of the others.
"""

from typing import Any

import numpy as np

from ..arrays.addresses import Array, address
from ..arrays.layout import launch, result_of_rows
from ..compile.kernels import over_rows
from ..numerics.exp_below import exp_below
from ..numerics.sums import PairSum
from ..rowwise.gather import run_writing, writing
from ..rowwise.slices import fill_zeros, slices
from ..vector import (
    extract,
    fma,
    full,
    itemsize,
    load_partial,
    load_scalar,
    loop,
    narrow,
    splat,
    store_scalar,
    traced,
    when,
    where,
    widen,
)
from .spread import Shares, even_shares, given_shares
from .sums import sums_of_row
from .targets import Spread


class _Row:
    """What the gradient of a row needs: its maximum, Σ exp(x − m), Σ q and the scale."""

    def __init__(self, m: Any, others: Any, q: Any, scale: Any) -> None:
        high, low = others
        self._m, self._q, self._scale = m, q, scale
        self._inverse = 1.0 / (1.0 + (high + low))
        self._missing = (high + low) * self._inverse

    def at(self, x: Any, q: Any) -> Any:
        """The gradient in float64 of logits whose shares are q."""
        e = exp_below(x, splat(x, self._m))
        all_q, missing = splat(q, self._q), splat(q, self._missing)
        at_top = (all_q - q) - all_q * missing
        elsewhere = fma(all_q, e * splat(q, self._inverse), -q)
        return where((e == 1.0) & (missing < 0.5), at_top, elsewhere) * splat(q, self._scale)


def _sum_of(kind: Any, n: Any, shares: Shares) -> Any:
    total = PairSum(widen(full(kind, 0.0)))
    for part in slices(kind, n):
        total.add(shares(part))
    high, low = total.over_lanes()
    return high + low


def _write(kind: Any, dst: Any, src: Any, n: Any, row: _Row, shares: Shares) -> None:
    for part in slices(kind, n):
        x = part.load(src)
        part.store(dst, narrow(x, row.at(x, shares(part))))


def _smoothed_line(
    kind: Any,
    dst: Any,
    src: Any,
    n: Any,
    index: Any,
    numbers: Any,
    weights: Any,
    labels: Any,
    own: Any,
    scales: Any,
) -> None:
    label = load_scalar(n.constant(0), labels + index * 8)
    with when(label < 0) as otherwise:
        fill_zeros(kind, dst, n)
    with otherwise:
        shares, (m, others) = even_shares(numbers, weights), sums_of_row(kind, src, n)
        real = others[0]
        of_label, scale = (load_scalar(real, place + index * 8) for place in (own, scales))
        q = load_scalar(real, numbers + 8) * load_scalar(real, weights + label * 8) + of_label
        row = _Row(m, others, _sum_of(kind, n, shares) + of_label, scale)
        # read before it is written to, in place
        x = load_partial(kind, src + label * itemsize(kind), 1, 0.0)
        at_label = extract(row.at(x, splat(widen(x), q)), 0)
        _write(kind, dst, src, n, row, shares)
        store_scalar(kind, dst + label * itemsize(kind), narrow(kind, at_label))


_COST = 5.0
_SMOOTHED = writing(_smoothed_line, _COST)


@traced
def _given_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    """The gradients of rows whose probabilities are given."""
    scores, numbers, weights, probabilities, scales = src
    with loop(first, last) as index:
        offset = index * (n * itemsize(kind))
        shares = given_shares(numbers, weights, probabilities + offset)
        m, others = sums_of_row(kind, scores + offset, n)
        scale = load_scalar(others[0], scales + index * 8)
        row = _Row(m, others, _sum_of(kind, n, shares), scale)
        _write(kind, dst + offset, scores + offset, n, row, shares)


_GIVEN = over_rows(_given_rows, _COST)


def spread_gradient(x: Array, axis: int, spread: Spread, scales: Array, out: Array | None) -> Array:
    """The gradient with respect to a non-empty `x`, from the scale of every row."""
    numbers, facts = spread.facts
    places = (*facts, address(scales))
    if spread.probabilities is None:
        result = run_writing(_SMOOTHED, x, axis, out, *places)
    else:
        result = _of_probabilities(x, axis, places, out)
    del numbers  # the kernel read them until here
    return result


def _of_probabilities(x: Array, axis: int, places: tuple[int, ...], out: Array | None) -> Array:
    rows = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    n = rows.shape[-1]

    def write(dst: int) -> None:
        launch(_GIVEN, rows, rows.size // n, dst, (address(rows), *places), n)

    return result_of_rows(rows, axis, out, write)
