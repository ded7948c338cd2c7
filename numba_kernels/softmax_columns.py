"""softmax of columns, which lie side by side in vectors: by the steps of rows, none of which goes across lanes."""

from typing import Any

from numba import types

from .numerics.exp import exp_scaled_pair, exponent_shift
from .numerics.exp_table import exponentials_of_lanes, table_for
from .numerics.sums import AnchoredSum, ExactSum, fma_near, reciprocal
from .rowwise.exponentials import base_and_cut, exp_above_cut, largest_term
from .rowwise.probabilities import (
    divisor_of,
    quotient,
    scale_of,
)
from .vector import (
    Variable,
    fma,
    load,
    loop,
    minimum,
    store,
    where,
)


def softmax_columns(kind: Any, x: Any, n: Any, stride: Any) -> None:
    """A vector of columns of n numbers, in place."""
    highest = Variable(load(kind, x))
    with loop(1, n) as k:
        number = load(kind, x + k * stride)
        highest.value = where(number > highest.value, number, highest.value)
    m = highest.value
    if m.scalar == types.float32:
        _columns_of_float32(kind, x, n, stride, m)
    else:
        _columns_of_float64(kind, x, n, stride, m)


def _columns_of_float32(kind: Any, x: Any, n: Any, stride: Any, m: Any) -> None:
    scale = scale_of(m, m)
    table = table_for(m, 0)
    total = ExactSum(m)
    with loop(0, n, ExactSum.MOST) as start:
        first = x + start * stride
        with loop(0, minimum(n - start, ExactSum.MOST)) as k:
            number = load(kind, first + k * stride) - scale.base
            number = where(scale.cut > number, scale.cut, number)
            e, p, s = exponentials_of_lanes(number, table, scale.shift)
            store(kind, first + k * stride, e)
            total.add(e, p, s)
        total.settle()
    divisor = divisor_of(scale, total.value, 0.0)
    with loop(0, n) as k:
        store(kind, x + k * stride, quotient(load(kind, x + k * stride), *divisor))


def _columns_of_float64(kind: Any, x: Any, n: Any, stride: Any, m: Any) -> None:
    base, cut, scale = base_and_cut(m)
    shift, (top, error) = exponent_shift(scale), largest_term(m)

    # the largest is right in the sum, so what its last step rounds off is not added twice
    total = AnchoredSum(m, error - exp_scaled_pair(scale, shift)[1])
    with loop(0, n) as k:
        e, rest = exp_above_cut(load(kind, x + k * stride), base, cut, shift)
        store(kind, x + k * stride, e)
        total.add(e, rest)
    first, second = reciprocal(m, *total.per_lane())
    # what the largest probability lacks for the rounding error of the largest exponential; added without error
    lacks = fma_near(top, first, fma(error, first, top * second)) - fma_near(top, first, top * second)

    with loop(0, n) as k:
        e = load(kind, x + k * stride)
        store(kind, x + k * stride, quotient(e, first, second) + where(e == top, lacks, 0.0))
