"""Loads and stores of every kind: halves converted and rounded as NumPy and ml_dtypes do, no byte beside touched."""

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import vector
from softops.numba_kernels.vector import KINDS, load, loop, store

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
every_kind = pytest.mark.parametrize("dtype", list(KINDS), ids=str)


def lanes_of(dtype):
    return 64 // max(dtype.itemsize, 4)


@every_kind
def test_what_a_kind_is(run, dtype):
    """As constants: numbers of Python's, known while the code is written."""
    told = {}

    def work(kind, dst, sources, n):
        told.update(
            lanes=vector.lanes(kind),
            itemsize=vector.itemsize(kind),
            half=vector.is_half(kind),
            bytes=vector.vector_bytes(kind),
            computed=vector.itemsize(vector.compute_kind(kind)),
        )

    run(work, dtype, np.empty(1))
    half = dtype in HALVES
    assert told == {
        "lanes": lanes_of(dtype),
        "itemsize": dtype.itemsize,
        "half": half,
        "bytes": lanes_of(dtype) * dtype.itemsize,
        "computed": 4 if half else dtype.itemsize,
    }


@every_kind
def test_vectors_at_any_address(run, dtype):
    """Vector i, and addresses that no alignment holds for."""
    count = lanes_of(dtype)
    x = np.arange(4 * count).astype(dtype)
    out = np.zeros(4 * count * dtype.itemsize + 3, np.uint8)

    def work(kind, dst, sources, n):
        store(kind, dst + 3, load(kind, sources[0]))
        with loop(1, n) as i:
            store(kind, dst + 3, load(kind, sources[0], i), i)

    run(work, dtype, out, x, count=4)
    np.testing.assert_array_equal(out, [0, 0, 0, *x.view(np.uint8)])


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_half_is_loaded_right(run, dtype):
    x = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(dtype)
    out = np.empty(65536, np.float32)

    def work(kind, dst, sources, n):
        with loop(0, n) as i:
            store(vector.compute_kind(kind), dst, load(kind, sources[0], i), i)

    run(work, dtype, out, x, count=65536 // 16)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out, x.astype(np.float32))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_halves_are_rounded_to_nearest(run, dtype):
    """Every half, and what lies a hair below, on and above the middle between it and the next."""
    halves = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        wide = halves.astype(np.float32)
        middle = (wide[:-1].astype(np.float64) + wide[1:]) / 2
        middle = np.where(np.isfinite(middle), middle, 1.0).astype(np.float32)
        sides = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, np.inf)]
        x = np.concatenate([wide, middle, *sides, np.full(3, 3e38, np.float32)])
        expected = x.astype(dtype)
    out = np.empty(x.size, dtype)

    def work(kind, dst, sources, n):
        with loop(0, n) as i:
            store(kind, dst, load(vector.compute_kind(kind), sources[0], i), i)

    assert x.size % 16 == 0
    run(work, dtype, out, x, count=x.size // 16)
    nan = np.isnan(expected.astype(np.float32))
    np.testing.assert_array_equal(np.isnan(out.astype(np.float32)), nan)
    np.testing.assert_array_equal(out.view(np.uint16)[~nan], expected.view(np.uint16)[~nan])


@every_kind
def test_less_than_a_vector(run, dtype):
    """The first numbers alone are read and written; the other lanes hold the fill."""
    full = lanes_of(dtype)
    x = np.arange(1, full + 1).astype(dtype)
    for count in range(full + 1):
        out = np.full(2 * full, 99).astype(dtype)

        def work(kind, dst, sources, n):
            value = vector.load_partial(kind, sources[0], n, -7.0)
            store(kind, dst, value)
            vector.store_partial(kind, dst + full * dtype.itemsize, value, n)

        run(work, dtype, out, x[:count].copy(), count=count)
        expected = [*x[:count], *[-7] * (full - count), *x[:count], *[99] * (full - count)]
        np.testing.assert_array_equal(out.astype(np.float64), np.array(expected, np.float64))


def test_what_lies_behind_is_not_read(run):
    """A vector whose other lanes would lie on a page that is not there."""
    import mmap

    memory = mmap.mmap(-1, mmap.PAGESIZE)
    page = np.frombuffer(memory, np.float32)
    page[-3:] = 1, 2, 3
    out = np.empty(16, np.float32)

    def work(kind, dst, sources, n):
        store(kind, dst, vector.load_partial(kind, sources[0] + (mmap.PAGESIZE - 12), n, 0.0))

    run(work, np.float32, out, page, count=3)
    np.testing.assert_array_equal(out, [1, 2, 3, *[0] * 13])


@every_kind
def test_single_numbers(run, dtype):
    x, out = np.array([0.1, 3.7, -2.5]).astype(dtype), np.zeros(3).astype(dtype)

    def work(kind, dst, sources, n):
        size = vector.itemsize(kind)
        with loop(0, n) as i:
            number = vector.load_scalar(kind, sources[0] + i * size)
            vector.store_scalar(kind, dst + i * size, number + number)
        vector.store_scalar(kind, dst + (n - 1) * size, 0.1)

    run(work, dtype, out, x, count=3)
    np.testing.assert_array_equal(out, np.array([2 * x[0], 2 * x[1], dtype.type(0.1)], dtype))


@pytest.mark.parametrize("scratch", ["stack_scratch", "chunk_scratch"])
def test_scratch_is_room_for_as_many_vectors_as_it_says(run, scratch):
    x, out = np.arange(16, dtype=np.float32), np.zeros((64, 16), np.float32)
    assert vector.CHUNK == 64

    def work(kind, dst, sources, n):
        given = (kind,) if scratch == "stack_scratch" else (kind, sources[0])
        place = getattr(vector, scratch)(*given)
        with loop(0, n) as i:
            store(kind, place, load(kind, sources[0]) + vector.splat(kind, i), i)
        with loop(0, n) as i:
            store(kind, dst, load(kind, place, i), i)

    run(work, np.float32, out, x, count=64)
    np.testing.assert_array_equal(out, x + np.arange(64)[:, None])


def test_a_prefetch_of_nothing_does_nothing(run):
    def work(kind, dst, sources, n):
        vector.prefetch(n)
        vector.prefetch(dst)
        store(kind, dst, load(kind, sources[0]))

    x = np.arange(16, dtype=np.float32)
    np.testing.assert_array_equal(run(work, np.float32, np.zeros(16, np.float32), x), x)
