"""Sums of non-negative numbers that are right to the last place.

float32 is summed in float64: two conversions and two additions a vector, and 29 bits to spare. float64 has nothing
wider. There each lane's accumulator starts at an anchor that no summand exceeds, so that what an addition rounds off is
(s − a) − e exactly (Dekker's fast two-sum), and collects what was lost in a second accumulator: four additions for one,
which run in the shadow of the exponential. The anchor is taken off again without error. Relative error: below 2⁻⁴⁰ for
float32, 2⁻⁹⁵ for float64, for up to 2³¹ summands.
"""

from typing import Any

from numba import types

from ..vector import Variable, fma, fma_exact, fuses, load, loop, narrow, splat, split, traced, where, widen

# Scaled exponentials run this power of two too high, so that none is subnormal.
HEADROOM = 64


def add_compensated(total: Any, lost: Any, value: Any) -> Any:
    """One step: (total + value, lost + what that rounded off); |total| ≥ |value| must hold where the two are of a type.

    A float64 total of float32 values loses nothing worth keeping.
    """
    if total.scalar != value.scalar:
        return total + widen(value), lost
    result = total + value
    return result, lost + (value - (result - total))


class AnchoredSum:
    """The sum, lane by lane, of vectors like `like` of numbers below 2^(HEADROOM + 2).

    `lost`: what else there is to be added, if anything, small against what is to come.
    """

    def __init__(self, like: Any, lost: Any = None) -> None:
        self._exact = like.scalar == types.float32
        self._anchor = widen(splat(like, 0.0)) if self._exact else splat(like, 2.0 ** (HEADROOM + 2))
        self._sum = Variable(self._anchor, splat(like, 0.0) if lost is None else lost)

    def add(self, value: Any, error: Any = None) -> None:
        """Add a vector, and what it is off by, which is small against the sum."""
        total, lost = self._sum.value
        self._sum.value = add_compensated(total, lost, value)
        if error is not None:
            self._add_error(error)

    def add_chunk(self, kind: Any, address: Any, first: Any, last: Any, error: Any = None) -> None:
        """Add vectors `first` to `last` of those that begin at an address in the nearest cache, and their errors.

        A float64 total of float32 is begun anew for each chunk: it is not held in registers, then, while a loop before
        this one needs them all.
        """
        total, lost = self._sum.value
        chunk = Variable(splat(total, 0.0) if self._exact else total, lost)
        with loop(first, last) as i:
            own, lost = chunk.value
            chunk.value = add_compensated(own, lost, load(kind, address, i))
        own, lost = chunk.value
        self._sum.value = (total + own if self._exact else own), lost
        if error is not None:
            self._add_error(error)

    def _add_error(self, error: Any) -> None:
        total, lost = self._sum.value
        self._sum.value = (total + widen(error), lost) if self._exact else (total, lost + error)

    def per_lane(self) -> Any:
        """The sums as float64 (high, low)."""
        total, lost = self._sum.value
        return total - self._anchor, widen(lost)

    def over_lanes(self) -> Any:
        """The sum over all lanes as float64 numbers (high, low)."""
        high, low = self.per_lane()
        if self._exact:
            high = reduce_add(high + low)
            return high, splat(high, 0.0)
        return reduce_add_pairs(high, low)


class ExactSum:
    """The sum, lane by lane, of float32 numbers s + p · s below 2^(HEADROOM + 3), with what their rounding lost.

    The total begins at an anchor above every number, so that each addition's error is had exactly (Dekker), and in the
    same operation what rounding s + p · s lost: s − (what was added) is exact (Sterbenz), and one fused multiply-add
    adds p · s: one operation more than in Dekker's sum.

    What was lost is added up in float32, and taken to float64 with the rest by `settle`, after k numbers in a lane at
    the latest. No number loses more than half the last place of the anchor, so that the rounding of these additions
    comes to no more than k · 2⁻⁴⁹ of the anchor for each number: n numbers summed in lanes to n · k · 2⁻⁴⁹. For the sum
    as a whole `MOST` is often enough.
    """

    MOST = 512
    _ANCHOR = 2.0 ** (HEADROOM + 4)

    def __init__(self, like: Any) -> None:
        self._sum = Variable(splat(like, self._ANCHOR), splat(like, 0.0))
        self._settled = Variable(splat(widen(splat(like, 0.0)), 0.0))

    def add(self, e: Any, p: Any, s: Any) -> None:
        """Add e, which is s + p · s rounded; all three are 0 where there is nothing."""
        total, lost = self._sum.value
        result = total + e
        added = result - total
        self._sum.value = result, lost + fma_near(p, s, s - added)

    def settle(self) -> None:
        """Take what was added to float64, and begin anew."""
        self._settled.value = self.value
        total, lost = self._sum.value
        self._sum.value = splat(total, self._ANCHOR), splat(lost, 0.0)

    @property
    def value(self) -> Any:
        """The sums as float64."""
        total, lost = self._sum.value
        return self._settled.value + ((widen(total) - self._ANCHOR) + widen(lost))


class LaneSums:
    """Sums that are right in float64, lane by lane; what `AnchoredSum` is in the end."""

    def __init__(self, numbers: Any) -> None:
        self._numbers = numbers

    def per_lane(self) -> Any:
        """The sums as float64 (high, low)."""
        return self._numbers, splat(self._numbers, 0.0)

    def over_lanes(self) -> Any:
        """The sum over all lanes as float64 numbers (high, low)."""
        total = reduce_add(self._numbers)
        return total, splat(total, 0.0)


class PairSum:
    """A sum lane by lane in float64 with what its roundings lost; that is left out where the sum is not finite."""

    def __init__(self, zero: Any) -> None:
        self._sum = Variable(zero, zero)

    def add(self, x: Any) -> None:
        high, low = self._sum.value
        high, error = two_sum(high, x)
        self._sum.value = high, low + error

    def over_lanes(self) -> tuple[Any, Any]:
        """The sum as a pair of numbers."""
        high, low = reduce_add_pairs(*self._sum.value)
        return high, where(low == low, low, 0.0)


@traced
def two_sum(a: Any, b: Any) -> Any:
    """a + b and its rounding error (Knuth), for vectors and numbers."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def add_pair(high: Any, low: Any, high2: Any, low2: Any) -> Any:
    """The sum of two unevaluated sums, as one."""
    total, error = two_sum(high, high2)
    return total, low + (low2 + error)


def fma_near(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` right to half a unit and a little on every machine, for |a| and |b| below 2^100.

    Where nothing fuses, the product is taken with its rounding error (Dekker).
    """
    if fuses():
        return fma(a, b, c)
    splitter = 4097.0 if a.scalar == types.float32 else 134217729.0
    t, u = a * splitter, b * splitter
    a_high, b_high = t - (t - a), u - (u - b)
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total, rest = two_sum(product, c)
    return total + (rest + error)


def reduce_add(value: Any) -> Any:
    """The plain sum over the lanes, added pairwise."""
    while value.lanes > 1:
        a, b = split(value)
        value = a + b
    return value


def reduce_add_pairs(high: Any, low: Any) -> Any:
    """The sum over the lanes of a float64 pair of vectors as a pair of numbers, added pairwise."""
    while high.lanes > 1:
        a, b = split(high)
        c, d = split(low)
        high, error = two_sum(a, b)
        low = c + d + error
    return high, low


def reduce_max(value: Any) -> Any:
    """The largest lane; NaN lanes may or may not be passed over."""
    while value.lanes > 1:
        a, b = split(value)
        value = where(a > b, a, b)
    return value


def reciprocal(like: Any, high: Any, low: Any) -> Any:
    """1 / (high + low), float64 vectors or numbers, as an unevaluated pair of the float type of `like`."""
    if like.scalar == types.float32:
        inverse = 1.0 / (high + low)
        first = narrow(like, inverse)
        return first, narrow(like, inverse - widen(first))
    s = high + low
    error = low - (s - high)
    inverse = 1.0 / s
    missing = fma_exact(0.0 - s, inverse, 1.0) - error * inverse
    return inverse, inverse * missing
