"""The softmax of scores that come block by block: each query's maximum and sum so far, a lane for each."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_split
from ..numerics.log import log1p_vector
from ..numerics.sums import two_sum
from ..vector import Variable, bits, fma, loop, splat, where, widen
from .scores import Block

# So far below the maximum a term is nothing beside it.
_CUT = {types.float32: -87.0, types.float64: -708.0}


def exp_below_maximum(d: Any) -> Any:
    """exp(d) for d ≤ 0 within 1 ULP, exactly 1 for 0; 0 where it is nothing beside 1, NaN for NaN."""
    cut = _CUT[d.scalar]
    p, s = exp_split(where(d < cut, cut, d), bits(splat(d, 1.0)))
    return where(d < cut, 0.0, fma(p, s, s))


class Running:
    """Maxima and sums of exp(score − maximum) of the queries of a panel; sums in float64, of float64 in two parts."""

    def __init__(self, sinks: list[Any]) -> None:
        """`sinks`: a score for each query that takes part in nothing else; −inf for none."""
        self._maxima = [Variable(sink) for sink in sinks]
        self._sums = [Variable(*_one_where_any(sink)) for sink in sinks]

    def take(self, scores: Any, block: Block) -> list[Any]:
        """Turn the scores of a block into exponentials; gives what sums of terms so far are to be multiplied by."""
        highest = [Variable(m.value) for m in self._maxima]
        with loop(0, block.count) as key:
            for top, score in zip(highest, block.load(scores, key), strict=True):
                top.value = where(score > top.value, score, top.value)
        tops = [top.value for top in highest]
        factors, bases = self._raise_to(tops), [base_below(top) for top in tops]
        with loop(0, block.count) as key:
            scored = zip(block.load(scores, key), bases, strict=True)
            terms = [exp_below_maximum(score - base) for score, base in scored]
            block.store(scores, key, terms)
            for total, term in zip(self._sums, terms, strict=True):
                high, low = total.value
                total.value = added(high, low, term)
        return factors

    def _raise_to(self, tops: list[Any]) -> list[Any]:
        """Take new maxima; gives what the sums were lowered by."""
        factors = []
        for before, top, total in zip(self._maxima, tops, self._sums, strict=True):
            factor = exp_below_maximum(before.value - base_below(top))
            before.value = top
            high, low = total.value
            total.value = high * widen(factor), low * widen(factor)
            factors.append(factor)
        return factors

    @property
    def sums(self) -> list[Any]:
        """The sums in float64."""
        return [high + low for high, low in (total.value for total in self._sums)]

    @property
    def maxima(self) -> list[Any]:
        """The maxima; −inf where there is nothing yet."""
        return [m.value for m in self._maxima]


def log_sum_of(top: Any, total: Any) -> Any:
    """The logarithm of a sum of exponentials, in float64, from the maximum and the sum beside it; −inf of nothing."""
    log_sum = widen(top) + log1p_vector(total - 1.0, splat(total, 0.0))
    return where(total == 0.0, -np.inf, log_sum)


def base_below(top: Any) -> Any:
    """What is subtracted from scores with a maximum: nothing where there is none."""
    return where(top == -np.inf, 0.0, top)


def _one_where_any(sink: Any) -> tuple[Any, Any]:
    zero = splat(widen(sink), 0.0)
    return where(widen(sink) != -np.inf, splat(zero, 1.0), zero), zero


def added(high: Any, low: Any, term: Any) -> tuple[Any, Any]:
    """A sum in float64, of float64 in two parts, and a term."""
    if term.scalar == types.float32:
        return high + widen(term), low
    total, error = two_sum(high, term)
    return total, low + error
