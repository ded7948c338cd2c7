"""An array gives the same bits however it lies in memory, and `out` gets them however it lies."""

import itertools
import tracemalloc

import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.conformance import ulp_distance

ALONG_AN_AXIS = ["softmax", "log_softmax", "hardmax", "logsumexp", "softmax_grad"]
SHAPES = [(7,), (3, 18), (2, 5, 20), (3, 2, 4, 17), (2, 3, 1, 5, 4)]


def normal(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype) * dtype.type(5)


def along(name, x, axis, **options):
    """The operator by name; the gradient gets `x` for both of its arguments, which is as good as any."""
    operator = getattr(kernels, name)
    return operator(x, x, axis, **options) if name == "softmax_grad" else operator(x, axis, **options)


def expected(name, x, axis):
    """Row by row, each row a fresh contiguous array."""
    rows = np.moveaxis(x, axis, -1)
    lead = rows.shape[:-1]
    results = [along(name, rows[i].copy(), 0) for i in np.ndindex(lead)]
    if name == "logsumexp":
        return np.array(results, x.dtype).reshape(lead)
    return np.moveaxis(np.array(results, x.dtype).reshape(rows.shape), -1, axis)


def assert_same_bits(actual, wanted):
    assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
    assert actual.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_every_axis(name, shape, dtype):
    x = normal(shape, dtype)
    before = x.copy()
    for axis in range(-len(shape), len(shape)):
        result = along(name, x, axis)
        assert_same_bits(np.asarray(result), expected(name, x, axis))
        assert not np.shares_memory(result, x)
    assert_same_bits(x, before)


def unusual(x, tmp_path):
    """Arrays equal to `x` (rank 3) that lie in memory in every way but the usual one."""
    yield "Fortran", np.asfortranarray(x)
    for steps in itertools.product((1, -1), repeat=x.ndim):
        flips = tuple(slice(None, None, step) for step in steps)
        yield f"steps {steps}", x[flips].copy()[flips]
    for order in itertools.permutations(range(x.ndim)):
        back = np.argsort(order)
        yield f"axes {order}", x.transpose(order).copy().transpose(back)
    wide = np.full((*x.shape[:-1], x.shape[-1] * 3), 99, x.dtype)
    wide[..., ::3] = x
    yield "every third", wide[..., ::3]
    wide = np.full((x.shape[0], x.shape[1] + 2, x.shape[2] + 5), 99, x.dtype)
    wide[:, 1:-1, 2:-3] = x
    yield "a window", wide[:, 1:-1, 2:-3]
    fixed = x.copy()
    fixed.flags.writeable = False
    yield "read-only", fixed
    room = np.zeros(x.nbytes + 1, np.uint8)
    odd = room[1:].view(x.dtype).reshape(x.shape)
    odd[...] = x
    assert not odd.flags.aligned
    yield "misaligned", odd
    yield "from bytes", np.frombuffer(b"!" + x.tobytes(), x.dtype, offset=1).reshape(x.shape)
    np.save(tmp_path / "x.npy", x)
    yield "memory-mapped", np.load(tmp_path / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_any_layout(name, axis, dtype, tmp_path):
    x = normal((3, 17, 20), dtype)
    wanted = along(name, x, axis)
    for how, array in unusual(x, tmp_path):
        result = along(name, array, axis)
        # rows and columns of memory are summed in another order: each is within its bound of the exact value
        assert ulp_distance(result, wanted).max() <= 2, how
        assert type(result) is np.ndarray, how


def test_sigmoid_any_layout(dtype, tmp_path):
    x = normal((3, 17, 20), dtype)
    for how, array in unusual(x, tmp_path):
        assert kernels.sigmoid(array).tobytes() == kernels.sigmoid(x).tobytes(), how
    for scalar in (x[0, 0, 0], np.asarray(x[0, 0, 0])):
        assert kernels.sigmoid(scalar) == kernels.sigmoid(x)[0, 0, 0]


@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_broadcast(name, dtype):
    row, column = normal((1, 18), dtype), normal((5, 1), dtype)
    for x in (
        np.broadcast_to(row, (4, 5, 18)),
        np.broadcast_to(column, (5, 18)),
        np.broadcast_to(row[0, :1], (3, 4)),
    ):
        for axis in range(x.ndim):
            # a line may be taken as a column here and as a row there, see above
            assert ulp_distance(np.asarray(along(name, x, axis)), expected(name, x, axis)).max() <= 2


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", [*ALONG_AN_AXIS, "sigmoid"])
def test_out(name, axis, dtype, tmp_path):
    x = normal((3, 17, 20), dtype)
    call = (
        (lambda **o: kernels.sigmoid(x, **o))
        if name == "sigmoid"
        else (lambda **o: along(name, x, axis, **o))
    )
    wanted = call()
    for how, out in unusual(np.zeros_like(wanted), tmp_path) if wanted.ndim == 3 else [("plain", wanted * 0)]:
        if out.flags.writeable:
            assert call(out=out) is out
            np.testing.assert_array_equal(out, wanted, err_msg=how)
    room = np.full((*wanted.shape[:-1], wanted.shape[-1] + 4), 7, dtype)
    call(out=room[..., 2:-2])
    assert (room[..., :2] == 7).all()
    assert (room[..., -2:] == 7).all()


def test_out_of_logsumexp_keeps_dimensions(dtype):
    x = normal((3, 4, 5), dtype)
    for axis, shape in ((0, (1, 4, 5)), (1, (3, 1, 5)), (-1, (3, 4, 1))):
        out = np.empty(shape, dtype)
        assert kernels.logsumexp(x, axis, keepdims=True, out=out) is out
        np.testing.assert_array_equal(out.squeeze(axis), kernels.logsumexp(x, axis))
    out = np.empty((), dtype)
    assert kernels.logsumexp(x[0, 0], out=out) is out
    assert out == kernels.logsumexp(x[0, 0])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax", "sigmoid"])
def test_in_place_and_overlapping(name, axis, dtype):
    """What is written is the result for what was there before, however the two overlap."""
    for shape in ((40, 50), (2, 1000), (50, 3)):
        start = normal(shape, dtype)
        overlaps = [(np.s_[:], np.s_[:]), (np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])]
        overlaps += [(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[::-1], np.s_[:])]
        overlaps += [(np.s_[:, ::-1], np.s_[:]), (np.s_[:, ::-1], np.s_[:, ::-1])]
        for source, target in overlaps:
            buffer = start.copy()
            options = {} if name == "sigmoid" else {"axis": axis}
            wanted = getattr(kernels, name)(buffer[source].copy(), **options)
            getattr(kernels, name)(buffer[source], **options, out=buffer[target])
            np.testing.assert_array_equal(buffer[target], wanted)
        flat = start.ravel().copy()
        size = flat.size - shape[1]
        wanted = getattr(kernels, name)(start[:-1], **options)
        for shift in (1, shape[1] - 1):  # rows that begin inside other rows
            buffer = start.ravel().copy()
            source = buffer[:size].reshape(-1, shape[1])
            getattr(kernels, name)(source, **options, out=buffer[shift : shift + size].reshape(-1, shape[1]))
            np.testing.assert_array_equal(buffer[shift : shift + size].reshape(wanted.shape), wanted)


def test_transposed_in_place(dtype):
    buffer = normal((30, 30), dtype)
    wanted = kernels.softmax(buffer.T.copy(), axis=-1)
    kernels.softmax(buffer.T, axis=-1, out=buffer)
    # columns here, rows there, see above
    assert ulp_distance(buffer, wanted).max() <= 2


def test_softmax_grad_over_either_argument(dtype):
    for shape in ((4, 7), (40, 1000)):
        y, dy = kernels.softmax(normal(shape, dtype)), normal(shape, dtype, 1)
        wanted = kernels.softmax_grad(dy, y)
        for target in (0, 1):
            both = [dy.copy(), y.copy()]
            assert kernels.softmax_grad(*both, out=both[target]) is both[target]
            assert_same_bits(both[target], wanted)
        buffer = np.stack([dy, y]).ravel()
        half = dy.size
        parts = buffer[:half].reshape(shape), buffer[half:].reshape(shape)
        out = buffer[half // 2 : half // 2 + half].reshape(shape)  # half over the one, half over the other
        assert_same_bits(kernels.softmax_grad(*parts, out=out), wanted)
        for a, b in ((dy.T.copy().T, y), (dy[::-1].copy()[::-1], np.asfortranarray(y))):
            assert_same_bits(kernels.softmax_grad(a, b), wanted)


class OnlyDLPack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OnlyArray:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("wrap", [OnlyDLPack, OnlyArray])
def test_objects_that_hold_arrays(wrap, dtype):
    x = normal((3, 18), dtype)
    for name in ALONG_AN_AXIS:
        assert_same_bits(along(name, wrap(x), -1), along(name, x, -1))
    assert_same_bits(kernels.sigmoid(wrap(x)), kernels.sigmoid(x))
    assert kernels.cross_entropy(wrap(x), wrap(np.array([0, 5, 17]))) == kernels.cross_entropy(x, [0, 5, 17])


def test_lists():
    rows = [[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]]
    for name in ALONG_AN_AXIS:
        assert_same_bits(along(name, rows, 0), along(name, np.array(rows), 0))
    assert_same_bits(kernels.sigmoid(rows), kernels.sigmoid(np.array(rows)))
    assert kernels.cross_entropy(rows, [0, 2]) == kernels.cross_entropy(np.array(rows), np.array([0, 2]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cross_entropy_any_layout(axis, dtype, tmp_path):
    x = normal((3, 17, 20), dtype)
    labels = np.argmin(x, axis)
    wanted = kernels.cross_entropy(x, labels, axis=axis, reduction="none")
    by_row = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]).copy()
    rows = kernels.cross_entropy(by_row, labels.ravel(), reduction="none")
    assert_same_bits(wanted, rows.reshape(labels.shape))
    for how, array in unusual(x, tmp_path):
        result = kernels.cross_entropy(array, labels[...], axis=axis, reduction="none")
        assert result.tobytes() == wanted.tobytes(), how


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax"])
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.usefixtures("steady_threads")
def test_a_result_that_fits_is_written_where_it_belongs(name, axis, in_place):
    x = normal((40, 50, 60), np.dtype(np.float32))
    out = x if in_place else np.empty_like(x)
    for _ in range(3):  # compiled, the short way too
        along(name, x.copy(), axis, out=np.empty_like(x))
    tracemalloc.start()
    along(name, x, axis, out=out)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < x.nbytes / 4
