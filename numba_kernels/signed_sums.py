"""log |Σ b · exp(x)| and its sign, for `logsumexp` with weights, which may cancel.

    y = x + log|b|        in double-double, with the exponent of b taken out exactly
    m = max(y)
    m + log |Σ ±f · exp(y − m)|

The sum is in double-double, so that of a sum that cancels to 2^-k of its largest term 2^(k - 95) is lost.
"""

from typing import Any

import numpy as np
from numba import types

from .arrays.addresses import Array, address
from .arrays.layout import launch
from .compile.kernels import over_rows
from .numerics import double_double
from .numerics.exp import magic
from .numerics.log import log1p_vector
from .numerics.sums import reduce_add_pairs, reduce_max, two_sum
from .rowwise.slices import slices
from .vector import Variable, bits, fma, from_bits, full, loop, outlined, splat, store_scalar, traced, where

# So far below the largest term nothing counts.
_CUT = -690.0


def _plus_logarithm_of_power(high: Any, low: Any, power: Any) -> Any:
    """high + low + power · ln 2 in double-double, for whole powers below 2¹¹."""
    first, second, third = double_double.LN2_PARTS
    more = double_double.fast_two_sum(power * first, power * second)
    high, low = double_double.add(high, low, *more)
    return double_double.fast_two_sum(high, fma(power, third, low))


def _term(x: Any, fraction: Any, power: Any, m: Any) -> Any:
    """fraction · 2^power · exp(x − m) in double-double."""
    high, low = two_sum(x, 0.0 - m)
    high, low = _plus_logarithm_of_power(high, low, power)
    # of a number without weight, whose x is −inf, high is −inf or NaN
    counts = high >= _CUT
    e = double_double.exp(where(counts, high, 0.0), where(counts, low, 0.0))
    high, low = double_double.multiply(e[0], e[1], fraction, splat(fraction, 0.0))
    return where(counts, high, 0.0), where(counts, low, 0.0)


@outlined
def _signed_sum(kind: Any, x: Any, fractions: Any, powers: Any, n: Any) -> Any:
    """(sum, log of its absolute value) of a row; the latter means nothing where the sum is 0."""
    largest, ln2 = Variable(full(kind, -np.inf)), double_double.LN2_PARTS[0]
    for part in slices(kind, n):
        y = fma(part.load(powers), ln2, part.load(x, -np.inf))
        largest.value = where(y > largest.value, y, largest.value)
    m = reduce_max(largest.value)
    m = where(m == -np.inf, 0.0, m)
    zero = full(kind, 0.0)
    total, m_v = Variable(zero, zero), splat(zero, m)
    for part in slices(kind, n):
        term = _term(part.load(x, -np.inf), part.load(fractions), part.load(powers), m_v)
        total.value = double_double.add(*total.value, *term)
    high, low = double_double.fast_two_sum(*reduce_add_pairs(*total.value))
    return high, _log_of_product(m, abs(high), where(high < 0.0, 0.0 - low, low))


def _log_of_product(m: Any, high: Any, low: Any) -> Any:
    """m + log(high + low), rounded to float64 once."""
    exponent = (bits(high) >> 52) - 1023
    unit = from_bits((0 - exponent + 1023) << 52)
    high, low = high * unit, low * unit
    # one Newton step from the logarithm in float64
    guess = log1p_vector(high, splat(high, -1.0))
    e, error = double_double.multiply(high, low, *double_double.exp(-guess, splat(guess, 0.0)))
    correction = (e - 1.0) + error
    correction -= 0.5 * correction * correction
    power = from_bits(bits(splat(high, magic(high))) + exponent) - magic(high)
    result, rest = two_sum(m, guess)
    result, rest = _plus_logarithm_of_power(result, rest, power)
    return result + (rest + correction)


@traced
def _rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    totals, logs = dst
    real = n.constant(0.0, types.float64)
    with loop(first, last) as i:
        total, log = _signed_sum(kind, *(start + i * n * 8 for start in src), n)
        store_scalar(real, totals + i * 8, total)
        store_scalar(real, logs + i * 8, log)


_KERNELS = over_rows(_rows)


def signed_logsumexp(x: Array, b: Array) -> tuple[Array, Array]:
    """(log |Σ b exp(x)|, sign of the sum) in float64 along the last axis of two float64 arrays of one shape."""
    shape, n = x.shape[:-1], x.shape[-1]
    totals, logs = np.zeros(shape), np.zeros(shape)
    # what has no weight counts for nothing, whatever it is; −inf counts for nothing but with an infinite weight
    special = (b != 0) & (np.isnan(x) | (x == np.inf) | ~np.isfinite(b))
    without = special | (b == 0)
    if x.size:
        numbers = np.where(without, -np.inf, x).ravel()
        fractions, powers = np.frexp(np.where(without, 0.0, b).ravel())
        powers = powers.astype(np.float64)
        sources = (address(numbers), address(fractions), address(powers))
        launch(_KERNELS, numbers, x.size // n, (address(totals), address(logs)), sources, n)
    # an infinite or undefined term decides alone
    terms = np.where(special, b * np.where(np.isfinite(x), 1.0, np.exp(x)), 0.0)
    totals = np.where(special.any(-1), terms.sum(-1), totals)
    values = np.where(np.isfinite(totals), np.where(totals == 0, -np.inf, logs), abs(totals))
    return values, np.sign(totals)
