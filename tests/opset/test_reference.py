"""The oracle, against mpmath with 50 digits and against the table of special values."""

import mpmath
import numpy as np
import onnx
import pytest

from softops.opset import reference

# What the module promises. The worst of these rows reaches 2^-62.4 at 64 bits.
pytestmark = pytest.mark.filterwarnings("error")
BOUND = 2.0 ** (3 - reference.MANTISSA_BITS)

ROWS = {
    **{
        f"normal-{n}-{sigma}": np.random.default_rng(n + sigma).standard_normal(n) * sigma
        for n in (10, 1000)
        for sigma in (1, 10, 100)
    },
    **{f"winner-{gap:g}": np.array([gap, 0.0, 0.0]) for gap in (1e-7, 1e-3, 1.0, 16.0, 40.0, 120.0, 740.0)},
    "ties": np.array([2.5, 2.5, -1.0]),
    "single": np.array([3.25]),
    "far-from-zero": np.array([1e6, 1e6 - 1.5, 1e6 - 3.0]),
    "tail-with-rounded-difference": np.array([600.1, -100.3, 1 / 3]),
}


def mp(value):
    """An mpf of exactly this number: a longdouble's bits fit in three doubles."""
    fraction, exponent = np.frexp(np.longdouble(value))
    total = mpmath.mpf(0)
    for _ in range(3):
        total += mpmath.mpf(float(fraction))
        fraction -= np.longdouble(float(fraction))
    return mpmath.ldexp(total, int(exponent))


def assert_near(got, exact, bound=BOUND):
    for index, (a, b) in enumerate(zip(np.ravel(got), exact, strict=True)):
        assert abs(mp(a) - b) <= bound * abs(b), (index, a, mpmath.nstr(b, 25))


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(50):
        yield


@pytest.mark.skipif(reference.MANTISSA_BITS < 64, reason="longdouble is no wider than float64 here")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_agrees_with_mpmath(row, dtype):
    x = row.astype(dtype)
    terms = [mpmath.exp(mp(value)) for value in x]
    total = mpmath.fsum(terms)
    assert_near(reference.softmax(x), [term / total for term in terms])
    others = [mpmath.fsum(terms[:i] + terms[i + 1 :]) for i in range(len(x))]
    # log(p_i) = -log1p(sum of the others / own): exact beside zero too.
    expected = [-mpmath.log1p(other / term) for other, term in zip(others, terms, strict=True)]
    assert_near(reference.log_softmax(x), expected)
    assert_near(reference.logsumexp(x, keepdims=True), [mpmath.log(total)])
    assert_near(reference.sigmoid(x), [1 / (1 + mpmath.exp(-mp(value))) for value in x])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_grad_and_cross_entropy_agree_with_mpmath(axis):
    rng = np.random.default_rng(7)
    dy, x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    y = reference.softmax(x, axis, dtype=np.float32)
    labels = rng.integers(0, x.shape[axis], x.sum(axis).shape)
    weight = rng.uniform(0.5, 2, x.shape[axis]).astype(np.float32)
    gradient, losses, weights = [], [], []
    columns = (np.moveaxis(a, axis, -1) for a in (dy, y, x))
    for dy_row, y_row, x_row, label in zip(*columns, labels, strict=True):
        dot = mpmath.fsum(mp(a) * mp(b) for a, b in zip(dy_row, y_row, strict=True))
        gradient += [mp(b) * (mp(a) - dot) for a, b in zip(dy_row, y_row, strict=True)]
        weights.append(mp(weight[label]))
        losses.append(
            weights[-1] * (mpmath.log(mpmath.fsum(mpmath.exp(mp(v)) for v in x_row)) - mp(x_row[label]))
        )
    got = np.moveaxis(reference.softmax_grad(dy, y, axis), axis, -1)
    assert_near(got, gradient)
    for reduction, exact in [
        ("none", losses),
        ("sum", [mpmath.fsum(losses)]),
        ("mean", [mpmath.fsum(losses) / mpmath.fsum(weights)]),
    ]:
        got = reference.cross_entropy(x, labels, axis=axis, weight=weight, reduction=reduction)
        assert_near(got, exact)


def test_ignored_labels_count_for_nothing():
    logits = np.float32([[1, 2, 3], [np.nan, 0, 0], [3, 1, 1]])
    labels = np.array([0, -1, 2])
    losses = reference.cross_entropy(logits, labels, ignore_index=-1, reduction="none")
    assert losses[1] == 0
    mean = reference.cross_entropy(logits, labels, ignore_index=-1)
    assert mean == (losses[0] + losses[2]) / 2
    assert np.isnan(reference.cross_entropy(logits, np.full(3, -1), ignore_index=-1))
    assert reference.cross_entropy(logits, np.full(3, -1), ignore_index=-1, reduction="sum") == 0


INF, NAN = np.inf, np.nan
SPECIAL = {
    #                     softmax              log_softmax             hardmax     logsumexp
    (1.0, NAN, 2.0): ([NAN, NAN, NAN], [NAN, NAN, NAN], [0, 1, 0], NAN),
    (NAN, INF, NAN): ([NAN, NAN, NAN], [NAN, NAN, NAN], [1, 0, 0], NAN),
    (1.0, INF, 2.0): ([NAN, NAN, NAN], [NAN, NAN, NAN], [0, 1, 0], INF),
    (INF, -INF, INF): ([NAN, NAN, NAN], [NAN, NAN, NAN], [1, 0, 0], INF),
    (-INF, -INF, -INF): ([NAN, NAN, NAN], [NAN, NAN, NAN], [1, 0, 0], -INF),
    (-INF, 0.0, -INF): ([0, 1, 0], [-INF, 0, -INF], [0, 1, 0], 0),
    (4.0, 4.0, -INF): ([0.5, 0.5, 0], [-np.log(2), -np.log(2), -INF], [1, 0, 0], 4 + np.log(2)),
}


@pytest.mark.parametrize("row", SPECIAL, ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_values(row, dtype):
    softmax, log_softmax, hardmax, logsumexp = SPECIAL[row]
    x = np.array(row, dtype)[:, None]
    # Finite values in the table are float64: that they are right is for mpmath above.
    for function, expected in [
        (reference.softmax, softmax),
        (reference.log_softmax, log_softmax),
        (reference.hardmax, hardmax),
    ]:
        np.testing.assert_allclose(function(x, 0)[:, 0], expected, rtol=1e-15)
    np.testing.assert_allclose(reference.logsumexp(x, 0), [logsumexp], rtol=1e-15)


def test_sigmoid_at_the_ends():
    x = [-np.inf, -1e5, 0.0, 1e5, np.inf, np.nan]
    np.testing.assert_array_equal(reference.sigmoid(x, dtype=np.float64), [0, 0, 0.5, 1, 1, np.nan])


def test_extreme_finite_values_make_no_nan():
    largest = np.finfo(np.float64).max
    assert reference.softmax([largest, -largest]).tolist() == [1, 0]
    assert reference.log_softmax(np.float32([3e38, -3e38])).tolist()[0] == 0


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty(shape):
    x = np.zeros(shape, np.float32)
    for axis in (0, 1):
        for function in (reference.softmax, reference.log_softmax, reference.hardmax):
            assert function(x, axis).shape == shape
        outer = reference.logsumexp(x, axis)
        assert outer.shape == (shape[1 - axis],)
        assert (outer == -np.inf).all()  # the sum of nothing is 0


@pytest.mark.parametrize(
    "function", [reference.softmax, reference.log_softmax, reference.hardmax, reference.logsumexp]
)
def test_bad_input(function):
    for shape, axis in [((2, 3), 2), ((2, 0), -3), ((), -1)]:
        with pytest.raises(np.exceptions.AxisError):
            function(np.zeros(shape), axis)
    with pytest.raises(TypeError, match="got int64"):
        function(np.arange(3))
    with pytest.raises(TypeError, match="got int32"):
        function(np.zeros(3), dtype=np.int32)


@pytest.mark.parametrize(
    ("labels", "options", "reason"),
    [
        ([0, 3], {}, "labels from 0 to 2"),
        ([0, -1], {}, "labels from 0 to 2"),
        ([0], {}, r"labels of shape \(2,\)"),
        ([0, 1], {"weight": [1.0, 1.0]}, r"weight of shape \(3,\)"),
        ([0, 1], {"reduction": "max"}, "'none', 'mean' or 'sum'"),
    ],
)
def test_cross_entropy_bad_input(labels, options, reason):
    with pytest.raises(ValueError, match=reason):
        reference.cross_entropy(np.zeros((2, 3)), labels, **options)


@pytest.mark.parametrize(("named", "outputs", "count"), [(1, None, 1), (2, None, 2), (2, 1, 1), (1, 2, 2)])
def test_as_many_outputs_as_the_node_names_or_as_are_asked_for(named, outputs, count):
    node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", ["x", "l"], ["y", "p"][:named])
    x, labels = np.float32([[0, 1], [2, 0]]), np.array([0, 1])
    given = reference.evaluate(node, [x, labels], 13, outputs=outputs)
    assert [y.shape for y in given] == [(), (2, 2)][:count]
