"""What must hold for any array, searched by hypothesis."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from softops import numba_kernels as kernels
from softops.conformance import ulp_distance, ulp_error
from softops.opset import reference

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
any_dtype = st.sampled_from(DTYPES)


def floats(dtype, limit=None, **options):
    limit = None if limit is None else float(np.asarray(limit, dtype))
    return st.floats(min_value=limit and -limit, max_value=limit, width=dtype.itemsize * 8, **options)


def rows(limit, longest=70):
    """Finite rows of up to `longest` numbers, none above `limit`."""
    return any_dtype.flatmap(
        lambda dtype: arrays(dtype, st.integers(1, longest), elements=floats(dtype, limit))
    )


calm = settings(deadline=None, max_examples=60)


@calm
@given(rows(1000))
@example(np.array([715.0] + 6 * [0.0]))  # a logarithm that is a sum of subnormal numbers
def test_close_to_exact(x):
    tight = 1 if x.dtype == np.float32 else 2
    assert ulp_error(kernels.softmax(x), reference.softmax(x)).max() <= 2
    assert ulp_error(kernels.log_softmax(x), reference.log_softmax(x)).max() <= tight
    assert ulp_error(kernels.sigmoid(x), reference.sigmoid(x)).max() <= 2


@calm
@given(rows(100), st.integers(-12, 12))
def test_a_shift_changes_nothing(x, power):
    """By whole multiples of a unit in which both rows are exact: the exact results are equal, ours 2 ULP off each."""
    unit = x.dtype.type(2.0**-12)
    grid = np.round(x / unit) * unit
    shifted = grid + x.dtype.type(2.0**power) * (1 if power % 2 else -1)
    if np.array_equal(shifted - x.dtype.type(2.0**power) * (1 if power % 2 else -1), grid):
        assert ulp_distance(kernels.softmax(grid), kernels.softmax(shifted)).max() <= 4
        assert ulp_distance(kernels.log_softmax(grid), kernels.log_softmax(shifted)).max() <= 4
        np.testing.assert_array_equal(kernels.hardmax(grid), kernels.hardmax(shifted))


@calm
@given(rows(300), st.randoms(use_true_random=False))
def test_a_permutation_permutes(x, random):
    order = np.array(random.sample(range(x.size), x.size))
    for operator in (kernels.softmax, kernels.log_softmax):
        assert (
            ulp_distance(operator(x)[order], operator(x[order])).max() <= 2
        )  # the sum is taken in another order
    np.testing.assert_array_equal(kernels.sigmoid(x)[order], kernels.sigmoid(x[order]))


@calm
@given(rows(1e4, longest=300))
def test_probabilities_are_ordered_and_sum_to_one(x):
    p = kernels.softmax(x)
    assert ((p >= 0) & (p <= 1)).all()
    assert abs(p.astype(np.longdouble).sum() - 1) <= 2 * x.size * np.finfo(x.dtype).eps
    ranked = np.argsort(x, kind="stable")
    assert (np.diff(p[ranked]) >= 0).all()
    assert (np.diff(kernels.log_softmax(x)[ranked]) >= 0).all()
    assert (np.diff(kernels.sigmoid(x)[ranked]) >= 0).all()


@calm
@given(rows(80))
def test_the_operators_agree(x):
    """log_softmax is the logarithm of softmax, logsumexp what lies between x and it, hardmax where both are largest."""
    logs = kernels.log_softmax(x)
    eps = np.finfo(x.dtype).eps
    np.testing.assert_allclose(
        np.exp(logs.astype(np.float64)), kernels.softmax(x), rtol=200 * eps, atol=1e-40
    )
    scale = max(1.0, float(abs(x).max()))
    np.testing.assert_allclose(x - logs, kernels.logsumexp(x), atol=500 * eps * scale / 100, rtol=4 * eps)
    assert kernels.softmax(x)[kernels.hardmax(x).argmax()] == kernels.softmax(x).max()


@calm
@given(rows(700))
def test_sigmoid_of_the_negative(x):
    """σ(−x) = 1 − σ(x), to the rounding of both."""
    total = kernels.sigmoid(x).astype(np.longdouble) + kernels.sigmoid(-x)
    assert abs(total - 1).max() <= 3 * np.finfo(x.dtype).eps


@calm
@given(
    any_dtype.flatmap(
        lambda dtype: arrays(
            dtype, array_shapes(max_dims=3, max_side=20), elements=floats(dtype, allow_subnormal=True)
        )
    )
)
def test_any_bits_give_what_the_oracle_gives(x):
    """NaN, infinities, subnormal numbers, the largest ones, all together; no warning either."""
    for axis in range(x.ndim):
        for name, bound in (("softmax", 2), ("log_softmax", 2), ("hardmax", 0), ("logsumexp", 2)):
            actual = np.asarray(getattr(kernels, name)(x, axis))
            exact = np.asarray(getattr(reference, name)(x, axis), np.longdouble)
            error = ulp_error(actual, exact)
            if name == "logsumexp" and x.dtype == np.float64:
                # The maximum and the logarithm cancel there: test_accuracy.py measures that.
                error = np.where(np.isfinite(exact) & (abs(exact) < 1), 0, error)
            assert error.max() <= bound, (name, axis)
    assert ulp_error(kernels.sigmoid(x), reference.sigmoid(x)).max() <= 2


@calm
@given(rows(30), st.data())
def test_the_gradient_sums_to_zero(x, data):
    """Σ y (dy − Σ dy y) = 0 when Σ y = 1; and a constant dy has no gradient but rounding's."""
    y = kernels.softmax(x)
    dy = data.draw(arrays(x.dtype, x.shape, elements=floats(x.dtype, 10)))
    gradient = kernels.softmax_grad(dy, y).astype(np.longdouble)
    assert abs(gradient.sum()) <= 10 * 4 * x.size * np.finfo(x.dtype).eps
    constant = kernels.softmax_grad(np.full_like(y, 3), y)
    assert abs(constant).max() <= 3 * 2 * x.size * np.finfo(x.dtype).eps


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cross_entropy_is_the_log_softmax_picked(dtype):
    @calm
    @given(
        arrays(dtype, st.tuples(st.integers(1, 9), st.integers(1, 40)), elements=floats(dtype, 500)),
        st.data(),
    )
    def check(x, data):
        labels = data.draw(arrays(np.int64, len(x), elements=st.integers(0, x.shape[1] - 1)))
        losses = kernels.cross_entropy(x, labels, reduction="none")
        picked = -kernels.log_softmax(x)[np.arange(len(x)), labels]
        assert ulp_distance(losses, picked).max() <= 3
        assert losses.min() >= 0

    check()
