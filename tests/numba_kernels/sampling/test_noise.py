"""The noise: NumPy's words bit for bit, numbers against mpmath, the tail at its rate."""

import mpmath
import numba
import numpy as np
import pytest

from softops.numba_kernels import gumbel_noise
from softops.numba_kernels.sampling.noise import Stream
from softops.numba_kernels.sampling.philox import philox
from softops.numba_kernels.vector import loop, store, store_scalar, traced

LARGE = 2**64 - 1


@traced
def write_words(dst, key, key_above, row, draw, vectors) -> None:
    bits = row.constant(0, numba.types.int32)
    with loop(0, vectors) as i:
        store(bits, dst, Stream(key, key_above, row, draw).upper(i), i)


@traced
def write_block(dst, a, b, c, d, key, key_above) -> None:
    for i, word in enumerate(philox((a, b, c, d), (key, key_above))):
        store_scalar(a, dst + 8 * i, word)


@numba.njit
def words_of(dst, key, key_above, row, draw, vectors):
    write_words(dst, key, key_above, row, draw, vectors)


@numba.njit
def block_of(dst, a, b, c, d, key, key_above):
    write_block(dst, a, b, c, d, key, key_above)


def as_signed(*given):
    return np.array(given, np.uint64).view(np.int64).tolist()


def test_a_block_is_numpys():
    random = np.random.default_rng(0)
    counters = [
        [0, 0, 0, 0],
        [LARGE - 1, LARGE, LARGE, LARGE],
        *random.integers(0, LARGE, (50, 4), np.uint64),
    ]
    keys = [[0, 0], [LARGE, LARGE], *random.integers(0, LARGE, (50, 2), np.uint64)]
    for given, key in zip(counters, keys, strict=True):
        counter, block = np.array(given, np.uint64), np.empty(4, np.uint64)
        expected = np.random.Philox(key=np.array(key, np.uint64), counter=counter).random_raw(4)
        counter[0] += 1  # NumPy counts before it makes a block
        block_of(block.ctypes.data, *as_signed(*counter), *as_signed(*key))
        np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize(("seed", "row", "draw"), [(0, 0, 0), (12345, 7, 3), (2**128 - 5, LARGE, 2**63 + 9)])
def test_words_are_numpys(plain, seed, row, draw):
    found = np.empty(16 * 50, np.uint32)
    words_of(found.ctypes.data, *as_signed(seed % 2**64, seed >> 64, row, draw), 50)
    np.testing.assert_array_equal(found, plain.words(found.size, seed, row, draw))


def test_numbers_are_exact(plain):
    found = gumbel_noise((3, 201), seed=9, rows=4, draw=2)
    for i, line in enumerate(found):
        with mpmath.workprec(120):
            for got, r in zip(line, plain.integers(201, 9, 4 + i, 2).tolist(), strict=True):
                exact = -mpmath.log(-mpmath.log(mpmath.mpf(2 * r + 1) / 2**53))
                assert abs(got - exact) <= mpmath.mpf(2) ** -52 * max(1, abs(exact))


def test_what_is_asked_for(plain):
    whole = gumbel_noise((2, 3, 10), seed=1)
    np.testing.assert_allclose(whole[1, 2], plain.noise(10, 1, 5).astype(float), rtol=1e-14)
    np.testing.assert_array_equal(gumbel_noise((3, 10), seed=1, rows=3), whole[1])
    np.testing.assert_array_equal(gumbel_noise((10,), seed=1, rows=5), whole[1, 2])
    np.testing.assert_array_equal(gumbel_noise((2, 10), seed=[1, 1], rows=[5, 0]), whole[[1, 0], [2, 0]])
    np.testing.assert_array_equal(gumbel_noise((2, 10), seed=[1, 1], rows=5), whole[[1, 1], [2, 2]])
    assert gumbel_noise((2, 0), seed=1).shape == (2, 0)
    assert gumbel_noise((0, 4), seed=1).shape == (0, 4)
    assert (gumbel_noise((50,)) != gumbel_noise((50,))).all()


def test_the_tail_is_at_its_rate():
    """In float32 noise nothing lies above 16.7."""
    found = gumbel_noise((1024, 2**14), seed=3)
    for bound in (2, 6, 9, 12):
        expected = found.size * -np.expm1(-np.exp(-bound))
        assert abs((found > bound).sum() - expected) < 5 * np.sqrt(expected)
    for bound in (-1, -2):
        expected = found.size * np.exp(-np.exp(-bound))
        assert abs((found < bound).sum() - expected) < 5 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": ()}, ValueError, "takes a shape with an axis of classes"),
        ({"shape": (3, -1)}, ValueError, "takes a shape from 0 on .*got -1"),
        ({"draw": -1}, ValueError, "takes a draw from 0 on"),
        ({"seed": -1}, ValueError, "takes a seed from 0 to 2.128 - 1 .*got -1"),
        ({"seed": 2**128}, ValueError, "takes a seed from 0"),
        ({"seed": 1.0}, TypeError, "as seed .*got float64"),
        ({"seed": [1, 2, 3]}, ValueError, r"one integer a row, of shape \(2,\), as seed .*got shape \(3,\)"),
        ({"seed": [1, -2]}, ValueError, "takes a seed of integers from 0 on .*got -2"),
        ({"rows": -1}, ValueError, "takes the number of the first row"),
        ({"rows": 2**64 - 1}, ValueError, "takes the number of the first row"),
        ({"rows": [0.5, 1]}, TypeError, "as rows .*got float64"),
    ],
)
def test_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        gumbel_noise(**{"shape": (2, 5)} | arguments)
