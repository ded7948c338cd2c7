"""The kernels against mpmath directly, on rows chosen to be hard: one spot check each, no oracle of ours between."""

import mpmath
import numpy as np
import pytest

from softops import numba_kernels as kernels

# (row, why it is hard)
ROWS = {
    "all terms count, the sum is long": np.linspace(-1, 1, 333),
    "a far winner: log_softmax is minus a small sum": [20.3, 1.7, -0.4, 0.9, 1.1],
    "no maximum subtracted can be exact": [88.3, 88.2999, 87.1, 60.0, 1e-3],
    "large and near": [1e4, 1e4 - 0.3, 1e4 - 33, 1e4 - 100],
    "the base is negative and large": [-3e7, -3e7 - 4, -3e7 - 80],
    "probabilities down to the subnormal numbers": [0, -87.4, -95.1, -102.6, -700.2, -712.3, -740.9],
    "neighbours": [np.nextafter(np.float32(5), np.float32(9)), 5, np.nextafter(np.float32(5), np.float32(0))],
}


@pytest.fixture(autouse=True)
def _precision():
    with mpmath.workdps(60):
        yield


@pytest.fixture(params=ROWS.values(), ids=ROWS.keys())
def row(request, dtype):
    return np.array(request.param, dtype)


def exactly(numbers):
    return [mpmath.mpf(float(number)) for number in numbers]


def ulp(value, dtype):
    """The spacing of `dtype` at `value`, that of the subnormal numbers below the smallest normal one."""
    limits = np.finfo(dtype)
    exponent = mpmath.frexp(value)[1] - 1 if value else limits.minexp
    return mpmath.ldexp(1, max(int(exponent), int(limits.minexp)) - limits.nmant)


def error(actual, exact):
    """The largest error in ULP."""
    pairs = zip(actual.ravel(), exact, strict=True)
    return max(abs(mpmath.mpf(float(number)) - value) / ulp(value, actual.dtype) for number, value in pairs)


def log_sum(x):
    """log Σ exp(x), from the largest term, so that the logarithm of the rest keeps its digits."""
    m = max(x)
    others = sorted(x)[:-1]
    return m, mpmath.log1p(mpmath.fsum(mpmath.exp(value - m) for value in others))


def test_softmax(row):
    x = exactly(row)
    total = mpmath.fsum(map(mpmath.exp, x))
    assert error(kernels.softmax(row), [mpmath.exp(value) / total for value in x]) <= 2


def test_log_softmax(row):
    m, rest = log_sum(exactly(row))
    bound = {"float32": 1, "float64": 2}[row.dtype.name]
    assert error(kernels.log_softmax(row), [(x - m) - rest for x in exactly(row)]) <= bound


def test_logsumexp(row):
    assert error(kernels.logsumexp(row), [sum(log_sum(exactly(row)))]) <= 2


def test_sigmoid(row):
    for values in (row, -row, row / 97):
        assert error(kernels.sigmoid(values), [1 / (1 + mpmath.exp(-x)) for x in exactly(values)]) <= 2


def test_softmax_grad(row):
    y = kernels.softmax(row)
    dy = np.cos(np.arange(row.size)).astype(row.dtype)
    g, p = exactly(dy), exactly(y)
    total = mpmath.fsum(a * b for a, b in zip(g, p, strict=True))
    for actual, a, b in zip(kernels.softmax_grad(dy, y), g, p, strict=True):
        unit = ulp(b * max(abs(a), abs(total)), row.dtype)
        assert abs(mpmath.mpf(float(actual)) - b * (a - total)) <= 4 * unit


def test_cross_entropy(row):
    x = exactly(row)
    m, rest = log_sum(x)
    for label in {0, row.size // 2, row.size - 1}:
        actual = kernels.cross_entropy(row[None], [label])
        assert error(actual, [rest - (x[label] - m)]) <= 2


def test_hardmax(row):
    x = exactly(row)
    assert kernels.hardmax(row).tolist() == [float(i == x.index(max(x))) for i in range(row.size)]
