"""The bounds: kept by the plain way of computing, and not much wider than that needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.conformance.measure.bounds import family_allowance
from softops.opset import operator

PLAIN = {
    "Softmax": lambda d: np.exp(d) / np.exp(d).sum(-1, keepdims=True),
    "LogSoftmax": lambda d: d - np.log(np.exp(d).sum(-1, keepdims=True)),
}


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(PLAIN)),
    dtype=st.sampled_from([np.float32, np.float64]),
    length=st.integers(1, 3000),
    scale=st.sampled_from([0.1, 1.0, 10.0, 30.0]),
    seed=st.integers(0, 999),
)
def test_the_textbook_formula_is_within(name, dtype, length, scale, seed):
    x = (scale * np.random.default_rng(seed).standard_normal((3, length))).astype(dtype)
    row = operator(name, 13)
    exact = row.exact(x)
    actual = PLAIN[name](x - x.max(-1, keepdims=True))
    error = np.abs(actual - exact)
    assert (error <= family_allowance(row, x, exact, None)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_within(dtype):
    x = np.linspace(-80, 80, 4001).astype(dtype)
    row = operator("Sigmoid", 13)
    exact = row.exact(x)
    assert (np.abs(1 / (1 + np.exp(-x)) - exact) <= family_allowance(row, x, exact, None)).all()


def test_the_bound_of_ten_classes_is_some_tens_of_ulp():
    x = np.linspace(-5, 5, 10, dtype=np.float32)
    exact = operator("Softmax", 13).exact(x)
    allowed = family_allowance(operator("Softmax", 13), x, exact, None)
    assert (allowed / np.spacing(exact.astype(np.float32)) < 40).all()


def test_shifted_logits_shift_the_probabilities_by_no_more():
    random = np.random.default_rng(0)
    x = random.standard_normal((200, 7))
    shift = 1e-3 * random.uniform(-1, 1, x.shape)
    row = operator("Softmax", 13)
    allowed = family_allowance(row, x, row.exact(x), None, np.abs(shift))
    assert (np.abs(row.exact(x + shift) - row.exact(x)) <= allowed).all()
    assert (allowed / row.exact(x) < 2.1e-3).all()


def test_rows_are_those_of_the_axis_rule():
    x = np.zeros((2, 3, 5), np.float32)
    x[0] = 50
    for opset, equal in ((11, (3, 5)), (13, (3,))):
        row = operator("Softmax", opset)
        allowed = family_allowance(row, x, row.exact(x, 1), 1)
        relative = allowed * np.prod(equal) / 2**-24
        # 12, the logarithm and the length of a row; no distance, as every row is uniform.
        assert relative == pytest.approx(12 + np.log(np.prod(equal)) + np.prod(equal))
