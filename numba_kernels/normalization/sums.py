"""The sums that rows are normalized by: in float64 of float32 numbers, compensated of float64 ones."""

from typing import Any

from numba import types

from ..numerics.sums import reduce_add, reduce_add_pairs, two_sum
from ..rowwise.slices import slices
from ..vector import Variable, fma, fma_exact, full, load_scalar, narrow, splat, where, widen


class Sum:
    """A sum over the lanes of vectors and over vectors, as a float64 pair where numbers are float64."""

    def __init__(self, like: Any) -> None:
        self._pairs = like.scalar == types.float64
        zero = splat(widen(like), 0.0)
        self._total = Variable(zero, zero)

    def add(self, term: Any) -> None:
        """Add vectors of float64."""
        high, low = self._total.value
        if self._pairs:
            high, error = two_sum(high, term)
            self._total.value = high, low + error
        else:
            self._total.value = high + term, low

    def add_square(self, d: Any) -> None:
        """Add squares of vectors of float64."""
        high, low = self._total.value
        if self._pairs:
            square = d * d
            high, error = two_sum(high, square)
            self._total.value = high, low + (error + fma_exact(d, d, -square))
        else:
            self._total.value = fma(d, d, high), low

    def pair(self) -> Any:
        """The sum as float64 numbers (high, low); (±inf, 0) or (NaN, 0) where it is not finite."""
        high, low = self._total.value
        if self._pairs:
            high, low = reduce_add_pairs(high, low)
            return high, where(low == low, low, 0.0)
        total = reduce_add(high)
        return total, splat(total, 0.0)


def mean_of(kind: Any, row: Any, n: Any) -> tuple[Any, Any]:
    """The mean of a row as two numbers of the type that it is computed in, and so exact beside what rows hold.

    From the first number on, so that rows of equal numbers have it exactly.
    """
    like = full(kind, 0.0)
    start, total = load_scalar(kind, row), Sum(like)
    for part in slices(kind, n):
        x = part.load(row, start)
        if x.scalar == types.float32:
            total.add(widen(x) - splat(widen(x), widen(start)))
        else:
            # the difference would be rounded
            total.add(part.kept(x))
    high, low = total.pair()
    count = splat(high, n)
    if start.type == types.float64:
        mean = (high + low) / count
        # what the quotient lost, to first order
        return mean, (fma_exact(-mean, count, high) + low) / count
    mean = widen(start) + high / count
    first = narrow(start, mean)
    return first, narrow(start, mean - widen(first))


def centred(x: Any, mean: tuple[Any, Any]) -> Any:
    """x less a mean in two parts."""
    return (x - splat(x, mean[0])) - splat(x, mean[1])


def mean_square(kind: Any, row: Any, n: Any, mean: tuple[Any, Any] | None = None) -> Any:
    """The mean of the squares of a row, less its mean where that is given, as a float64 number."""
    like = full(kind, 0.0)
    total = Sum(like)
    for part in slices(kind, n):
        x = part.load(row)
        if mean is None:
            total.add_square(widen(x))
        elif x.scalar == types.float32:
            whole = widen(mean[0]) + widen(mean[1])
            total.add_square(part.kept(widen(x) - splat(widen(x), whole)))
        else:
            total.add_square(part.kept(centred(x, mean)))
    high, low = total.pair()
    return (high + low) / splat(high, n)
