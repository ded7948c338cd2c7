"""The exponential by a table of four, and the sum that goes with it, against higher precision."""

from fractions import Fraction

import numba
import numpy as np
import pytest

from softops.numba_kernels.numerics.exp_table import (
    exact_exponential,
    exponentials_of_lanes,
    table_for,
    table_shift,
)
from softops.numba_kernels.numerics.product_split import product_of
from softops.numba_kernels.numerics.sums import ExactSum
from softops.numba_kernels.vector import KINDS, load, loop, split, store, traced, when

LANES = 16
SINGLE, DOUBLE = (KINDS[np.dtype(dtype)] for dtype in (np.float32, np.float64))


def lane_by_lane(function, x, outputs):
    """``function(vector)`` of every vector of x; what it gives are vectors of the dtypes named."""
    results = [np.empty(x.size, dtype) for dtype in outputs]
    kinds, kind = tuple(KINDS[np.dtype(dtype)] for dtype in outputs), KINDS[x.dtype]

    @traced
    def body(kind, kinds, src, places, count) -> None:
        with loop(0, count) as i:
            for to_kind, place, value in zip(kinds, places, function(load(kind, src, i)), strict=True):
                width = value.lanes * (4 if to_kind.type == numba.types.float32 else 8)
                store(to_kind, place + i * width, value)

    @numba.njit
    def run(src, places, count):
        body(kind, kinds, src, places, count)

    lanes = LANES if x.dtype == np.float32 else LANES // 2
    run(x.ctypes.data, tuple(result.ctypes.data for result in results), x.size // lanes)
    return results


def spread_scores():
    """As they come in rows whose maximum is at most 256, and near where n changes."""
    rng = np.random.default_rng(1)
    near = (np.arange(-2000, 1400) + 0.5) * (np.log(2) / 4)
    scores = np.concatenate(
        [rng.uniform(-380, 256, 40000), near, np.nextafter(near, 0), rng.normal(size=5000)]
    )
    return scores[: scores.size // LANES * LANES].astype(np.float32)


@pytest.mark.parametrize("m", [0.0, 88.0, 256.0, -250.0])
def test_exponentials_are_right_but_for_a_common_factor(m):
    """To 2⁻²⁶: what is common to a row does not matter, what is not does."""
    x = spread_scores()
    x = x[(x <= m) & (x > m - 100)]
    x = x[: x.size // LANES * LANES]

    def made(scores):
        return exponentials_of_lanes(scores, table_for(scores, 0), table_shift(scores * 0.0 + m))

    e, p, s = lane_by_lane(made, x, [np.float32] * 3)
    whole = s.astype(np.longdouble)
    ratio = (whole + whole * p) / np.exp(x.astype(np.longdouble) - np.longdouble(m))
    middle = np.median(ratio)
    assert np.abs(ratio / middle - 1).max() < 2.0**-26
    assert np.abs(e / (whole + whole * p) - 1).max() <= 2.0**-24
    assert 2.0**64 <= middle < 2.0**67, "the largest exponential of a row must lie below the anchor of a sum"


def test_the_exact_exponential():
    """Of a row's maximum: with the same factor, right to what the table's entries are, 2⁻³¹·⁹ to either side."""
    x = spread_scores()
    x = x[np.abs(x) <= 256]
    x = x[: x.size // LANES * LANES]

    def made(scores):
        # in halves: a vector of float64 has half as many lanes
        added, exact = exact_exponential(scores, table_shift(scores))
        return (*split(added), *split(exact))

    low, high, exact_low, exact_high = lane_by_lane(made, x, [np.float64] * 4)
    rows = (-1, LANES // 2)
    exact = np.concatenate(
        [half[: x.size // 2].reshape(rows) for half in (exact_low, exact_high)], axis=1
    ).ravel()
    added = np.concatenate([half[: x.size // 2].reshape(rows) for half in (low, high)], axis=1).ravel()
    assert np.abs(added / exact - 1).max() < 2.0**-26
    power = np.log2(exact.astype(np.longdouble)) - x.astype(np.longdouble) / np.log(np.longdouble(2))
    factor = np.exp2(power - np.rint(power))  # all of them the same, but for a power of two
    assert factor.max() / factor.min() - 1 < 2.0**-30.9


def test_the_product_is_near_any_number():
    rng = np.random.default_rng(2)
    numbers = rng.choice([-1, 1], 4096) * 2.0 ** rng.uniform(-30, 12, 4096)
    numbers[:64] = np.arange(1, 65)

    def made(x):
        like = x  # a vector of float64; its product is of float32 where that is asked for
        return product_of(like, x)

    a, b = lane_by_lane(made, numbers, [np.float64] * 2)
    for factor in (a, b):
        np.testing.assert_array_equal(factor, factor.astype(np.float32), "float32 must hold the factors")
    assert np.abs(a * b / numbers - 1).max() < 2.0**-32.9


@pytest.mark.parametrize("count", [1, 2, 100, 512])
@pytest.mark.parametrize("kind_of_terms", ["equal", "spread", "one large"])
def test_an_exact_sum(count, kind_of_terms):
    """Of numbers s + p · s, as if nothing were rounded."""
    rng = np.random.default_rng(count)
    powers = {
        "equal": np.full(count, 40),
        "spread": rng.integers(-20, 64, count),
        "one large": np.full(count, 30),
    }
    s = (2.0 ** powers[kind_of_terms] * 1.7).astype(np.float32)
    if kind_of_terms == "one large":
        s[0] = 2.0**65
    p = rng.uniform(-0.09, 0.09, count).astype(np.float32)
    e = np.array(
        [np.float32(float(Fraction(float(b)) * (1 + Fraction(float(a))))) for a, b in zip(p, s, strict=True)]
    )
    exact = sum(Fraction(float(b)) * (1 + Fraction(float(a))) for a, b in zip(p, s, strict=True))
    numbers = [np.repeat(part, LANES) for part in (e, p, s)]
    result = np.empty(LANES)

    @traced
    def body(kind, real, places, to, n) -> None:
        total = ExactSum(load(kind, places[0]))
        with loop(0, n) as i:
            with when(i == 100):
                total.settle()
            total.add(*(load(kind, place, i) for place in places))
        for half, value in enumerate(split(total.value)):
            store(real, to, value, half)

    @numba.njit
    def run(places, to, n):
        body(SINGLE, DOUBLE, places, to, n)

    run(tuple(part.ctypes.data for part in numbers), result.ctypes.data, count)
    bound = Fraction(count, 2**29) if kind_of_terms == "equal" else Fraction(1, 2**29)
    assert abs(Fraction(float(result[0])) - exact) <= max(exact * bound, Fraction(count * 64 * 2**68, 2**49))
    assert np.all(result == result[0])
