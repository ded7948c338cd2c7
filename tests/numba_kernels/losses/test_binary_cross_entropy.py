"""binary_cross_entropy and its gradient against the definition in longdouble, torch and slopes."""

import itertools
import tracemalloc

import ml_dtypes
import numba
import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import binary_cross_entropy, binary_cross_entropy_grad
from softops.opset import reference

NAN, INF = np.nan, np.inf
DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
REDUCTIONS = ("none", "sum", "mean")

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
needs_longdouble = pytest.mark.skipif(
    reference.MANTISSA_BITS < 64,
    reason="np.longdouble is no more precise than float64 here: no oracle for it",
)


def expected(x, targets, weight=1.0):
    """(each loss, the two terms of its gradient) in longdouble."""
    x, t, w = (np.asarray(part).astype(np.longdouble) for part in (x, targets, weight))
    log = np.log1p(np.exp(-abs(x)))
    losses = (1 - t) * (np.maximum(x, 0) + log) + w * t * (np.maximum(-x, 0) + log)
    return losses, (1 - t) / (1 + np.exp(-x)), w * t / (1 + np.exp(x))


def examples(dtype):
    random = np.random.default_rng(0)
    for scale, hard in itertools.product((0.1, 4, 60), (False, True)):
        x = (random.standard_normal((50, 9)) * scale).astype(dtype)
        targets = random.random(x.shape)
        yield x, (targets.round() if hard else targets).astype(dtype), random.uniform(0.1, 9, 9)


@needs_longdouble
@dtypes
def test_exact(dtype):
    bound, of_slope = (3, 4) if dtype == np.float64 else (0.51, 0.51)
    for x, targets, weight in examples(dtype):
        for w in (None, 2, weight):
            losses, up, down = expected(x, targets, 1.0 if w is None else w)
            for reduction, wanted in zip(REDUCTIONS, (losses, losses.sum(), losses.mean()), strict=True):
                loss = binary_cross_entropy(x, targets, pos_weight=w, reduction=reduction)
                assert loss.dtype == dtype
                assert np.max(ulp_error(loss, wanted)) <= bound
            slope = binary_cross_entropy_grad(x, targets, pos_weight=w, reduction="sum").astype(np.longdouble)
            largest = np.maximum(np.maximum(up, down), ml_dtypes.finfo(dtype).tiny).astype(dtype)
            assert np.max(abs(slope - (up - down)) / np.spacing(largest).astype(np.longdouble)) <= of_slope


def test_agrees_with_torch():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(1)
    x, targets, weight = random.standard_normal((6, 7)) * 3, random.random((6, 7)), random.uniform(0.1, 3, 7)
    for reduction, w in itertools.product(REDUCTIONS, (None, weight)):
        dy = random.random(x.shape) if reduction == "none" else np.float64(0.7)
        leaf = torch.tensor(x, requires_grad=True)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            leaf,
            torch.tensor(targets),
            pos_weight=None if w is None else torch.tensor(w),
            reduction=reduction,
        )
        loss.backward(torch.tensor(dy))
        actual = binary_cross_entropy(x, targets, pos_weight=w, reduction=reduction)
        np.testing.assert_allclose(actual, loss.detach().numpy(), rtol=1e-12)
        slope = binary_cross_entropy_grad(x, targets, pos_weight=w, reduction=reduction, dy=dy)
        np.testing.assert_allclose(slope, leaf.grad.numpy(), rtol=1e-10, atol=1e-15)


@dtypes
def test_special_values(dtype):
    x = np.array([NAN, INF, INF, -INF, -INF, 0, INF, 1], dtype)
    t = np.array([0.5, 1, 0, 0, 1, 0, 0.5, NAN], dtype)
    losses = binary_cross_entropy(x, t, reduction="none").astype(float)
    np.testing.assert_allclose(losses, [NAN, 0, INF, 0, INF, np.log(2), INF, NAN], rtol=0.01)
    slope = binary_cross_entropy_grad(x, t, reduction="sum").astype(float)
    np.testing.assert_array_equal(slope, [NAN, 0, 1, 0, -1, 0.5, 0.5, NAN])
    assert np.isnan(binary_cross_entropy(x[:0], t[:0]))
    assert binary_cross_entropy(x[:0], t[:0], reduction="sum") == 0
    assert binary_cross_entropy(x[:0], t[:0], divisor=3) == 0
    assert binary_cross_entropy_grad(x[:0], t[:0]).shape == (0,)
    largest = np.array([ml_dtypes.finfo(dtype).max] * 2, dtype)
    assert binary_cross_entropy(largest, largest * 0, reduction="sum") == INF
    with np.errstate(all="raise"):
        binary_cross_entropy(largest, largest * 0, reduction="mean")


def test_shapes_strides_out_divisor_and_upstream(dtype):
    random = np.random.default_rng(2)
    x, t = random.standard_normal((4, 33, 5)).astype(dtype), random.random((4, 33, 5)).astype(dtype)
    each, slope = binary_cross_entropy(x, t, reduction="none"), binary_cross_entropy_grad(x, t)
    np.testing.assert_array_equal(binary_cross_entropy(x.T, t.T, reduction="none"), each.T)
    np.testing.assert_array_equal(binary_cross_entropy(x[::2], t[::2], reduction="none"), each[::2])
    assert binary_cross_entropy(x[0, 0, 0], t[0, 0, 0], reduction="none") == each[0, 0, 0]
    for own in (x.copy(), t.copy(), np.empty(x.shape, dtype, order="F")):
        source = own if own.flags.c_contiguous and (own == x).all() else x
        assert binary_cross_entropy_grad(source, own if (own == t).all() else t, out=own) is own
        np.testing.assert_array_equal(own, slope)
    weight = random.uniform(0.5, 2, (33, 1))
    wide = np.broadcast_to(weight, x.shape)
    for function in (binary_cross_entropy, binary_cross_entropy_grad):
        np.testing.assert_array_equal(function(x, t, pos_weight=weight), function(x, t, pos_weight=wide))
        np.testing.assert_allclose(
            function(x, t, divisor=10), function(x, t, reduction="sum") / 10, rtol=2 * np.finfo(dtype).eps
        )
    dy = random.standard_normal(x.shape)
    actual = binary_cross_entropy_grad(x, t, reduction="none", dy=dy)
    _, up, down = expected(x, t)
    np.testing.assert_allclose(
        actual, (dy * (up - down)).astype(float), rtol=0, atol=8 * np.finfo(dtype).eps * abs(dy).max()
    )


def test_it_is_the_slope_of_the_loss():
    random = np.random.default_rng(3)
    x, t, weight, step = random.standard_normal(8), random.random(8), random.uniform(0.5, 2, 8), 1e-6
    actual = binary_cross_entropy_grad(x, t, pos_weight=weight)
    for i in range(8):
        moved = np.zeros(8)
        moved[i] = step
        up, down = (binary_cross_entropy(x + d, t, pos_weight=weight) for d in (moved, -moved))
        np.testing.assert_allclose(actual[i], (up - down) / (2 * step), atol=1e-9)


@pytest.mark.usefixtures("steady_threads")
def test_threads_and_memory(threads):
    random = np.random.default_rng(4)
    x, t = random.standard_normal((2, 300_001)).astype(np.float32)
    many, sums = numba.get_num_threads(), []
    for number in (1, many):
        threads(number)
        sums.append(binary_cross_entropy(x, t, reduction="sum"))
    assert sums[0] == sums[1]
    tracemalloc.start()
    binary_cross_entropy(x, t)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < x.nbytes / 16


def test_refusals():
    x = np.zeros((2, 3), np.float32)
    for function in (binary_cross_entropy, binary_cross_entropy_grad):
        name = function.__name__
        with pytest.raises(TypeError, match=f"{name} takes two arrays of one dtype"):
            function(x, np.zeros((2, 3)))
        with pytest.raises(TypeError, match=rf"{name} takes .*\(got int64\)"):
            function(x, np.zeros((2, 3), int))
        with pytest.raises(ValueError, match=f"{name} takes two arrays of one shape"):
            function(x, x[0])
        with pytest.raises(ValueError, match="pos_weight that broadcasts"):
            function(x, x, pos_weight=np.ones(2))
        with pytest.raises(TypeError, match="pos_weight of real numbers"):
            function(x, x, pos_weight=2j)
        with pytest.raises(ValueError, match="a reduction of mean, sum, none"):
            function(x, x, reduction="max")
        with pytest.raises(ValueError, match="positive number as divisor"):
            function(x, x, divisor=-1)
    with pytest.raises(ValueError, match="dy of shape"):
        binary_cross_entropy_grad(x, x, dy=x)
    with pytest.raises(ValueError, match="gives float32 of shape"):
        binary_cross_entropy_grad(x, x, out=np.zeros(3, np.float32))
