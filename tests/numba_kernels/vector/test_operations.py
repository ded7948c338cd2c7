"""Every operation on vectors against NumPy, bit for bit, in both types that are computed in.

`alive/test_processors.py` runs this for plain x86-64 and the first AVX2 processor, too.
"""

import operator
from fractions import Fraction

import numpy as np
import pytest

from softops.numba_kernels import vector
from softops.numba_kernels.vector import bits, fma, fma_exact, from_bits, load, loop, splat, store, where

UNSIGNED = {np.float32: np.uint32, np.float64: np.uint64}
SIGNED = {np.float32: np.int32, np.float64: np.int64}


def same_bits(actual, expected):
    """Equal, 0 and −0 told apart; a NaN is a NaN, whatever its bits."""
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(
        np.signbit(actual)[~np.isnan(actual)], np.signbit(expected)[~np.isnan(expected)]
    )


@pytest.fixture
def over(run, real):
    """``function`` of every vector of as many arrays as it takes."""

    def computed(function, count=2):
        arrays = real.arrays[:count]

        def work(kind, dst, sources, n):
            with loop(0, n // real.lanes) as i:
                store(kind, dst, function(*(load(kind, source, i) for source in sources)), i)

        return run(work, real.dtype, np.full_like(arrays[0], 77), *arrays, count=arrays[0].size)

    return computed


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv"])
def test_arithmetic(over, real, name):
    op = getattr(operator, name)
    same_bits(over(op), op(*real.arrays[:2]))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv"])
def test_arithmetic_with_a_number_of_pythons(over, real, name):
    op = getattr(operator, name)
    same_bits(over(lambda x: op(x, 3.0), 1), op(real.arrays[0], real.dtype(3)))
    same_bits(over(lambda x: op(3.0, x), 1), op(real.dtype(3), real.arrays[0]))


@pytest.mark.parametrize("name", ["lt", "gt", "le", "ge", "eq", "ne"])
def test_comparisons_and_where(over, real, name):
    op, (a, b, c) = getattr(operator, name), real.arrays
    same_bits(over(lambda x, y, z: where(op(x, y), x, z), 3), np.where(op(a, b), a, c))
    same_bits(over(lambda x: where(op(x, 1.0), 2.0, x), 1), np.where(op(a, real.dtype(1)), real.dtype(2), a))


def test_masks(over, real):
    a, b, _ = real.arrays
    same_bits(over(lambda x, y: where((x > 0.0) & (y > 0.0), x, y)), np.where((a > 0) & (b > 0), a, b))
    same_bits(over(lambda x, y: where((x > 0.0) | (y > 0.0), x, y)), np.where((a > 0) | (b > 0), a, b))
    same_bits(over(lambda x, y: where(~(x > 0.0), x, y)), np.where(~(a > 0), a, b))
    same_bits(
        over(lambda x, y: where(vector.unordered(x, y), 1.0, y)), np.where(np.isnan(a) | np.isnan(b), 1, b)
    )


def test_signs(over, real):
    same_bits(over(operator.neg, 1), -real.arrays[0])
    same_bits(over(abs, 1), np.abs(real.arrays[0]))


def test_minimum_and_maximum(over, real):
    """Of two numbers; where one is NaN the second."""
    a, b, _ = real.arrays
    same_bits(over(vector.minimum), np.where(a < b, a, b))
    same_bits(over(vector.maximum), np.where(a > b, a, b))


def exact_sums(a, b, c):
    """The exact a·b + c as fractions; floats where it is none, or 0, whose sign is that of the rounded steps."""

    def one(x, y, z):
        if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
            return float(x) * float(y) + float(z)
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        if exact == 0:
            return float(x) * float(y) + float(z)
        return exact

    return [one(*each) for each in zip(a, b, c, strict=True)]


def test_fused_multiply_add(over, real):
    """No neighbour is nearer to the exact a·b + c; of `fma` where the machine fuses."""
    wanted = exact_sums(*real.arrays)
    ways = [fma_exact, fma] if vector.fuses() else [fma_exact]
    for way in ways:
        got = over(way, 3)
        for value, exact in zip(got, wanted, strict=True):
            if not isinstance(exact, Fraction):
                np.testing.assert_equal(float(value), exact)
                continue
            if np.isinf(value):
                assert abs(exact) > Fraction(float(np.finfo(real.dtype).max))
                continue
            error = abs(Fraction(float(value)) - exact)
            for side in (-np.inf, np.inf):
                beside = np.nextafter(value, real.dtype(side))
                assert np.isinf(beside) or error <= abs(Fraction(float(beside)) - exact)


def test_bits(over, real):
    """Of floats and back, and what is done to integers between."""
    a = real.arrays[0]
    whole, plain = a.view(SIGNED[real.dtype]), a.view(UNSIGNED[real.dtype])
    mask = int(SIGNED[real.dtype](0x55555555))

    def through(function, expected):
        got = over(lambda x: from_bits(function(bits(x))), 1).view(SIGNED[real.dtype])
        np.testing.assert_array_equal(got, expected.view(SIGNED[real.dtype]))

    through(lambda i: i, whole)
    through(lambda i: i + 12345, whole + SIGNED[real.dtype](12345))
    through(lambda i: i - 12345, whole - SIGNED[real.dtype](12345))
    through(lambda i: i << 3, plain << UNSIGNED[real.dtype](3))
    through(lambda i: i >> 3, plain >> UNSIGNED[real.dtype](3))
    through(lambda i: i & mask, whole & SIGNED[real.dtype](mask))
    through(lambda i: i | mask, whole | SIGNED[real.dtype](mask))
    through(lambda i: (i & 0xFFFF) // 7, (whole & SIGNED[real.dtype](0xFFFF)) // SIGNED[real.dtype](7))
    through(lambda i: (i & 0xFFFF) % 7, (whole & SIGNED[real.dtype](0xFFFF)) % SIGNED[real.dtype](7))


def test_square_root(over, real):
    same_bits(over(vector.sqrt, 1), np.sqrt(real.arrays[0]))


def test_one_of_four(over, real):
    """The table repeats four integers; the lowest two bits of the index count, whatever lies above."""
    if real.dtype != np.float32:
        pytest.skip("tables are of 32 bits")
    a = real.arrays[0]
    four = np.array([3.0, -1.5, 2.0**40, 0.0], np.float32)

    def looked_up(x):
        index = vector.lane_index(x) & 3
        low = where(index == 1, bits(splat(x, -1.5)), bits(splat(x, 3.0)))
        table = where(index == 3, bits(splat(x, 0.0)), where(index == 2, bits(splat(x, 2.0**40)), low))
        return from_bits(vector.lookup4(table, bits(x)))

    same_bits(over(looked_up, 1), four[a.view(np.int32) & 3])

    def in_pieces(x):
        pieces = vector.split(x) if vector.register_lanes(x) < x.lanes else (x, x)
        assert vector.register_lanes(x) == pieces[0].lanes
        return looked_up(x) if pieces[0] is x else vector.join(*(looked_up(piece) for piece in pieces))

    same_bits(over(in_pieces, 1), four[a.view(np.int32) & 3])


def test_widening_and_narrowing(over, real):
    a, b, _ = real.arrays
    product = (a.astype(np.float64) * b.astype(np.float64)).astype(real.dtype)
    same_bits(over(lambda x, y: vector.narrow(x, vector.widen(x) * vector.widen(y))), product)


def test_lanes(over, real):
    a, b, _ = real.arrays
    rows = (-1, real.lanes)
    first, third = a.reshape(rows)[:, :1], a.reshape(rows)[:, 3:4]
    everywhere = np.broadcast_to
    shape = a.reshape(rows).shape
    same_bits(over(lambda x: splat(x, vector.extract(x, 3)), 1), everywhere(third, shape).ravel())
    same_bits(
        over(lambda x: vector.full(vector.extract(x, 0), vector.extract(x, 3)), 1),
        everywhere(third, shape).ravel(),
    )
    expected = a.reshape(rows).copy()
    expected[:, 2:3] = first
    same_bits(over(lambda x: vector.insert(x, 2, vector.extract(x, 0)), 1), expected.ravel())
    order = list(range(2 * real.lanes))[::-2]
    both = np.concatenate([a.reshape(rows), b.reshape(rows)], axis=1)
    same_bits(over(lambda x, y: vector.shuffle(x, y, order)), both[:, order].ravel())

    def swapped(x):
        low, high = vector.split(x)
        return vector.join(high, low)

    same_bits(over(swapped, 1), np.roll(a.reshape(rows), real.lanes // 2, axis=1).ravel())

    def numbered(x):
        return from_bits(bits(splat(x, 1.0)) + vector.lane_index(bits(x)))

    one = real.dtype(1).view(SIGNED[real.dtype])
    counted = (one + np.arange(real.lanes, dtype=SIGNED[real.dtype])).view(real.dtype)
    same_bits(over(numbered, 1), everywhere(counted, shape).ravel())


@pytest.mark.parametrize("limit", [-np.inf, 0.0, 1e6, np.inf])
def test_what_a_mask_says(over, real, limit):
    a = real.arrays[0].reshape(-1, real.lanes)
    above = a > limit
    everywhere = [np.repeat(flags, real.lanes).astype(real.dtype) for flags in (above.any(1), above.all(1))]
    same_bits(
        over(lambda x: splat(x, where(vector.any_set(x > limit), splat(vector.extract(x, 0), 1.0), 0.0)), 1),
        everywhere[0],
    )
    same_bits(
        over(lambda x: splat(x, where(vector.all_set(x > limit), splat(vector.extract(x, 0), 1.0), 0.0)), 1),
        everywhere[1],
    )
    first = np.where(above.any(1), above.argmax(1), real.lanes).astype(real.dtype)
    same_bits(
        over(lambda x: splat(x, splat(vector.extract(x, 0), vector.first_lane(x > limit))), 1),
        np.repeat(first, real.lanes),
    )


def test_values_of_two_types_are_refused(over):
    with pytest.raises(TypeError, match="values of one type"):
        over(lambda x: x + bits(x), 1)


def test_a_branch_on_a_number_is_refused(over):
    with pytest.raises(TypeError, match="use `where` or `when`"):
        over(lambda x: x if x > 0.0 else -x, 1)


def test_long_products_and_exclusive_or(run):
    """In 128 bits, as integers of Python's have them; words with the highest bit set are not negative."""
    words = np.random.default_rng(0).integers(0, 2**64 - 1, (2, 64), np.uint64, endpoint=True)
    words[:, :3] = [[2**64 - 1, 2**63, 0], [2**64 - 1, 2**63, 5]]

    def work(kind, dst, sources, n):
        zero = n - n
        with loop(0, n) as i:
            a, b = (vector.load_scalar(zero, source + 8 * i) for source in sources)
            for j, number in enumerate((*vector.multiply_long(a, b), a ^ b, a ^ 255)):
                vector.store_scalar(zero, dst + 32 * i + 8 * j, number)

    found = run(work, np.float64, np.empty((64, 4), np.uint64), words[0], words[1], count=64)
    for row, a, b in zip(found.tolist(), *words.tolist(), strict=True):
        assert row == [a * b >> 64, a * b % 2**64, a ^ b, a ^ 255]


def test_integers_of_half_the_bits(run):
    """Words as twice as many halves, as NumPy's view has them, and these in 64 bits each, none of them negative."""
    words = np.random.default_rng(1).integers(0, 2**64 - 1, 64, np.uint64, endpoint=True)

    def work(kind, dst, sources, n):
        with loop(0, n // 8) as i:
            halves = vector.halves_of(bits(load(kind, sources[0], i)))
            for j, part in enumerate(vector.split(vector.extended(halves))):
                store(kind, dst, from_bits(part), 2 * i + j)

    found = run(work, np.float64, np.empty(128, np.uint64), words, count=64)
    np.testing.assert_array_equal(found, words.view(np.uint32))
