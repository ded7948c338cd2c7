"""linear_cross_entropy and its gradient against extended precision, within the bounds of products and losses; torch."""

import itertools
import tracemalloc

import ml_dtypes
import numba
import numpy as np
import pytest

from softops.numba_kernels import linear_cross_entropy, linear_cross_entropy_grad
from softops.numba_kernels.linear import slab
from softops.opset import reference

NAN, INF = np.nan, np.inf
DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
REDUCTIONS = ("none", "sum", "mean")
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


def made(rows, features, classes, dtype, seed=0):
    random = np.random.default_rng(seed)
    x, weight = random.standard_normal((rows, features)), random.standard_normal((classes, features)) * 0.5
    bias, labels = random.standard_normal(classes), random.integers(0, classes, rows)
    return x.astype(dtype), weight.astype(dtype), labels, bias.astype(dtype)


class Exact:
    """The losses of rows and the gradients of their sum, in longdouble by definition; how far each may be off."""

    def __init__(self, x, weight, labels, bias, class_weight, smoothing, upstream=1.0):
        unit = 2.0**-53 if x.dtype == np.float64 else 2.0**-24
        x, weight, bias = (each.astype(np.longdouble) for each in (x, weight, bias))
        rows, classes = len(x), len(weight)
        scores = x @ weight.T + bias
        off = (abs(x) @ abs(weight).T + abs(bias)) * unit * (x.shape[1] + 2)
        shift = 2 * off.max(1, keepdims=True)
        w = np.ones(classes) if class_weight is None else class_weight
        target = np.full((rows, classes), np.longdouble(smoothing) / classes)
        target[np.arange(rows), labels] += 1 - np.longdouble(smoothing)
        q = target * w
        total = q.sum(1, keepdims=True)
        logs = reference.log_softmax(scores, 1)
        self.losses = -(q * logs).sum(1)
        self.loss_off = (total * shift).sum(1) + 4 * unit * self.losses
        self.counted = w[labels]
        up = np.reshape(upstream, (-1, 1))
        self.d = (np.exp(logs) * total - q) * up
        size = np.maximum(np.exp(logs) * total, q) * abs(up)
        d_off = np.exp(logs) * total * abs(up) * np.expm1(shift) + 4 * unit * size
        self.dx, self.dweight, self.dbias = self.d @ weight, self.d.T @ x, self.d.sum(0)
        each = abs(self.d)
        self.dx_off = d_off @ abs(weight) + 260 * unit * (each @ abs(weight))
        self.dweight_off = d_off.T @ abs(x) + (rows + 2) * unit * (each.T @ abs(x))
        self.dbias_off = d_off.sum(0) + 2 * unit * each.sum(0)


def units(dtype):
    """Of the last rounding to the dtype."""
    return float(ml_dtypes.finfo(dtype).eps), float(ml_dtypes.finfo(dtype).smallest_subnormal)


def within(actual, exact, off, dtype):
    eps, tiny = units(dtype)
    assert (abs(actual.astype(np.longdouble) - exact) <= off + eps * abs(exact) + tiny).all()


@dtypes
@pytest.mark.parametrize("shape", [(5, 7, 3), (50, 100, 130), (130, 33, 49), (3, 1, 1000)], ids=str)
def test_within_bounds(shape, dtype):
    x, weight, labels, bias = made(*shape, dtype)
    of_classes = np.random.default_rng(1).uniform(0.1, 2, shape[2])
    for class_weight, smoothing in ((None, 0.0), (of_classes, 0.2)):
        exact = Exact(x, weight, labels, bias, class_weight, smoothing)
        options = {"class_weight": class_weight, "label_smoothing": smoothing}
        losses = linear_cross_entropy(x, weight, labels, bias, reduction="none", **options)
        assert losses.dtype == dtype
        within(losses, exact.losses, exact.loss_off, dtype)
        mean = linear_cross_entropy(x, weight, labels, bias, **options)
        divisor = exact.counted.sum()
        within(mean, exact.losses.sum() / divisor, exact.loss_off.sum() / divisor, dtype)
        loss, dx, dweight, dbias = linear_cross_entropy_grad(
            x, weight, labels, bias, reduction="sum", return_loss=True, **options
        )
        assert loss == linear_cross_entropy(x, weight, labels, bias, reduction="sum", **options)
        wide = np.float64 if dtype == np.float64 else np.float32
        assert (dx.dtype, dweight.dtype, dbias.dtype) == (dtype, wide, wide)
        within(dx, exact.dx, exact.dx_off, dtype)
        within(dweight, exact.dweight, exact.dweight_off, dweight.dtype)
        within(dbias, exact.dbias, exact.dbias_off, dbias.dtype)


def test_agrees_with_torch():
    """All options together, of float64, without and with a bias."""
    torch = pytest.importorskip("torch")
    x, weight, labels, bias = made(12, 9, 20, np.float64)
    random = np.random.default_rng(2)
    labels[[1, 5]] = -100
    of_classes = random.uniform(0.1, 2, 20)
    for reduction, smoothing, softcap, has_bias in itertools.product(
        REDUCTIONS, (0, 0.1), (0, 5.0), (False, True)
    ):
        leaves = [torch.tensor(each, requires_grad=True) for each in (x, weight, bias)]
        scores = torch.nn.functional.linear(*leaves[: 2 + has_bias])
        scores = softcap * torch.tanh(scores / softcap) if softcap else scores
        loss = torch.nn.functional.cross_entropy(
            scores,
            torch.tensor(labels),
            weight=torch.tensor(of_classes),
            label_smoothing=smoothing,
            reduction=reduction,
        )
        dy = random.random(12) if reduction == "none" else np.float64(0.3)
        loss.backward(torch.tensor(dy))
        given = (x, weight, labels, bias if has_bias else None)
        options = {
            "class_weight": of_classes,
            "ignore_index": -100,
            "label_smoothing": smoothing,
            "softcap": softcap,
            "reduction": reduction,
        }
        np.testing.assert_allclose(linear_cross_entropy(*given, **options), loss.detach().numpy(), rtol=1e-12)
        own, *gradients = linear_cross_entropy_grad(*given, **options, dy=dy, return_loss=True)
        np.testing.assert_array_equal(own, linear_cross_entropy(*given, **options))
        for actual, leaf in zip(gradients[: 2 + has_bias], leaves[: 2 + has_bias], strict=True):
            np.testing.assert_allclose(actual, leaf.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_a_softcap_is_exact_in_its_tails():
    """Far beyond the cap the slope is that of tanh, relatively, and not 0."""
    x, weight = np.array([[200.0]], np.float32), np.array([[1.0], [-1.0], [0.5]], np.float32)
    scores = np.array([200, -200, 100], np.longdouble)
    capped, slope = 20 * np.tanh(scores / 20), 1 / np.cosh(scores / 20) ** 2
    loss, dx, dweight, dbias = linear_cross_entropy_grad(
        x, weight, [1], softcap=20.0, reduction="sum", return_loss=True
    )
    p = reference.softmax(capped)
    d = (p - np.array([0, 1, 0])) * slope
    np.testing.assert_allclose(loss, -np.log(p[1]).astype(float), rtol=1e-6)
    np.testing.assert_allclose(dbias, d.astype(float), rtol=3e-6)
    np.testing.assert_allclose(dweight[:, 0], (200 * d).astype(float), rtol=3e-6)
    np.testing.assert_allclose(dx[0, 0], float((d * weight[:, 0]).sum()), rtol=3e-6)


@pytest.mark.parametrize("softcap", [0.0, 4.0])
def test_it_is_the_slope_of_the_loss(softcap):
    x, weight, labels, bias = made(4, 3, 5, np.float64)
    options = {"ignore_index": labels[1], "label_smoothing": 0.1, "softcap": softcap}
    gradients = linear_cross_entropy_grad(x, weight, labels, bias, **options)
    for place, gradient in zip((0, 1, 3), gradients, strict=True):
        for i in np.ndindex(gradient.shape):
            losses = []
            for step in (1e-6, -1e-6):
                given = [each.copy() for each in (x, weight, labels, bias)]
                given[place][i] += step
                losses.append(linear_cross_entropy(*given, **options))
            np.testing.assert_allclose(gradient[i], (losses[0] - losses[1]) / 2e-6, atol=1e-8)


def test_rows_that_are_ignored_do_not_matter(dtype):
    x, weight, labels, bias = made(9, 6, 11, dtype)
    labels[[0, 3, 8]] = -1
    x[[0, 3]] = [[NAN], [INF]]
    kept = labels >= 0
    for smoothing in (0.0, 0.3):
        options = {"ignore_index": -1, "label_smoothing": smoothing}
        loss, *gradients = linear_cross_entropy_grad(x, weight, labels, bias, return_loss=True, **options)
        other, *others = linear_cross_entropy_grad(
            x[kept], weight, labels[kept], bias, return_loss=True, **options
        )
        assert loss == other == linear_cross_entropy(x, weight, labels, bias, **options)
        np.testing.assert_array_equal(gradients[0][kept], others[0])
        assert not gradients[0][~kept].any()
        for a, b in zip(gradients[1:], others[1:], strict=True):
            np.testing.assert_array_equal(a, b)
        each = linear_cross_entropy(x, weight, labels, bias, reduction="none", **options)
        assert not each[~kept].any()


def test_a_mean_over_nothing(dtype):
    x, weight, labels, _ = made(3, 4, 5, dtype)
    for given, options in (
        ((x, weight, [-1] * 3), {"ignore_index": -1}),
        ((x[:0], weight, labels[:0]), {}),
        ((x, weight[:0], [-1] * 3), {"ignore_index": -1}),
    ):
        assert np.isnan(linear_cross_entropy(*given, **options))
        assert linear_cross_entropy(*given, divisor=2, **options) == 0
        for gradient in linear_cross_entropy_grad(*given, **options):
            assert not gradient.any()
    without_features = linear_cross_entropy_grad(x[:, :0], weight[:, :0], labels, return_loss=True)
    np.testing.assert_allclose(without_features[0], np.log(5), rtol=1e-6)
    assert without_features[2].shape == (5, 0)


def test_special_values(dtype):
    x = np.array([[1, 0], [NAN, 0], [INF, 0], [2, 1]], dtype)
    weight = np.array([[1, 0], [0, 1], [1, 1]], dtype)
    losses = linear_cross_entropy(x, weight, [0, 0, 1, 1], reduction="none")
    assert np.isnan(losses[1:3]).all()
    assert np.isfinite(losses[[0, 3]]).all()
    dx, _, _ = linear_cross_entropy_grad(x, weight, [0, 0, 1, 1])
    assert np.isnan(dx[1:3]).all()
    assert np.isfinite(dx[[0, 3]]).all()
    bias = np.array([0, -INF, 0], dtype)
    assert linear_cross_entropy(x[:1], weight, [1], bias) == INF
    assert np.isfinite(linear_cross_entropy(x[:1], weight, [0], bias))


@dtypes
def test_shapes_layouts_and_mixed_types(dtype):
    x, weight, labels, bias = made(24, 10, 17, dtype)
    wanted = linear_cross_entropy_grad(x, weight, labels, bias, return_loss=True)
    cubes = linear_cross_entropy_grad(
        x.reshape(2, 3, 4, 10), weight, labels.reshape(2, 3, 4), bias, return_loss=True
    )
    assert cubes[1].shape == (2, 3, 4, 10)
    for turned in (
        cubes,
        linear_cross_entropy_grad(np.asfortranarray(x), weight.T.copy().T, labels, bias, return_loss=True),
        linear_cross_entropy_grad(
            np.repeat(x, 2, 0)[::2], np.repeat(weight, 3, 0)[::3], labels, bias, return_loss=True
        ),
    ):
        for a, b in zip(turned, wanted, strict=True):
            np.testing.assert_array_equal(a.reshape(b.shape), b)
    one = linear_cross_entropy(x[0], weight, labels[0], bias, reduction="none")
    assert one == linear_cross_entropy(x[:1], weight, labels[:1], bias, reduction="none")[0]
    if dtype.itemsize == 2:
        wide = linear_cross_entropy_grad(x.astype(np.float32), weight, labels, bias)
        np.testing.assert_array_equal(wanted[1], wide[0].astype(dtype))
        np.testing.assert_array_equal(wanted[2], wide[1])


def test_threads_and_rows_at_a_time_change_nothing(monkeypatch, threads):
    x, weight, labels, bias = made(100, 200, 700, np.float32)
    labels[::7] = -1
    options = {"ignore_index": -1, "softcap": 3.0, "label_smoothing": 0.1, "return_loss": True}
    results, many = [], numba.get_num_threads()
    for number, size in ((many, slab._BYTES), (1, slab._BYTES), (many, 17 * 700 * 4), (many, 1)):
        threads(number)
        monkeypatch.setattr(slab, "_BYTES", size)
        monkeypatch.setattr(slab, "_MOST_BYTES", size)
        results.append(linear_cross_entropy_grad(x, weight, labels, bias, **options))
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_memory():
    rows, classes = 1500, 20_000
    x, weight, labels, bias = made(rows, 16, classes, np.float32)
    for function, results in (
        (linear_cross_entropy, 0),
        (linear_cross_entropy_grad, weight.nbytes + x.nbytes),
    ):
        tracemalloc.start()
        function(x, weight, labels, bias)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most - results < 64e6 < rows * classes * 4


def test_refusals():
    x, weight, labels, _ = made(4, 3, 5, np.float32)
    for function in (linear_cross_entropy, linear_cross_entropy_grad):
        name = function.__name__
        for call, message in (
            (lambda f=function: f(x, weight.T, labels), "takes x of shape"),
            (lambda f=function: f(x, weight, labels[:3]), "one label for each row"),
            (lambda f=function: f(x, weight, labels + 5), "labels from 0 to 4"),
            (lambda f=function: f(x, weight, labels, np.ones(4, np.float32)), "a bias for each class"),
            (lambda f=function: f(x, weight, labels, class_weight=np.ones(4)), "5 float weights"),
            (lambda f=function: f(x, weight, labels, softcap=-1), "a softcap that is finite"),
            (lambda f=function: f(x, weight, labels, label_smoothing=2), "label_smoothing from 0 to 1"),
            (lambda f=function: f(x, weight, labels, reduction="max"), "a reduction of"),
            (lambda f=function: f(x, weight, labels, divisor=0), "positive number as divisor"),
        ):
            with pytest.raises(ValueError, match=f"^{name} .*{message}"):
                call()
        with pytest.raises(TypeError, match=f"^{name} takes integer labels"):
            function(x, weight, np.ones((4, 5), np.float32))
        with pytest.raises(TypeError, match=f"^{name} takes x and weight both in float64"):
            function(x, weight.astype(float), labels)
    with pytest.raises(ValueError, match="dy of shape"):
        linear_cross_entropy_grad(x, weight, labels, dy=np.ones(3), reduction="none")
