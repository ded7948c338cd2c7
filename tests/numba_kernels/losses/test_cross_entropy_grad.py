"""cross_entropy_grad against the oracle and finite differences; what cross_entropy returns and allocates besides."""

import itertools
import tracemalloc

import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import cross_entropy, cross_entropy_grad, log_softmax
from softops.opset import reference

DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
BOUNDS = {"float16": 1, "bfloat16": 1, "float32": 1, "float64": 4}
REDUCTIONS = ["mean", "sum", "none"]

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


def expected(x, labels, axis, weight, ignore, reduction):
    """The formula in longdouble, with p − 1 of the right class as expm1 of its log-probability."""
    classes = np.expand_dims(np.where(labels == ignore, 0, labels), axis)
    right = np.zeros(x.shape, bool)
    np.put_along_axis(right, classes, True, axis)
    weights = np.ones(x.shape[axis], np.longdouble) if weight is None else weight.astype(np.longdouble)
    each = np.where(labels == ignore, 0, weights[classes.squeeze(axis)])
    if reduction == "mean":
        each = each / each.sum()
    logs = reference.log_softmax(x, axis)
    return np.where(right, np.expm1(logs), reference.softmax(x, axis)) * np.expand_dims(each, axis)


@dtypes
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(200, 2), (100, 10), (40, 17), (10, 1000), (8, 21, 3, 5), (5, 1)], ids=str)
def test_exact(shape, reduction, dtype):
    if dtype == np.float64 and reference.MANTISSA_BITS < 64:
        pytest.skip("np.longdouble is no more precise than float64 here, so there is no oracle for it")
    random = np.random.default_rng(0)
    labels = random.integers(0, shape[1], (shape[0], *shape[2:]))
    for sigma, weight in itertools.product(
        (0.1, 3, 30), (None, random.uniform(0.1, 2, shape[1]).astype(dtype))
    ):
        x = (random.standard_normal(shape) * sigma).astype(dtype)
        # of half the rows the right class is the winner, whose gradient is p − 1 near 0
        targets = np.where(random.random(labels.shape) < 0.5, x.argmax(1), labels)
        for ignore in (None, 0):
            if ignore == 0 and not (targets != 0).any():
                continue
            actual = cross_entropy_grad(x, targets, weight=weight, ignore_index=ignore, reduction=reduction)
            error = ulp_error(actual, expected(x, targets, 1, weight, ignore, reduction))
            assert error.max() <= BOUNDS[dtype.name]


def test_it_is_the_slope_of_the_loss():
    random = np.random.default_rng(1)
    x, labels, weight = (
        random.standard_normal((4, 3, 2)),
        random.integers(0, 3, (4, 2)),
        np.array([0.5, 1, 2]),
    )
    step = 1e-6
    for reduction in REDUCTIONS:
        options = {"weight": weight, "ignore_index": 1, "reduction": reduction}
        actual = cross_entropy_grad(x, labels, **options)
        for i in np.ndindex(x.shape):
            moved = np.zeros_like(x)
            moved[i] = step
            up, down = (np.sum(cross_entropy(x + d, labels, **options)) for d in (moved, -moved))
            np.testing.assert_allclose(actual[i], (up - down) / (2 * step), atol=1e-8)


@dtypes
def test_any_axis_layout_and_out(dtype):
    random = np.random.default_rng(2)
    x, labels = random.standard_normal((6, 40, 3)).astype(dtype), random.integers(0, 40, (6, 3))
    wanted = cross_entropy_grad(x, labels, ignore_index=7)
    loss = cross_entropy(x, labels, ignore_index=7)
    for axis in range(3):
        moved = np.moveaxis(x, 1, axis)
        for view in (
            moved,
            np.ascontiguousarray(moved),
            np.asfortranarray(moved),
            np.repeat(moved, 2, 2)[..., ::2],
        ):
            actual = cross_entropy_grad(view, labels, axis=axis, ignore_index=7)
            np.testing.assert_array_equal(np.moveaxis(actual, axis, 1), wanted)
            assert cross_entropy(view, labels, axis=axis, ignore_index=7) == loss
    for out in (np.empty_like(x), np.empty_like(x, order="F"), np.empty((12, 40, 3), dtype)[::-2]):
        assert cross_entropy_grad(x, labels, ignore_index=7, out=out) is out
        np.testing.assert_array_equal(out, wanted)
    for own in (x.copy(), x.copy(order="F")):
        assert cross_entropy_grad(own, labels, ignore_index=7, out=own) is own
        np.testing.assert_array_equal(own, wanted)
    memory = np.zeros((7, 40, 3), dtype)
    memory[:6] = x
    assert np.array_equal(cross_entropy_grad(memory[:6], labels, ignore_index=7, out=memory[1:]), wanted)


@dtypes
def test_special_values(dtype):
    nan, inf = np.nan, np.inf
    x = np.array([[0, nan, 1], [inf, 0, 1], [-inf] * 3, [-inf, 0, 0], [0, -inf, 0], [nan] * 3], dtype)
    actual = cross_entropy_grad(x, [0, 1, 2, 1, 1, -1], ignore_index=-1, reduction="sum")
    rows = [[nan] * 3, [nan] * 3, [nan] * 3, [0, -0.5, 0.5], [0.5, -1, 0.5], [0, 0, 0]]
    np.testing.assert_array_equal(actual.astype(float), rows)
    assert (cross_entropy_grad(x[:0], np.zeros(0, int)) == 0).all()
    assert (cross_entropy_grad(x, [-1] * 6, ignore_index=-1) == 0).all()


@dtypes
def test_threads_change_nothing(dtype):
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((300, 100)).astype(dtype), random.integers(0, 100, 300)
    parts = [cross_entropy_grad(a[None], [b], reduction="sum")[0] for a, b in zip(x, labels, strict=True)]
    np.testing.assert_array_equal(cross_entropy_grad(x, labels, reduction="sum"), parts)


@dtypes
def test_the_log_probabilities_come_too(dtype):
    random = np.random.default_rng(4)
    x, labels = random.standard_normal((5, 4, 3)).astype(dtype), random.integers(0, 4, (5, 3))
    for reduction in REDUCTIONS:
        loss, log_prob = cross_entropy(x, labels, reduction=reduction, return_log_prob=True)
        np.testing.assert_array_equal(loss, cross_entropy(x, labels, reduction=reduction))
        np.testing.assert_array_equal(log_prob, log_softmax(x, 1))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.usefixtures("steady_threads")
def test_the_loss_allocates_nothing_as_large_as_the_logits(axis):
    x = np.zeros((128, 128, 128), np.float32)
    for view in (x, x[::-1, :, ::-1], x.T):
        labels = np.zeros((128, 128), int)
        cross_entropy(view, labels, axis=axis)
        tracemalloc.start()
        cross_entropy(view, labels, axis=axis)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < x.nbytes / 4


def test_refusals():
    x = np.zeros((2, 3), np.float32)
    for call in (
        lambda: cross_entropy_grad(x, [0, 3]),
        lambda: cross_entropy_grad(x, [0]),
        lambda: cross_entropy_grad(x, [0, 0], reduction="max"),
        lambda: cross_entropy_grad(x, [0, 0], weight=np.ones(2)),
        lambda: cross_entropy_grad(x, [0, 0], out=np.zeros((3, 2), np.float32)),
    ):
        with pytest.raises(ValueError, match="cross_entropy_grad"):
            call()
    with pytest.raises(TypeError, match="integer labels"):
        cross_entropy_grad(x, [0.0, 1.0])
