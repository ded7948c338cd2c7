"""Several axes, all of them, and scalars: what the operators give for one axis of an array laid out anew."""

import numpy as np
import pytest
from numpy.exceptions import AxisError

from softops import numba_kernels as kernels

X = np.random.default_rng(5).standard_normal((2, 3, 4, 5)).astype(np.float32)
AXES = [(1, 2), (0, 2), (-1, 0), (3, 1, 2), (2,), (), None, (0, 1, 2, 3)]
ONE = ["softmax", "log_softmax", "hardmax", "sparsemax", "entmax15"]
TWO = ["softmax_grad", "log_softmax_grad"]


def as_rows(x, axes):
    """(rows, and what brings them back): the axes one after another in their order, as in C order."""
    axes = tuple(range(x.ndim)) if axes is None else tuple(sorted(d % x.ndim for d in axes))
    kept = [d for d in range(x.ndim) if d not in axes]
    order = [*kept, *axes]
    turned = x.transpose(order)
    rows = turned.reshape([x.shape[d] for d in kept] + [int(np.prod([x.shape[d] for d in axes]))])
    return rows, lambda y: y.reshape(turned.shape).transpose(np.argsort(order))


@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_several_axes(name, axes):
    operator = getattr(kernels, name)
    arrays = (X,) if name in ONE else (X[..., ::-1], np.asfortranarray(abs(X)))
    back = as_rows(arrays[0], axes)[1]
    expected = back(operator(*(np.ascontiguousarray(as_rows(x, axes)[0]) for x in arrays)))
    actual = operator(*arrays, axes)
    assert actual.shape == X.shape
    np.testing.assert_array_equal(actual, expected)
    out = np.empty_like(X, order="F")
    assert operator(*arrays, axes, out=out) is out
    np.testing.assert_array_equal(out, expected)
    in_place = arrays[0].copy()
    operator(in_place, *arrays[1:], axes, out=in_place)
    np.testing.assert_array_equal(in_place, expected)


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_softmax_over_several_axes_sums_to_one(axes):
    """Against the definition."""
    e = np.exp(X.astype(np.float64))
    expected = e / e.sum(axes, keepdims=True)
    np.testing.assert_allclose(kernels.softmax(X, axes), expected, rtol=2e-7)
    np.testing.assert_allclose(kernels.log_softmax(X, axes), np.log(expected), rtol=2e-7, atol=1e-7)


@pytest.mark.parametrize("axes", [(1, 2), (-1, 0), None], ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_options_over_several_axes(name, axes):
    mask = np.random.default_rng(6).random((3, 1, 5)) < 0.6
    operator = getattr(kernels, name)
    rows, back = as_rows(X, axes)
    masks = as_rows(np.broadcast_to(mask, X.shape), axes)[0]
    expected = back(operator(rows, where=masks, temperature=2.5))
    np.testing.assert_array_equal(operator(X, axes, where=mask, temperature=2.5), expected)


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_stats_over_several_axes(axes):
    largest, total = kernels.softmax_stats(X, axes)
    rows, _ = as_rows(X, axes)
    expected = kernels.softmax_stats(rows)
    np.testing.assert_array_equal(largest, expected[0])
    np.testing.assert_array_equal(total, expected[1])


@pytest.mark.parametrize("name", [*ONE, *TWO, "logsumexp", "softmax_stats"])
def test_wrong_axes(name):
    arrays = (X, X) if name in TWO else (X,)
    operator = getattr(kernels, name)
    with pytest.raises(ValueError, match="repeated axis"):
        operator(*arrays, (1, 1))
    with pytest.raises(ValueError, match="repeated axis"):
        operator(*arrays, (1, -3))
    with pytest.raises(AxisError):
        operator(*arrays, (0, 4))
    with pytest.raises(TypeError):
        operator(*arrays, (0, "1"))


@pytest.mark.parametrize("scalar", [np.float32(3), np.array(-2.0), 3.5], ids=repr)
@pytest.mark.parametrize("axis", [-1, 0, None, ()])
def test_a_scalar_is_a_row_of_one(scalar, axis):
    for name in ("softmax", "hardmax", "sparsemax", "entmax15"):
        actual = getattr(kernels, name)(scalar, axis)
        assert (actual, actual.dtype, actual.shape) == (1, np.asarray(scalar).dtype, ())
    assert kernels.log_softmax(scalar, axis) == 0
    assert kernels.logsumexp(scalar, axis) == scalar
    assert kernels.softmax_stats(scalar, axis) == (scalar, 1)
    assert kernels.softmax_grad(scalar, np.ones_like(scalar), axis) == 0
    assert np.isnan(kernels.softmax(np.float32(np.nan), axis))


@pytest.mark.parametrize("name", [*ONE, "logsumexp", "softmax_stats"])
def test_a_scalar_has_no_second_axis(name):
    for axis in (1, -2, (0,)):
        with pytest.raises(AxisError):
            getattr(kernels, name)(np.float32(1), axis)


@pytest.mark.parametrize("axes", [(1, 2), None, ()], ids=str)
def test_no_numbers(axes):
    for shape in ((2, 0, 3), (0, 2, 3)):
        assert kernels.softmax(np.empty(shape), axes).shape == shape
        assert kernels.softmax_grad(np.empty(shape), np.empty(shape), axes).shape == shape
