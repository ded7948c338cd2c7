"""Smoothed labels and probabilities as targets of cross_entropy and its gradient: torch, and sums in longdouble."""

import itertools
import tracemalloc

import ml_dtypes
import numba
import numpy as np
import pytest

from softops.conformance.measure.ulp import ulp_error
from softops.numba_kernels import cross_entropy, cross_entropy_grad, log_softmax
from softops.opset import reference

NAN, INF = np.nan, np.inf
DTYPES = [np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")]
# In float64 a share of the loss is rounded four times, and once more as a term: 3.1 were seen in 10⁵ rows.
BOUNDS = {"float16": 1, "bfloat16": 1, "float32": 1, "float64": 4}
GRADIENT_BOUNDS = {"float16": 1, "bfloat16": 1, "float32": 1, "float64": 6}
REDUCTIONS = ("none", "sum", "mean")

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
needs_longdouble = pytest.mark.skipif(
    reference.MANTISSA_BITS < 64,
    reason="np.longdouble is no more precise than float64 here: no oracle for it",
)


def shares(x, labels, weight, smoothing):
    """q in longdouble, from the definition: torch's, with the classes along axis 1."""
    classes = x.shape[1]
    target = np.zeros(x.shape, np.longdouble)
    if labels.shape == x.shape:
        target[...] = labels.astype(np.longdouble)
    else:
        np.put_along_axis(target, np.expand_dims(labels, 1), 1, 1)
    weights = np.ones(classes, np.longdouble) if weight is None else weight.astype(np.longdouble)
    s = np.longdouble(smoothing)
    column = weights.reshape(-1, *[1] * (x.ndim - 2))
    return column * (target * (1 - s) + s / classes), weights


def expected(x, labels, weight, smoothing, ignored=None):
    """Each loss, what a mean divides by, and the two terms of the gradient of each loss."""
    rows = None if ignored is None else labels == ignored
    labels = labels if rows is None else np.where(rows, 0, labels)
    q, weights = shares(x, labels, weight, smoothing)
    logs = reference.log_softmax(x, 1)
    losses = np.where(q == 0, 0, -logs * np.where(q == 0, 1, q)).sum(1)
    counted = np.ones(losses.shape) if labels.shape == x.shape else weights[labels]
    p_term = np.exp(logs) * q.sum(1, keepdims=True)
    if rows is not None:
        losses, counted = np.where(rows, 0, losses), np.where(rows, 0, counted)
        p_term, q = (np.where(np.expand_dims(rows, 1), 0, part) for part in (p_term, q))
    return losses, counted.sum(), p_term, q


def examples(dtype, shape, seed=0):
    """(x, targets, weight, smoothing), labels and probabilities, wide and narrow rows."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, shape[1], (shape[0], *shape[2:]))
    given = random.dirichlet(np.full(shape[1], 0.3), size=labels.size).astype(dtype)
    given = np.moveaxis(given.reshape(*labels.shape, shape[1]), -1, 1)
    weight = random.uniform(0.1, 2, shape[1]).astype(dtype)
    if shape[1] > 1:
        weight[0] = 0
    for sigma, w, s in itertools.product((0.1, 30), (None, weight), (0.0, 0.1, 1.0)):
        x = (random.standard_normal(shape) * sigma).astype(dtype)
        if s:
            yield x, labels, w, s
        yield x, given, w, s


@needs_longdouble
@dtypes
@pytest.mark.parametrize("shape", [(40, 2), (20, 17), (8, 1000), (4, 21, 3), (3, 1)], ids=str)
def test_exact(shape, dtype):
    for x, targets, weight, s in examples(dtype, shape):
        losses, counted, p_term, q = expected(x, targets, weight, s)
        options = {"weight": weight, "label_smoothing": s}
        for reduction, wanted in (("none", losses), ("sum", losses.sum()), ("mean", losses.sum() / counted)):
            error = ulp_error(cross_entropy(x, targets, reduction=reduction, **options), wanted)
            assert np.max(error) <= BOUNDS[dtype.name]
        actual = cross_entropy_grad(x, targets, reduction="sum", **options).astype(np.longdouble)
        largest = np.maximum(np.maximum(p_term, q), np.finfo(np.float32).tiny).astype(np.float64)
        unit = np.spacing(largest.astype(dtype)).astype(np.longdouble)
        assert np.max(abs(actual - (p_term - q)) / unit) <= GRADIENT_BOUNDS[dtype.name]


@needs_longdouble
def test_a_winner_keeps_its_precision():
    """p so near 1 that 1 − p is less than the last place: the right class's gradient is of that size."""
    for dtype, gap in ((np.float32, 25), (np.float64, 50)):
        x = np.zeros((1, 5), dtype)
        x[0, 2] = gap
        target = (x > 0).astype(dtype)
        others = 4 * np.exp(np.longdouble(-gap))
        missing = others / (1 + others)
        assert ulp_error(cross_entropy_grad(x, target, reduction="sum")[0, 2], -missing) <= 1
        assert ulp_error(cross_entropy(x, target, reduction="sum"), np.log1p(others)) <= 2


def test_agrees_with_torch():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(1)
    x, labels = random.standard_normal((6, 37)), random.integers(0, 37, 6)
    given, w = random.dirichlet(np.ones(37), 6), random.uniform(0.1, 2, 37)
    for reduction, weight, s, targets, ignore in itertools.product(
        REDUCTIONS, (None, w), (0.0, 0.1, 1.0), (labels, given), (None, labels[0])
    ):
        if targets is given and ignore is not None:
            continue
        dy = random.random(6) if reduction == "none" else np.float64(0.7)
        more = {} if ignore is None else {"ignore_index": int(ignore)}
        options = {"label_smoothing": s, "reduction": reduction, **more}
        leaf = torch.tensor(x, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(
            leaf, torch.tensor(targets), weight=None if weight is None else torch.tensor(weight), **options
        )
        loss.backward(torch.tensor(dy))
        actual = cross_entropy(x, targets, weight=weight, **options)
        np.testing.assert_allclose(actual, loss.detach().numpy(), rtol=1e-12)
        slope = cross_entropy_grad(x, targets, weight=weight, dy=dy, **options)
        np.testing.assert_allclose(slope, leaf.grad.numpy(), rtol=1e-10, atol=1e-15)


@needs_longdouble
def test_ignored_labels_and_divisors():
    random = np.random.default_rng(2)
    x, labels, weight = random.standard_normal((7, 9)), random.integers(0, 9, 7), random.uniform(0.1, 2, 9)
    labels[[0, 4]] = -100
    losses, counted, p_term, q = expected(x, labels, weight, 0.2, -100)
    options = {"weight": weight, "label_smoothing": 0.2, "ignore_index": -100}
    np.testing.assert_allclose(cross_entropy(x, labels, **options), float(losses.sum() / counted), rtol=1e-15)
    by = cross_entropy(x, labels, divisor=1000, **options)
    np.testing.assert_allclose(by, float(losses.sum() / 1000), rtol=1e-15)
    slope = cross_entropy_grad(x, labels, divisor=1000, dy=3.0, **options)
    np.testing.assert_allclose(slope, (3 * (p_term - q) / 1000).astype(float), rtol=1e-13, atol=1e-18)
    assert not slope[[0, 4]].any()
    # of plain labels too
    plain = cross_entropy(x, labels, ignore_index=-100, reduction="sum")
    assert cross_entropy(x, labels, ignore_index=-100, divisor=4) == plain / 4
    np.testing.assert_allclose(
        cross_entropy_grad(x, labels, ignore_index=-100, divisor=4),
        cross_entropy_grad(x, labels, ignore_index=-100, reduction="sum") / 4,
        rtol=1e-15,
    )


def test_the_upstream_gradient_enters_each_row():
    """Of plain labels, whose weights and ignored rows stay what they are."""
    random = np.random.default_rng(3)
    x, labels, dy = (
        random.standard_normal((5, 4, 3)),
        random.integers(0, 4, (5, 3)),
        random.standard_normal((5, 3)),
    )
    weight = random.uniform(0.5, 1, 4)
    options = {"weight": weight, "ignore_index": 2}
    each = cross_entropy_grad(x, labels, reduction="none", **options)
    actual = cross_entropy_grad(x, labels, reduction="none", dy=dy, **options)
    np.testing.assert_allclose(actual, each * dy[:, None], rtol=1e-15)
    np.testing.assert_array_equal(
        cross_entropy_grad(x, labels, reduction="none", dy=2.0, **options),
        cross_entropy_grad(x, labels, reduction="sum", dy=2.0, **options),
    )


def test_a_mean_over_nothing_is_nan_and_a_sum_zero(dtype):
    x = np.ones((3, 2), dtype)
    nothing = [((x, [-1] * 3), {"ignore_index": -1}), ((x[:0], x[:0]), {}), ((x[:0], np.zeros(0, int)), {})]
    for arguments, options in nothing:
        for s in (0.0, 0.5):
            assert np.isnan(cross_entropy(*arguments, label_smoothing=s, **options))
            assert cross_entropy(*arguments, label_smoothing=s, divisor=3, **options) == 0
            assert cross_entropy(*arguments, label_smoothing=s, reduction="sum", **options) == 0
            assert not cross_entropy_grad(*arguments, label_smoothing=s, reduction="sum", **options).any()


@dtypes
def test_special_values(dtype):
    x = np.array([[0, NAN, 1], [INF, 0, 1], [-INF] * 3, [-INF, 0, 0], [0, 1, 2]], dtype)
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]], dtype)
    losses = cross_entropy(x, target, reduction="none").astype(float)
    assert np.isnan(losses[:3]).all()
    assert abs(losses[3] - np.log(2)) < 0.01
    assert losses[4] == 0
    assert cross_entropy(x, target, label_smoothing=0.1, reduction="none")[3] == INF
    assert cross_entropy(x[3:4], [1], label_smoothing=0.1) == INF
    weight = np.array([0, 1, 1], dtype)
    assert np.isfinite(float(cross_entropy(x[3:4], [1], weight=weight, label_smoothing=0.1)))
    slope = cross_entropy_grad(x, target, reduction="sum").astype(float)
    assert np.isnan(slope[:3]).all()
    np.testing.assert_array_equal(slope[3:], [[0, -0.5, 0.5], [0, 0, 0]])
    slope = cross_entropy_grad(x[3:4], [1], label_smoothing=0.75, reduction="sum").astype(float)
    np.testing.assert_array_equal(slope, [[-0.25, 0, 0.25]])
    largest = np.array([[np.finfo(np.float32).max, -np.finfo(np.float32).max]], np.float32)
    assert cross_entropy(largest, [1], label_smoothing=0.1) == INF


def test_any_axis_layout_and_out(dtype):
    random = np.random.default_rng(5)
    x, labels = random.standard_normal((6, 40, 3)).astype(dtype), random.integers(0, 40, (6, 3))
    given = np.moveaxis(random.dirichlet(np.ones(40), (6, 3)), -1, 1).astype(dtype)
    for targets in (labels, given):
        wanted = cross_entropy_grad(x, targets, label_smoothing=0.1)
        loss = cross_entropy(x, targets, label_smoothing=0.1)
        for axis in range(3):
            view = np.asfortranarray(np.moveaxis(x, 1, axis))
            turned = np.moveaxis(targets, 1, axis) if targets is given else targets
            assert cross_entropy(view, turned, axis=axis, label_smoothing=0.1) == loss
            actual = cross_entropy_grad(view, turned, axis=axis, label_smoothing=0.1)
            np.testing.assert_array_equal(np.moveaxis(actual, axis, 1), wanted)
        for own in (x.copy(), x.copy(order="F"), np.empty((12, 40, 3), dtype)[::-2]):
            own[...] = x
            assert cross_entropy_grad(own, targets, label_smoothing=0.1, out=own) is own
            np.testing.assert_array_equal(own, wanted)
    own = given.copy()
    np.testing.assert_array_equal(cross_entropy_grad(x, own, label_smoothing=0.1, out=own), wanted)
    loss, logs = cross_entropy(x, given, return_log_prob=True)
    np.testing.assert_array_equal(logs, log_softmax(x, 1))
    assert loss == cross_entropy(x, given)


def test_threads_change_nothing(threads):
    random = np.random.default_rng(6)
    x, labels = random.standard_normal((300, 500)).astype(np.float32), random.integers(0, 500, 300)
    given = random.dirichlet(np.ones(500), 300).astype(np.float32)
    results = []
    for number in {1, numba.get_num_threads()}:
        threads(number)
        results.append(
            [
                function(x, targets, label_smoothing=0.1, reduction="none")
                for function in (cross_entropy, cross_entropy_grad)
                for targets in (labels, given)
            ]
        )
    for a, b in zip(*results[:: len(results) - 1 or 1], strict=True) if len(results) > 1 else ():
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("steady_threads")
def test_the_loss_allocates_nothing_as_large_as_the_logits():
    x = np.zeros((512, 1024), np.float32)
    for targets in (np.zeros(512, int), x):
        cross_entropy(x, targets, label_smoothing=0.1)
        tracemalloc.start()
        cross_entropy(x, targets, label_smoothing=0.1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < x.nbytes / 16


def test_refusals():
    x = np.zeros((2, 3), np.float32)
    for function in (cross_entropy, cross_entropy_grad):
        for options, message in (
            ({"label_smoothing": -0.1}, "label_smoothing from 0 to 1"),
            ({"label_smoothing": NAN}, "label_smoothing from 0 to 1"),
            ({"divisor": 0}, "positive number as divisor"),
            ({"divisor": NAN}, "positive number as divisor"),
            ({"divisor": 3, "reduction": "sum"}, "divides a mean"),
        ):
            with pytest.raises(ValueError, match=message):
                function(x, [0, 1], **options)
        with pytest.raises(ValueError, match="ignore_index beside integer labels"):
            function(x, x, ignore_index=0)
        with pytest.raises(TypeError, match="two arrays of one dtype"):
            function(x, x.astype(ml_dtypes.bfloat16))
        with pytest.raises(ValueError, match="3 float weights"):
            function(x, x, weight=[1.0])
    with pytest.raises(ValueError, match="takes a dy of shape"):
        cross_entropy_grad(x, [0, 1], dy=np.ones(2))
    with pytest.raises(ValueError, match="takes a dy of shape"):
        cross_entropy_grad(x, [0, 1], dy=np.ones(3), reduction="none")
    with pytest.raises(TypeError, match="real numbers"):
        cross_entropy_grad(x, [0, 1], dy=1j)
