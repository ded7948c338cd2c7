"""The gradients of sparsemax and entmax: the formula in longdouble, and slopes of the functions themselves."""

import functools

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import (
    entmax,
    entmax15,
    entmax15_grad,
    entmax_grad,
    softmax,
    softmax_grad,
    sparsemax,
    sparsemax_grad,
)

NAN, INF = np.nan, np.inf
FAMILY = {
    "sparsemax": (2, sparsemax, sparsemax_grad),
    "entmax15": (1.5, entmax15, entmax15_grad),
    "entmax": (
        1.25,
        functools.partial(entmax, alpha=1.25),
        lambda dy, y, axis=-1, *, out=None: entmax_grad(dy, y, 1.25, axis, out=out),
    ),
}
ALL = pytest.mark.parametrize(("alpha", "operator", "gradient"), FAMILY.values(), ids=FAMILY)


def expected(dy, y, alpha):
    """(the gradient, its largest term) of rows, in longdouble."""
    dy, y = dy.astype(np.longdouble), y.astype(np.longdouble)
    s = np.where(y > 0, y ** np.longdouble(2 - alpha), 0)
    mean = (s * dy).sum(-1, keepdims=True) / s.sum(-1, keepdims=True)
    return s * (dy - mean), np.maximum(abs(s * dy), abs(s * mean))


@ALL
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_exact(alpha, operator, gradient, name):
    dtype = np.dtype(name)
    random = np.random.default_rng(0)
    for n in (1, 3, 17, 200, 9000):
        for scale in (0.01, 1, 5):
            y = operator((random.standard_normal((4, n)) * scale).astype(dtype))
            dy = (random.standard_normal((4, n)) + 2).astype(dtype)
            wanted, term = expected(dy, y, alpha)
            unit = np.spacing(np.maximum(term, ml_dtypes.finfo(dtype).tiny).astype(dtype)).astype(
                np.longdouble
            )
            bound = 1
            if dtype == np.float64:
                bound = 2 - np.log(y[y > 0].min()) if alpha == 1.25 else 2
            assert np.max(abs(gradient(dy, y).astype(np.longdouble) - wanted) / unit) <= bound
            assert not gradient(dy, y)[y == 0].any()


@ALL
def test_it_is_the_slope(alpha, operator, gradient):
    """Where no class is at the edge of the support."""
    random = np.random.default_rng(1)
    x, dy, step = random.standard_normal((4, 6)), random.standard_normal((4, 6)), 1e-6
    actual = gradient(dy, operator(x))
    for i in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[i] = step
        slope = (dy * (operator(x + moved) - operator(x - moved))).sum() / (2 * step)
        np.testing.assert_allclose(actual[i], slope, atol=1e-7)


@ALL
def test_special_values(alpha, operator, gradient, dtype):
    y = np.array([[0.5, 0.5, 0], [0.5, NAN, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]], dtype)
    dy = np.array([[1, 2, NAN], [1, 2, 3], [NAN, 1, 2], [INF, 1, 2], [1, 2, 3]], dtype)
    result = gradient(dy, y)
    s = 0.5 ** (2 - alpha)
    np.testing.assert_allclose(result[0], [-s / 2, s / 2, 0], rtol=1e-6)
    assert np.isnan(result[1]).all()
    assert np.isnan(result[2, :2]).all()
    assert result[2, 2] == 0
    assert np.isnan(result[3, 0])
    assert result[3, 1] == -INF
    assert not result[4].any()


@ALL
def test_axes_out_and_threads(alpha, operator, gradient, dtype, threads):
    random = np.random.default_rng(2)
    y, dy = operator(random.standard_normal((6, 20, 14)).astype(dtype)), random.standard_normal((6, 20, 14))
    dy = dy.astype(dtype)
    wanted = gradient(dy, y)
    for axis in range(3):
        moved = [np.moveaxis(each, -1, axis) for each in (dy, y)]
        np.testing.assert_array_equal(np.moveaxis(gradient(*moved, axis), axis, -1), wanted)
    for own in (dy.copy(), y.copy()):
        result = gradient(dy if own[0, 0, 0] != dy[0, 0, 0] else own, y, out=own)
        assert result is own
    flat = gradient(dy.reshape(6, -1), y.reshape(6, -1)).reshape(y.shape)
    np.testing.assert_array_equal(gradient(dy, y, (1, 2)), flat)
    long = [np.resize(each, (1, 70_000)) for each in (dy, y)]
    together = gradient(*long)
    threads(1)
    np.testing.assert_array_equal(gradient(*long), together)


def test_relatives_of_entmax(dtype):
    random = np.random.default_rng(3)
    x, dy = random.standard_normal((4, 30)).astype(dtype), random.standard_normal((4, 30)).astype(dtype)
    for alpha, operator, gradient in (
        (1, softmax, softmax_grad),
        (1.5, entmax15, entmax15_grad),
        (2, sparsemax, sparsemax_grad),
    ):
        y = operator(x)
        np.testing.assert_array_equal(entmax_grad(dy, y, alpha), gradient(dy, y))
        beside = 1 + 1e-14 if alpha == 1 else alpha - 1e-14
        np.testing.assert_allclose(
            entmax_grad(dy, y, beside), gradient(dy, y), atol=np.finfo(dtype).eps * 256, rtol=0
        )


@ALL
def test_refusals(alpha, operator, gradient):
    with pytest.raises(TypeError, match="two arrays of one dtype"):
        gradient(np.ones(3, np.float32), np.ones(3, ml_dtypes.bfloat16))
    with pytest.raises(ValueError, match="two arrays of one shape"):
        gradient(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="alpha from 1"):
        entmax_grad(np.ones(3), np.ones(3), 2.5)
