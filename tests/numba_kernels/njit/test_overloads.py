"""The operators inside jitted functions of a user's: the bits of the calls from Python, and the same refusals."""

import itertools

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.runtime import rtsys
from numba.core.runtime._nrt_python import memsys_disable_stats, memsys_enable_stats

from softops import numba_kernels as kernels

OPERATORS = ["softmax", "log_softmax", "hardmax", "logsumexp", "sigmoid"]


@pytest.fixture(scope="module")
def plain(compiled_by_user):
    return compiled_by_user()


def normal(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype) * np.dtype(dtype).type(5)


def assert_same_bits(actual, wanted):
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
    assert actual.tobytes() == wanted.tobytes()


def assert_as_in_python(functions, x):
    before = x.copy()
    for axis in range(-x.ndim, x.ndim):
        results = dict(zip(OPERATORS, functions.operators(x, axis), strict=True))
        for name, result in results.items():
            operator = getattr(kernels, name)
            assert_same_bits(result, operator(x) if name == "sigmoid" else operator(x, axis))
            assert not np.shares_memory(result, x)
    assert_same_bits(x, before)


SHAPES = [
    (1, 1),
    (1, 40),
    (40, 1),
    (7, 9),
    (5, 100),
    (300, 3),
    (3, 300),
    (33, 65),
    (2, 40000),
    (0, 3),
    (3, 0),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_c_order(plain, shape):
    assert_as_in_python(plain, normal(shape, np.float32))


def test_any_order(plain):
    """Steps of every sign and order, gaps, repeats: arrays whose type tells nothing."""
    x = normal((3, 17, 20), np.float64)
    for order in itertools.permutations(range(3)):
        turned = x.transpose(order).copy().transpose(np.argsort(order))
        for steps in itertools.product((1, -1), repeat=3):
            flipped = turned[tuple(slice(None, None, step) for step in steps)]
            if not (flipped.flags.c_contiguous or flipped.flags.f_contiguous):
                assert_as_in_python(plain, flipped)
    assert_as_in_python(plain, x[::2, 1::3, ::2])
    assert_as_in_python(plain, x[:, :, 3:4][:, ::2])
    assert_as_in_python(plain, np.lib.stride_tricks.as_strided(x, (3, 17, 20), (0, 8, 160)))
    assert_as_in_python(plain, x[::2, :0])


@pytest.mark.parametrize("shape", [(4, 50), (40, 3), (1, 30)], ids=str)
def test_fortran_order_is_kept(plain, shape):
    x = np.asfortranarray(normal(shape, np.float32))
    for axis in (0, 1, -1, -2):
        result = plain.softmax_of(x, axis)
        assert_same_bits(result, kernels.softmax(x, axis))
        assert result.flags.f_contiguous


def test_rank_1_and_4_and_read_only(plain):
    x = normal((2, 3, 4, 50), np.float32)
    x.flags.writeable = False
    for axis in range(-4, 4):
        assert_same_bits(plain.softmax_of(x, axis), kernels.softmax(x, axis))
    assert_same_bits(plain.softmax_of(x[0, 0, 0], 0), kernels.softmax(x[0, 0, 0]))


def test_sums(plain):
    x = normal((5, 70), np.float64)
    kept, one = plain.sums(x)
    assert_same_bits(kept, kernels.logsumexp(x, 0, keepdims=True))
    assert_same_bits(one, kernels.logsumexp(x[0]))


def test_element_by_element(plain):
    x = normal((3, 50), np.float32)
    log_sigmoid, softplus = plain.elements(x)
    assert_same_bits(log_sigmoid, kernels.log_sigmoid(x))
    assert_same_bits(softplus, kernels.softplus(x))
    assert plain.sigmoid_of(-0.3) == kernels.sigmoid(np.float64(-0.3))
    assert plain.sigmoid_of(np.float32(7)) == kernels.sigmoid(np.float32(7))


@pytest.mark.parametrize("x", [normal((3, 50), np.float64), np.float64(-0.7)], ids=["array", "number"])
def test_activations(plain, x):
    names = ("tanh", "erf", "mish", "hard_swish")
    for name, result in zip(names, plain.activations(x), strict=True):
        assert_same_bits(np.asarray(result), np.asarray(getattr(kernels, name)(x)))


def test_a_result_that_fits_is_written_where_it_belongs(plain):
    """No more is allocated than without `out`: Numba makes a note of each array that is given, or is made."""
    x = normal((6, 40), np.float32)

    def allocated(out):
        plain.softmax_into(x, -1, out)
        before = rtsys.get_allocation_stats().alloc
        plain.softmax_into(x, -1, out)
        return rtsys.get_allocation_stats().alloc - before

    memsys_enable_stats()
    try:
        without, apart, in_place = allocated(None), allocated(np.empty_like(x)), allocated(x)
    finally:
        memsys_disable_stats()
    assert apart == in_place == without


def test_out(plain):
    x = normal((6, 40), np.float32)
    wanted = kernels.softmax(x, 0)
    out = np.empty_like(x)
    assert plain.softmax_into(x, 0, out) is not None
    assert_same_bits(out, wanted)
    same = x.copy()
    plain.softmax_into(same, 0, same)
    assert_same_bits(same, wanted)
    assert_same_bits(plain.softmax_into(x, 0, None), wanted)
    memory = np.zeros(300, np.float32)  # shifted by seven numbers: neither the same nor apart
    source, target = memory[:240].reshape(6, 40), memory[7:247].reshape(6, 40)
    source[...] = x
    plain.softmax_into(source, 0, target)
    assert_same_bits(target, wanted)
    wide = np.full((6, 80), 9, np.float32)
    plain.softmax_into(x, 0, wide[:, ::2])
    assert_same_bits(wide[:, ::2], wanted)
    assert (wide[:, 1::2] == 9).all()
    out[:] = 9
    with pytest.raises(ValueError, match="softmax gives a result of the shape of x"):
        plain.softmax_into(x, 0, out[:3])
    assert (out == 9).all()


@pytest.mark.parametrize("axis", [2, -3, 100])
def test_axis_out_of_bounds(plain, axis):
    message = "softmax: axis is out of bounds; an array of rank 2 has axes from -2 to 1"
    with pytest.raises(ValueError, match=message):
        plain.softmax_of(normal((2, 3), np.float32), axis)


REFUSED = [
    (
        np.arange(3),
        0,
        r"softmax takes float32 or float64 inside jitted code \(got int64\); convert with x.astype",
    ),
    (np.zeros(3, np.float16), 0, r"softmax takes float32 or float64 inside jitted code \(got float16\)"),
    (np.zeros(3, complex), 0, r"got complex128"),
    (
        (1.0, 2.0),
        0,
        r"softmax takes an array inside jitted code \(got UniTuple\(float64 x 2\)\); pass np.asarray",
    ),
    (np.array(1.0), 0, r"softmax works along an axis and takes an array of rank 1 or more \(got a scalar\)"),
    (np.zeros(3), 0.5, r"softmax works along one axis inside jitted code, an integer \(got float64\)"),
]


@pytest.mark.parametrize(("x", "axis", "message"), REFUSED)
def test_refused_while_compiling(plain, x, axis, message):
    with pytest.raises(TypingError, match=message):
        plain.softmax_of(x, axis)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros(3, np.float32), r"softmax gives float64 of rank 1 \(got out: array\(float32, 1d, C\)\)"),
        (np.zeros((3, 1)), "got out: array"),
        (np.broadcast_to(0.0, 3), r"softmax writes to out \(got a read-only array\)"),
    ],
)
def test_refused_out(plain, out, message):
    with pytest.raises(TypingError, match=message):
        plain.softmax_into(np.zeros(3), 0, out)


def test_the_last_axis_is_the_default():
    x = normal((2, 3, 40), np.float32)
    alone = numba.njit(lambda x: kernels.softmax(x))
    assert_same_bits(alone(x), kernels.softmax(x, 2))
