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
