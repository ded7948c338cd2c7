"""Where a row is cut off: what a filter leaves is always the beginning of the row as it is sorted by `topk`.

Nothing is sorted. Where the first k end, or the first with a share of the mass, is found between the smallest and
the largest number, step by step, each of them one pass over the row:

    while more than one value lies from `low` to `high`:
        try a value between them, and sum up the mass from there on
        where that is enough, `low` goes up to the least number there; else `high` down to the greatest below
    among equals of the value that is left, the index decides
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..numerics.exp_below import exp_of_pair, exp_short
from ..numerics.sums import reduce_add, reduce_max
from ..vector import (
    Variable,
    any_set,
    compute_kind,
    full,
    itemsize,
    lane_index,
    lanes,
    load,
    load_partial,
    load_scalar,
    loop,
    maximum,
    narrow,
    outlined,
    splat,
    split,
    store,
    when,
    where,
    widen,
)
from ..vector.memory import read
from .ranks import between

# Steps that halve the distance, all before those that halve the numbers between, of which there are at most 64; most
# rows need some nine.
_HALVING, _STEPS, _ALL_STEPS = 3, 24, 24 + 65


class Cut(NamedTuple):
    """A row up to a value, and of equals up to an index."""

    value: Any
    last: Any

    def keeps(self, x: Any, first: Any) -> Any:
        """Which of a vector of numbers are left, the first of which has that index."""
        numbers = lane_index(splat(widen(x), 0.0))
        among = numbers + splat(numbers, first) <= splat(numbers, self.last)
        return (x > splat(x, self.value)) | ((x == splat(x, self.value)) & among)

    def or_tighter(self, value: Any, last: Any) -> "Cut":
        """This one or another, whichever leaves less."""
        taken = (value > self.value) | ((value == self.value) & (last < self.last))
        return Cut(where(taken, value, self.value), where(taken, last, self.last))


class Row(NamedTuple):
    """A row in a scratch of the computing type, as whole vectors with −inf behind its end, and room for its weights."""

    kind: Any
    x: Any
    weights: Any
    vectors: Any

    def numbers(self, i: Any) -> Any:
        """Vector i."""
        return load(self.kind, self.x, i)

    def weights_of(self, i: Any) -> Any:
        """The float64 weights of vector i."""
        width = lanes(self.kind)
        return read(self.kind.constant(0.0, types.float64), self.weights + i * width * 8, width)

    def keep_weights(self, i: Any, weights: Any) -> None:
        """Write the weights of vector i."""
        real, parts = self.kind.constant(0.0, types.float64), [weights]
        if weights.lanes > lanes(real):
            parts = list(split(weights))
        for j, part in enumerate(parts):
            store(real, self.weights, part, i * len(parts) + j)


@outlined
def bring(stored: Any, row: Any, vectors: Any, src: Any, n: Any) -> Any:
    """Copy a row to its scratch of so many vectors, −inf behind its end; its maximum, NaN where it holds one."""
    kind, width = compute_kind(stored), lanes(stored)
    found = Variable(full(stored, -np.inf), full(stored, 0.0))
    whole = n // width
    with loop(0, whole) as i:
        x, (m, nan) = load(stored, src, i), found.value
        store(kind, row, x, i)
        found.value = where(x > m, x, m), where(x == x, nan, x)
    with loop(whole, vectors) as i:
        rest, (m, nan) = maximum(n - i * width, 0), found.value
        x = load_partial(stored, src + i * width * itemsize(stored), rest, -np.inf)
        store(kind, row, x, i)
        found.value = where(x > m, x, m), where(x == x, nan, x)
    m, nan = found.value
    return reduce_max(m) + reduce_add(nan)


@outlined
def weigh(
    kind: Any, x: Any, weights: Any, vectors: Any, m: Any, temperature: Any, value: Any, last: Any
) -> Any:
    """Write exp((x − m) / T) in float64 for what a cut leaves of a row with maximum m, 0 for the rest; their sum."""
    row, zero = Row(kind, x, weights, vectors), widen(full(kind, 0.0))
    # of halves of numbers no difference overflows
    top, factor = splat(zero, 0.5 * widen(m)), splat(zero, 2.0 / temperature)
    total = Variable(zero)
    with loop(0, vectors) as i:
        x, weight = row.numbers(i), Variable(zero)
        with when(any_set(x >= splat(x, value))):
            kept = Cut(value, last).keeps(x, i * lanes(kind))
            d = (0.5 * widen(x) - top) * factor
            e = exp_short(d) if x.scalar == types.float32 else exp_of_pair(d, zero)
            weight.value = where(kept, e, 0.0)
            total.value += weight.value
        row.keep_weights(i, weight.value)
    return reduce_add(total.value)


def _mass_from(row: Row, value: Any, *, counted: bool) -> Any:
    """(the mass from a value on, the least number there, the greatest below) of a row; `counted`: each weighs 1."""
    like = full(row.kind, 0.0)
    zero, limit = widen(like), splat(like, value)
    sums = Variable(zero, splat(like, np.inf), splat(like, -np.inf))
    with loop(0, row.vectors) as i:
        x, (mass, least, greatest) = row.numbers(i), sums.value
        above, weight = x >= limit, splat(zero, 1.0) if counted else row.weights_of(i)
        sums.value = (
            mass + where(above, weight, 0.0),
            where(above & (x < least), x, least),
            where((x < limit) & (x > greatest), x, greatest),
        )
    mass, least, greatest = sums.value
    return reduce_add(mass), -reduce_max(-least), reduce_max(greatest)


def _cut_at(row: Row, m: Any, wanted: Any, *, counted: bool) -> Cut:
    """Where the mass of a row with maximum m, added up from the largest number on, comes to what is wanted.

    By halves at first, then by regula falsi: from `low` on there is enough by `more`, above `high` something is
    `missing`. Where the same end moves twice, what is known of the other counts half (Illinois).
    """
    lowest = m.constant(-np.finfo(np.float32 if itemsize(row.kind) == 4 else np.float64).max)
    mass, least, _ = _mass_from(row, lowest, counted=counted)
    zero = wanted.constant(0.0)
    found = Variable(least, m, mass - wanted, wanted, zero, zero)
    with loop(wanted.constant(0, types.int64), _ALL_STEPS) as step:
        low, high, more, missing, above, side = found.value
        step.leave_if(low == high)
        share = more / (more + missing)
        middle = Variable(narrow(low, widen(low) * (1.0 - share) + widen(high) * share))
        with when(step < _HALVING):
            middle.value = 0.5 * low + 0.5 * high
        with when((step >= _STEPS) | ~((middle.value > low) & (middle.value <= high))):
            middle.value = between(low, high)
        mass, least, greatest = _mass_from(row, middle.value, counted=counted)
        enough = mass >= wanted
        found.value = (
            where(enough, least, low),
            where(enough, high, greatest),
            where(enough, mass - wanted, where(side < 0.0, 0.5 * more, more)),
            where(enough, where(side > 0.0, 0.5 * missing, missing), wanted - mass),
            where(enough, above, mass),
            where(enough, zero + 1.0, zero - 1.0),
        )
    value, _, _, _, above, _ = found.value
    return Cut(value, _last_of_equals(row, value, above, wanted, counted=counted))


def _last_of_equals(row: Row, value: Any, above: Any, wanted: Any, *, counted: bool) -> Any:
    """The index of the last number of a value that is needed to come from the mass above it to what is wanted."""
    width, kind = lanes(row.kind), row.kind
    found = Variable(row.vectors * width, above)
    with loop(0, row.vectors) as i:
        x = row.numbers(i)
        with when(any_set(x == splat(x, value))), loop(i * width, (i + 1) * width) as index:
            last, mass = found.value
            number = load_scalar(kind, row.x + index * itemsize(kind))
            weight = mass.constant(1.0) if counted else load_scalar(mass, row.weights + index * 8)
            counts = (number == value) & (mass < wanted)
            found.value = where(counts, index + 0, last), where(counts, mass + weight, mass)
        i.leave_if(found.value[1] >= wanted)
    return found.value[0]


@outlined
def cut_at_count(kind: Any, x: Any, vectors: Any, m: Any, count: Any) -> Any:
    """Where so many of a row end."""
    return tuple(_cut_at(Row(kind, x, x, vectors), m, count, counted=True))


@outlined
def cut_at_mass(kind: Any, x: Any, weights: Any, vectors: Any, m: Any, mass: Any) -> Any:
    """Where so much of the weights of a row ends."""
    return tuple(_cut_at(Row(kind, x, weights, vectors), m, mass, counted=False))


@outlined
def cut_at_value(kind: Any, x: Any, vectors: Any, bound: Any) -> Any:
    """Where the numbers from a float64 bound on end: all equals are left."""
    like = full(kind, 0.0)
    least = Variable(splat(like, np.inf))
    row, limit = Row(kind, x, x, vectors), splat(widen(like), bound)
    with loop(0, vectors) as i:
        number = row.numbers(i)
        least.value = where((widen(number) >= limit) & (number < least.value), number, least.value)
    return -reduce_max(-least.value), vectors * lanes(kind)
