"""The softmax of scores that come block by block: each query's maximum and sum so far, a lane for each."""

from typing import Any

import numpy as np
from numba import types

from ..numerics.exp import exp_split
from ..numerics.sums import two_sum
from ..vector import Variable, bits, fma, full, loop, splat, where, widen
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

    def __init__(self, block: Block, sink: Any) -> None:
        """`sink`: a score for each query that takes part in nothing else; −inf for none."""
        like = full(block.work, 0.0)
        self._maximum = [Variable(splat(like, sink)) for _ in range(block.vectors)]
        self._sums = [Variable(widen(m.value), widen(m.value)) for m in self._maximum]
        for maximum, total in zip(self._maximum, self._sums, strict=True):
            there = widen(maximum.value) != -np.inf
            total.value = where(there, splat(total.value[0], 1.0), 0.0), splat(total.value[0], 0.0)

    def take(self, scores: Any, block: Block) -> list[Any]:
        """Turn the scores of a block into exponentials; gives what sums of terms so far are to be multiplied by."""
        highest = [Variable(m.value) for m in self._maximum]
        with loop(0, block.count) as key:
            for top, score in zip(highest, block.load(scores, key), strict=True):
                top.value = where(score > top.value, score, top.value)
        factors = []
        bases = []
        for before, top, total in zip(self._maximum, highest, self._sums, strict=True):
            # where there is nothing yet nothing is subtracted
            base = where(top.value == -np.inf, 0.0, top.value)
            factor = exp_below_maximum(before.value - base)
            before.value = top.value
            total.value = tuple(part * widen(factor) for part in total.value)
            factors.append(factor)
            bases.append(base)
        with loop(0, block.count) as key:
            terms = [
                exp_below_maximum(score - base)
                for score, base in zip(block.load(scores, key), bases, strict=True)
            ]
            block.store(scores, key, terms)
            for total, term in zip(self._sums, terms, strict=True):
                total.value = _added(*total.value, term)
        return factors

    @property
    def sums(self) -> list[Any]:
        """In float64."""
        return [high + low for high, low in (total.value for total in self._sums)]

    @property
    def maxima(self) -> list[Any]:
        return [m.value for m in self._maximum]


def _added(high: Any, low: Any, term: Any) -> Any:
    if term.scalar == types.float32:
        return high + widen(term), low
    total, error = two_sum(high, term)
    return total, low + error
