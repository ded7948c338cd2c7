"""Attention by its kernel against its oracle, over every option, within a bound derived here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.opset import operator

# half of an ULP, relative and at the smallest numbers
UNIT = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
TINY = {"float16": 2.0**-25, "bfloat16": 2.0**-134, "float32": 2.0**-150, "float64": 0.0}
PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


def bounds(inputs, attributes, version):
    """
    The greatest error of Y and of qk_matmul_output in each mode, from exact values.

    u is the unit of the computation, w that of T1, p that of the softmax.
    Scores: scale, its product with Q and a sum of D products, (D + 2) u of the sum of absolute values;
    softcap: a quotient, tanh (NumPy's is within 4 units), a product; tanh is no steeper than 1. The mask's
    sum, and the rounding to a narrower softmax. Softmax: an error of d in every score is a factor within
    exp(2 d), the kernel adds 2 ULP, 4 units. Y: a sum of T products. Everything once more rounded to T1.
    """
    t1 = inputs[0].dtype.name
    u, w = UNIT["float64" if t1 == "float64" else "float32"], UNIT[t1]
    name = PRECISIONS.get(attributes.get("softmax_precision"))
    p, tiny = (max(UNIT[name], u), TINY[name]) if name else (u, 0.0)

    def evaluated(*, arrays=inputs, **other):
        row = operator("Attention", version)
        return row.evaluate(arrays, attributes | other, outputs=4, rounded=False)

    exact = [evaluated(qk_matmul_output_mode=i)[3] for i in range(4)]
    raw, capped, biased, chances = exact
    absolute = [np.abs(x) if i in (0, 1, 4) and x is not None else x for i, x in enumerate(inputs)]
    products = evaluated(arrays=absolute, softcap=0.0, qk_matmul_output_mode=0)[3]
    _, key, value, _ = evaluated()
    n, heads, queries, keys = raw.shape
    score = (key.shape[3] + 2) * u * products
    cap = score + u * np.abs(raw) + 6 * u * np.abs(capped) if attributes.get("softcap") else score
    finite = np.where(np.isfinite(biased), np.abs(biased), 0)
    bias = cap + u * finite
    narrowed = np.where(np.isfinite(biased), bias + p * finite + tiny, 0).max(-1, keepdims=True, initial=0)
    chance = (np.expm1(2 * narrowed) + 4 * max(u, p)) * chances + tiny
    y = (chance + (keys + 2) * u * chances) @ np.abs(value).repeat(heads // value.shape[1], 1)
    if inputs[0].ndim == 3:
        y = y.transpose(0, 2, 1, 3).reshape(n, queries, heads * value.shape[3])
    shown = [e + w * np.abs(x) + TINY[t1] for e, x in zip((score, cap, bias, chance), exact, strict=True)]
    return y, shown, w, TINY[t1]


def assert_within(got, exact, bound):
    got = got.astype(np.longdouble)
    same = got == exact  # infinities
    with np.errstate(invalid="ignore"):
        assert np.all(same | (np.abs(got - exact) <= bound)), np.max(np.abs(got - exact) - bound)


@pytest.mark.filterwarnings("error")
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_kernel_is_within_the_bound_of_the_oracle(attention_calls, data):
    inputs, attributes, version = data.draw(attention_calls)
    row = operator("Attention", version)
    y_bound, shown_bounds, w, tiny = bounds(inputs, attributes, version)
    for mode in range(4):
        asked = attributes | {"qk_matmul_output_mode": mode}
        got = row.run(inputs, asked, outputs=4)
        exact = row.evaluate(inputs, asked, outputs=4, rounded=False)
        assert [x.shape for x in got] == [x.shape for x in exact]
        assert [x.dtype for x in got] == [inputs[i].dtype for i in (0, 0, 2, 0)]
        assert_within(got[0], exact[0], y_bound + w * np.abs(exact[0]) + tiny)
        np.testing.assert_array_equal(got[1].astype(np.longdouble), exact[1])
        np.testing.assert_array_equal(got[2].astype(np.longdouble), exact[2])
        assert_within(got[3], exact[3], shown_bounds[mode])
        assert not any(np.shares_memory(x, y) for x in got for y in inputs if y is not None)


LONG = {
    "plain": {},
    "causal": {"is_causal": 1},
    "scaled and capped": {"scale": 0.3, "softcap": -2.0},
    "a window": {"is_causal": 1, "left_window_size": 20},
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("attributes", LONG.values(), ids=LONG)
@pytest.mark.parametrize("mask", [None, "bool", "float"])
def test_long_sequences_are_within_the_bound(attributes, mask, dtype):
    """Such as are computed in blocks: several queries, more scores than a few."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((2, heads, 40, 8)).astype(dtype) for heads in (4, 2, 2))
    masks = {
        "bool": random.random((2, 1, 40, 40)) < 0.7,
        "float": random.standard_normal((40, 40)).astype(dtype),
    }
    inputs = (q, k, v, masks.get(mask))
    row = operator("Attention", 25)
    y_bound, _, w, tiny = bounds(inputs, attributes, 25)
    (y,) = row.run(inputs, attributes)
    (exact,) = row.evaluate(inputs, attributes, rounded=False)
    assert_within(y, exact, y_bound + w * np.abs(exact) + tiny)


@pytest.mark.parametrize(("past", "more"), [(0, 0), (9, 0), (0, 7), (9, 7)])
def test_long_causal_sequences_behind_a_past(past, more):
    """Query i sees keys up to i and all of the past, whether there are as many queries as new keys or not."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((1, 2, n, 8)).astype(np.float32) for n in (40, 40 + more, 40 + more))
    old = tuple(random.standard_normal((1, 2, past, 8)).astype(np.float32) for _ in range(2)) if past else ()
    inputs = (q, k, v, None, *old)
    row = operator("Attention", 24)
    (y,), (exact,) = row.run(inputs, {"is_causal": 1}), row.evaluate(inputs, {"is_causal": 1})
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [1.0, np.inf, np.nan])
def test_long_sequences_with_rows_that_have_no_keys(value):
    """0 there, and a value of inf or NaN is multiplied by 0 where it is ruled out."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((1, 2, 40, 8)).astype(np.float32) for _ in range(3))
    v[0, 0, 3, 5] = value
    mask = random.random((40, 40)) < 0.7
    mask[7] = False
    row = operator("Attention", 23)
    (y,), (exact,) = row.run((q, k, v, mask)), row.evaluate((q, k, v, mask))
    np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-5)
    assert (y[0, :, 7] == 0).all() or not np.isfinite(value)


def test_long_sequences_whose_scores_are_all_infinite():
    """NaN, unlike rows of which nothing is left."""
    q, k, v = (np.ones((1, 1, 40, 4), np.float32) for _ in range(3))
    k[:] = -np.inf
    (y,) = operator("Attention", 23).run((q, k, v))
    assert np.isnan(y).all()
