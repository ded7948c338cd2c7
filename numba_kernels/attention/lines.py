"""Attention for one query and a run of keys: vectors lie along the depth, keys and values are read once.

scores = Σ key · query, some keys at a time, each lane by itself; then over the lanes, of as many keys as it has
terms = exp(score − maximum), Σ terms
sums of values = Σ value · term
"""

from typing import Any

import numpy as np

from ..numerics.sums import reduce_add_pairs, reduce_max
from ..numerics.tanh import tanh_of
from ..products.lines import products_of_rows
from ..vector import (
    Variable,
    compute_kind,
    fma,
    full,
    itemsize,
    lanes,
    load,
    load_partial,
    load_scalar,
    loop,
    minimum,
    outlined,
    splat,
    store,
    store_partial,
    when,
    where,
    widen,
)
from .online import added, base_below, exp_below_maximum


@outlined
def write_scores(
    kind: Any, dst: Any, query: Any, keys: Any, row: Any, count: Any, depth: Any, softcap: Any
) -> None:
    """The scores of so many keys, whole vectors of them, −inf behind the last; `query` is padded with zeros."""
    work, width = compute_kind(kind), int(lanes(kind))

    def put(first: Any, scores: Any) -> None:
        score = Variable(scores)
        with when(softcap > 0.0):
            cap = splat(scores, softcap)
            score.value = cap * tanh_of(scores / cap)
        place = dst + first * itemsize(work)
        store(work, place, full(work, -np.inf))
        store_partial(work, place, score.value, minimum(count - first, width))

    products_of_rows(kind, query, keys, row, count, depth, put)


@outlined
def write_terms(work: Any, scores: Any, count: Any) -> Any:
    """Scores, whole vectors of them, to exp(score − maximum); gives the maximum, and the sum in two parts."""
    width = int(lanes(work))
    top = Variable(full(work, -np.inf))
    with loop(0, (count + (width - 1)) // width) as i:
        x = load(work, scores, i)
        top.value = where(x > top.value, x, top.value)
    m = reduce_max(top.value)
    base, zero = splat(top.value, base_below(m)), widen(full(work, 0.0))
    total = Variable(zero, zero)
    with loop(0, (count + (width - 1)) // width) as i:
        term = exp_below_maximum(load(work, scores, i) - base)
        store(work, scores, term, i)
        high, low = total.value
        total.value = added(high, low, term)
    high, low = total.value
    return m, *reduce_add_pairs(high, low)


# So many vectors of a value are summed at a time.
_ACROSS = 4


@outlined
def add_values(kind: Any, sums: Any, terms: Any, values: Any, row: Any, count: Any, width: Any) -> None:
    """sums += Σ value · term over so many keys; `sums` has room for whole vectors."""
    work, across = compute_kind(kind), _ACROSS * int(lanes(kind))
    with loop(0, width // across) as i:
        begin, own = i * (across * itemsize(kind)), sums + i * (across * itemsize(work))
        totals = Variable(*[load(work, own, j) for j in range(_ACROSS)])
        with loop(0, count) as key:
            place = values + key * row + begin
            term = splat(full(work, 0.0), load_scalar(work, terms + key * itemsize(work)))
            totals.value = [fma(load(kind, place, j), term, t) for j, t in enumerate(totals.value)]
        for j, total in enumerate(totals.value):
            store(work, own, total, j)
    done = width // across * across
    with loop(done, width, lanes(kind)) as d:
        few, own = minimum(width - d, lanes(kind)), sums + d * itemsize(work)
        total = Variable(load(work, own))
        with loop(0, count) as key:
            place = values + key * row + d * itemsize(kind)
            term = splat(full(work, 0.0), load_scalar(work, terms + key * itemsize(work)))
            total.value = fma(load_partial(kind, place, few, 0.0), term, total.value)
        store(work, own, total.value)
