"""Sums of non-negative numbers that are right to the last place.

float32 is summed in float64: two conversions and two additions a vector, and 29 bits to spare. float64 has nothing
wider. There each lane's accumulator starts at an anchor that no summand exceeds, so that what an addition rounds off is
(s − a) − e exactly (Dekker's fast two-sum), and collects what was lost in a second accumulator: four additions for one,
which run in the shadow of the exponential. The anchor is taken off again without error. Relative error: below 2⁻⁴⁰ for
float32, 2⁻⁹⁵ for float64, for up to 2³¹ summands.
"""

from typing import Any

from numba import types

from .jit import by_type, helper
from .simd import fma, fma_exact, fuses, halves, narrow, splat, where, widen
from .vector import Vector, scalar_of


def add(total: Any, lost: Any, value: Any) -> Any:
    """One step: (total + value, lost + what that rounded off); |total| ≥ |value| must hold where the two are of a type.

    A float64 total of float32 values loses nothing worth keeping.
    """
    raise NotImplementedError


@by_type(add)
def _add(total: Any, lost: Any, value: Any) -> Any:
    if scalar_of(total) != scalar_of(value):
        return lambda total, lost, value: (total + widen(value), lost)

    def compensated(total: Any, lost: Any, value: Any) -> Any:
        result = total + value
        return result, lost + (value - (result - total))

    return compensated


@helper
def two_sum(a: Any, b: Any) -> Any:
    """a + b and its rounding error (Knuth), for vectors and scalars."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def fma_near(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` right to half a unit and a little on every machine, for |a| and |b| below 2^100.

    Where nothing fuses, the product is taken with its rounding error (Dekker).
    """
    raise NotImplementedError


@by_type(fma_near)
def _fma_near(a: Any, b: Any, c: Any) -> Any:
    splitter = 4097.0 if scalar_of(a) == types.float32 else 134217729.0

    def impl(a: Any, b: Any, c: Any) -> Any:
        if fuses(a):
            return fma(a, b, c)
        t, u = a * splat(a, splitter), b * splat(b, splitter)
        a_high, b_high = t - (t - a), u - (u - b)
        a_low, b_low = a - a_high, b - b_high
        product = a * b
        error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
        total, rest = two_sum(product, c)
        return total + (rest + error)

    return impl


@helper
def settle(total: Any, lost: Any, anchor: Any) -> Any:
    """An anchored sum per lane as float64 (high, low)."""
    return widen(total - anchor), widen(lost)


def across(total: Any, lost: Any, anchor: Any) -> Any:
    """An anchored sum over all lanes as float64 scalars (high, low)."""
    raise NotImplementedError


@by_type(across)
def _across(total: Any, lost: Any, anchor: Any) -> Any:
    if total.scalar != lost.scalar:
        return lambda total, lost, anchor: (added((total - anchor) + widen(lost)), 0.0)

    def float64(total: Any, lost: Any, anchor: Any) -> Any:
        high, low = settle(total, lost, anchor)
        return fold(high, low)

    return float64


def added(value: Any) -> Any:
    """The plain sum over the lanes."""
    raise NotImplementedError


@by_type(added)
def _added(value: Any) -> Any:
    if not isinstance(value, Vector):
        return lambda value: value

    def impl(value: Any) -> Any:
        a, b = halves(value)
        return added(a + b)

    return impl


def fold(high: Any, low: Any) -> Any:
    """The sum over the lanes of a float64 pair of vectors as a pair of scalars, added pairwise."""
    raise NotImplementedError


@by_type(fold)
def _fold(high: Any, low: Any) -> Any:
    if not isinstance(high, Vector):
        return lambda high, low: (high, low)

    def impl(high: Any, low: Any) -> Any:
        a, b = halves(high)
        c, d = halves(low)
        s, error = two_sum(a, b)
        return fold(s, c + d + error)

    return impl


def largest(value: Any) -> Any:
    """The largest lane; NaN lanes may or may not be passed over."""
    raise NotImplementedError


@by_type(largest)
def _largest(value: Any) -> Any:
    if not isinstance(value, Vector):
        return lambda value: value

    def impl(value: Any) -> Any:
        a, b = halves(value)
        return largest(where(a > b, a, b))

    return impl


def reciprocal(like: Any, high: Any, low: Any) -> Any:
    """1 / (high + low), float64 vectors or scalars, as an unevaluated pair of the float type of `like`."""
    raise NotImplementedError


@by_type(reciprocal)
def _reciprocal(like: Any, high: Any, low: Any) -> Any:
    if scalar_of(like) == types.float32:

        def float32(like: Any, high: Any, low: Any) -> Any:
            inverse = splat(high, 1.0) / (high + low)
            first = narrow(like, inverse)
            return first, narrow(like, inverse - widen(first))

        return float32

    def float64(like: Any, high: Any, low: Any) -> Any:
        s = high + low
        error = low - (s - high)
        inverse = splat(s, 1.0) / s
        missing = fma_exact(splat(s, 0.0) - s, inverse, splat(s, 1.0)) - error * inverse
        return inverse, inverse * missing

    return float64
