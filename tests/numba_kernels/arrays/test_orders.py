"""Every array that an operator takes, in every order in which its numbers can lie: the result is that of C order."""

import itertools

import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels.arrays.addresses import address, in_c_order

RANDOM = np.random.default_rng(7)
SHAPE = (3, 4, 5)
X = RANDOM.standard_normal(SHAPE).astype(np.float32)
Y = RANDOM.standard_normal(SHAPE).astype(np.float32)
MASK = RANDOM.random(SHAPE) < 0.7
# one label is ignored
LABELS = RANDOM.integers(0, SHAPE[1], (SHAPE[0], SHAPE[2]))
LABELS[1, 2] = -100
WEIGHT = RANDOM.uniform(0.5, 2, SHAPE[1])


def orders_of(x):
    """The same numbers in other places."""
    for order in itertools.permutations(range(x.ndim)):
        yield np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    for d in range(x.ndim):
        doubled = np.repeat(x, 2, d)
        yield doubled[(slice(None),) * d + (slice(None, None, 2),)]
        yield np.flip(np.flip(x, d).copy(), d)
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    yield unaligned


def along(name, axis):
    return lambda *arrays: getattr(kernels, name)(*arrays, axis)


def loss(name, **options):
    def run(x, labels, weight):
        return getattr(kernels, name)(x, labels, weight=weight, ignore_index=-100, **options)

    return run


def masked(name, **options):
    return lambda x, where: getattr(kernels, name)(x, 1, where=where, **options)


def merged(x, y):
    return kernels.merge_stats((x[0], y[0]), (x[1], y[1]))


REDUCTIONS = ("none", "sum", "mean")
CALLS = {
    **{name: (getattr(kernels, name), X) for name in ("sigmoid", "log_sigmoid", "softplus")},
    **{
        f"{name} along {axis}": (along(name, axis), X)
        for name in (
            "softmax",
            "log_softmax",
            "hardmax",
            "sparsemax",
            "entmax15",
            "logsumexp",
            "softmax_stats",
        )
        for axis in (0, 1, 2)
    },
    **{
        f"{name} along {axis}": (along(name, axis), X, Y)
        for name in ("softmax_grad", "log_softmax_grad")
        for axis in (0, 1, 2)
    },
    "sigmoid_grad": (kernels.sigmoid_grad, X, Y),
    "softmax with a mask": (masked("softmax"), X, MASK),
    "log_softmax with a mask and a temperature": (masked("log_softmax", temperature=3.0), X, MASK),
    **{
        f"{name} of {reduction}": (loss(name, reduction=reduction), X, LABELS, WEIGHT)
        for name in ("cross_entropy", "cross_entropy_grad")
        for reduction in REDUCTIONS
    },
    **{
        f"nll_loss of {reduction}": (loss("nll_loss", reduction=reduction), -abs(X), LABELS, WEIGHT)
        for reduction in REDUCTIONS
    },
    "merge_stats": (merged, np.stack([X, Y]), abs(np.stack([X, Y]))),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_order_of_an_argument_does_not_show(name):
    operator, *arguments = CALLS[name]
    expected = operator(*arguments)
    for place, given in enumerate(arguments):
        for other in orders_of(given):
            actual = operator(*arguments[:place], other, *arguments[place + 1 :])
            for one, two in zip(np.atleast_1d(expected), np.atleast_1d(actual), strict=True):
                # whether lines are done as rows or side by side can show in the last place
                np.testing.assert_allclose(two, one, rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax", "sparsemax", "entmax15", "sigmoid"])
def test_the_order_of_out_does_not_show(name):
    operator = getattr(kernels, name)
    for out in orders_of(np.zeros_like(X)):
        assert operator(X, out=out) is out
        np.testing.assert_allclose(out, operator(X), rtol=3e-7)


@pytest.mark.parametrize("name", ["softmax_grad", "log_softmax_grad", "sigmoid_grad"])
def test_the_order_of_out_of_gradients_does_not_show(name):
    operator = getattr(kernels, name)
    for out in orders_of(np.zeros_like(X)):
        assert operator(X, Y, out=out) is out
        np.testing.assert_allclose(out, operator(X, Y), rtol=3e-7)


def test_labels_in_fortran_order_with_an_ignored_one():
    """Against the loss written out: a label belongs to its own row."""
    for labels in orders_of(LABELS):
        losses = kernels.cross_entropy(X, labels, ignore_index=-100, reduction="none")
        gradient = kernels.cross_entropy_grad(X, labels, ignore_index=-100, reduction="sum")
        for i, j in np.ndindex(labels.shape):
            row, label = X[i, :, j].astype(np.float64), LABELS[i, j]
            p = np.exp(row) / np.exp(row).sum()
            wanted = 0 if label < 0 else -np.log(p[label])
            np.testing.assert_allclose(losses[i, j], wanted, rtol=1e-6)
            slope = 0 * p if label < 0 else p - (np.arange(len(p)) == label)
            np.testing.assert_allclose(gradient[i, :, j], slope, rtol=1e-5)


def test_addresses_are_given_of_c_order_alone():
    for x in (X.T, X[::2], X[:, :, ::-1], np.broadcast_to(X[0], SHAPE)):
        with pytest.raises(AssertionError, match="in C order"):
            address(x)
        again = in_c_order(x)
        assert address(again) == again.ctypes.data
        assert np.array_equal(again, x)
    assert in_c_order(X) is X
    assert in_c_order(np.float64(3), np.float32).shape == ()
