"""linear_softmax and linear_log_softmax against extended precision, within the product's bound and the operator's."""

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import linear_log_softmax, linear_softmax
from softops.opset import reference

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def made(shape, classes, dtype, weight_dtype=None, seed=0):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=shape), rng.normal(size=(classes, shape[-1]))
    return x.astype(dtype), weight.astype(weight_dtype or dtype), rng.normal(size=classes).astype(dtype)


def exact(x, weight, bias, temperature=1.0):
    """The scores in extended precision, and how far those computed may be off."""
    wide = [np.asarray(a, np.longdouble) for a in (x, weight, bias)]
    scores = wide[0] @ wide[1].T + wide[2]
    size = np.abs(wide[0]) @ np.abs(wide[1]).T + np.abs(wide[2])
    unit = 2.0**-53 if x.dtype == np.float64 else 2.0**-24
    return scores / temperature, size * unit * (x.shape[-1] + 2) / temperature


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "classes"), [((5, 40), 7), ((2, 3, 33), 100), ((60, 64), 10), ((20,), 300)]
)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_probabilities(shape, classes, dtype, temperature):
    x, weight, bias = made(shape, classes, dtype)
    scores, off = exact(x, weight, bias, temperature)
    p = linear_softmax(x, weight, bias, temperature=temperature)
    log_p = linear_log_softmax(x, weight, bias, temperature=temperature)
    assert p.dtype == log_p.dtype == x.dtype
    assert p.shape == log_p.shape == (*shape[:-1], classes)
    shift = 2 * off.max(axis=-1, keepdims=True)
    unit = float(np.finfo(dtype).eps if dtype != ml_dtypes.bfloat16 else 2.0**-7)
    right = reference.softmax(scores)
    tiny = float(ml_dtypes.finfo(dtype).smallest_subnormal)
    assert (np.abs(p - right) <= right * (np.expm1(shift) + 2 * unit) + tiny).all()
    right = reference.log_softmax(scores)
    assert (np.abs(log_p - right) <= shift + 2 * unit * np.abs(right) + tiny).all()


@pytest.mark.parametrize("weight_dtype", [np.float16, ml_dtypes.bfloat16])
def test_halves_as_weights_are_widened_without_rounding(weight_dtype):
    x, weight, bias = made((9, 500), 130, np.float32, weight_dtype)
    assert np.array_equal(linear_softmax(x, weight, bias), linear_softmax(x, weight.astype(np.float32), bias))


def test_out_and_no_bias():
    x, weight, _ = made((4, 6, 8), 5, np.float32)
    plain = linear_softmax(x, weight)
    assert np.array_equal(plain, linear_softmax(x, weight, np.zeros(5, np.float32)))
    for out in (np.empty_like(plain), np.empty((4, 5, 6), np.float32).transpose(0, 2, 1)):
        assert linear_softmax(x, weight, out=out) is out
        assert np.array_equal(out, plain)
    halves = np.empty(plain.shape, np.float16)
    assert linear_softmax(x.astype(np.float16), weight, out=halves) is halves
    assert np.array_equal(halves, linear_softmax(x.astype(np.float16), weight))


def test_lists_strides_and_empty_arrays():
    x, weight, bias = made((6, 10), 4, np.float64)
    plain = linear_softmax(x, weight, bias)
    assert np.array_equal(plain, linear_softmax(x.tolist(), weight.tolist(), bias.tolist()))
    assert np.array_equal(plain[::-2], linear_softmax(x[::-2], np.asfortranarray(weight), bias))
    assert linear_softmax(x[:0], weight).shape == (0, 4)
    assert linear_softmax(x, weight[:0]).shape == (6, 0)
    assert np.array_equal(linear_softmax(x[:, :0], weight[:, :0]), np.full((6, 4), 0.25))


def test_odd_numbers_stay_in_their_row():
    x, weight, bias = made((40, 20), 9, np.float32)
    plain = linear_softmax(x, weight, bias)
    x[3, 0], x[30, 1] = np.nan, np.inf
    odd = linear_softmax(x, weight, bias)
    assert np.isnan(odd[[3, 30]]).all()
    odd[[3, 30]] = plain[[3, 30]]
    assert np.array_equal(odd, plain)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            ((2, 3), (4, 5)),
            ValueError,
            "weight of shape (classes, features) (got (2, 3) and (4, 5)); a weight of",
        ),
        (((2, 3), (3,)), ValueError, "(got (2, 3) and (3,))"),
        (((), (4, 5)), ValueError, "(got () and (4, 5))"),
        (((2, 3), (4, 3), (3,)), ValueError, "a bias for each class, of shape (4,) (got (3,))"),
    ],
)
def test_shapes_that_do_not_fit(arguments, error, words):
    with pytest.raises(error) as refused:
        linear_softmax(*map(np.zeros, arguments))
    assert words in str(refused.value)


def test_dtypes_that_do_not_fit():
    x, weight, bias = made((2, 3), 4, np.float32)
    with pytest.raises(
        TypeError, match=r"both in float64, or neither \(got float32 and float64\); convert one"
    ):
        linear_softmax(x, weight.astype(np.float64))
    with pytest.raises(TypeError, match=r"computes in float32 and takes no float64 bias"):
        linear_softmax(x, weight, bias.astype(np.float64))
    with pytest.raises(
        TypeError, match=r"linear_log_softmax takes float16, bfloat16, float32 or float64 \(got int64\)"
    ):
        linear_log_softmax(x.astype(np.int64), weight)
    with pytest.raises(ValueError, match="temperature"):
        linear_softmax(x, weight, temperature=0.0)
    out = np.full((2, 5), 7, np.float32)
    with pytest.raises(ValueError, match=r"of shape \(2, 4\)"):
        linear_softmax(x, weight, out=out)
    assert (out == 7).all()
