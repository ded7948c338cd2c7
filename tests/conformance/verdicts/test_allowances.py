"""The bounds of the suite: kept by the plain formulas in their dtype, broken by what they are to tell."""

import numpy as np
import pytest

from softops.conformance.cases.build import call_of, truth, truth_of
from softops.conformance.cases.calls import row_of
from softops.conformance.cases.case import Case
from softops.conformance.measure.errors import against_exact
from softops.conformance.verdicts.laws import kl
from softops.conformance.verdicts.lines import Lines
from softops.conformance.verdicts.rules import allowance

FAMILIES = ("gaussian-1", "gaussian-30", "offsets", "sorted")


def case(op, family, *, dtype="float32", shape=(13, 257), opset=13, **more):
    return Case(op=op, opset=opset, dtype=dtype, shape=shape, family=family, **more)


def used(case, y, place=0, bound="strict"):
    """Largest share of the bound that a result uses."""
    known = truth(case)
    found = against_exact(
        np.asarray(y), known.exact[place].astype(np.longdouble), allowance(case, known, place, bound)
    )
    return float(found.used.max())


def stable_logsumexp(x):
    m = x.max(-1, keepdims=True)
    return m + np.log(np.exp(x - m).sum(-1, keepdims=True, dtype=x.dtype))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_plain_formulas_keep_their_bounds(family, dtype):
    lse = case("ReduceLogSumExp", family, dtype=dtype, axis=1)
    (x,) = call_of(lse).inputs[:1]
    assert used(lse, stable_logsumexp(x)) <= 1
    plus = case("Softplus", family, dtype=dtype, opset=22)
    (x,) = call_of(plus).inputs
    assert used(plus, np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))) <= 1
    loss = case("SoftmaxCrossEntropyLoss", family, dtype=dtype, variant="mean+weights")
    x, labels, weights = call_of(loss).inputs
    below = x - x.max(1, keepdims=True)
    chosen = (np.log(np.exp(below).sum(1, keepdims=True)) - below)[np.arange(len(x)), labels] * weights[
        labels
    ]
    assert used(loss, (chosen.sum() / weights[labels].sum()).astype(dtype)) <= 1


def test_a_bound_is_not_a_thousand_times_what_it_need_be():
    lse = case("ReduceLogSumExp", "gaussian-1", axis=1)
    (x,) = call_of(lse).inputs[:1]
    assert used(lse, stable_logsumexp(x) * np.float32(1 + 3e-5)) > 1
    plus = case("Softplus", "gaussian-1", opset=22)
    assert used(plus, truth(plus).exact[0].astype(np.float32) * np.float32(1 + 2e-6)) > 1


def test_halves_are_held_to_float32_and_one_rounding():
    half = case("Softmax", "gaussian-1", dtype="float16", axis=1)
    (x,) = call_of(half).inputs
    e = np.exp(x.astype(np.float32) - x.max(1, keepdims=True))
    assert used(half, (e / e.sum(1, keepdims=True)).astype(np.float16)) <= 1
    e = e.astype(np.float16)
    assert used(half, e / np.add.accumulate(e, 1, dtype=np.float16)[:, -1:]) > 1


def test_attention_by_its_formula_keeps_its_bound_and_without_scale_does_not():
    attention = case("Attention", "gaussian-3", shape=(2, 2, 5, 8), opset=24)
    q, k, v = call_of(attention).inputs

    def formula(scale):
        scores = np.float32(scale) * (q @ np.swapaxes(k, -1, -2))
        e = np.exp(scores - scores.max(-1, keepdims=True))
        return (e / e.sum(-1, keepdims=True)) @ v

    assert used(attention, formula(8**-0.5)) <= 1
    assert used(attention, formula(8**-0.5 * (1 + 1e-3))) > 1


def test_attention_is_allowed_the_rounding_of_its_products():
    attention = case("Attention", "gaussian-1", shape=(1, 2, 5, 16384), opset=24)
    q, k, v = (x.astype(np.float64) for x in call_of(attention).inputs)
    # Every product with the first key is rounded up by half a unit in the last place.
    scores = (q * (1 + 2.0**-24 * np.sign(q * k[..., :1, :]))) @ np.swapaxes(k, -1, -2) / 128
    e = np.exp(scores - scores.max(-1, keepdims=True))
    assert used(attention, ((e / e.sum(-1, keepdims=True)) @ v).astype(np.float32)) <= 1


def test_one_element_of_a_batch_allows_another_nothing():
    attention = case("Attention", "gaussian-3", shape=(2, 2, 5, 8), opset=24)
    row, call = row_of(attention), call_of(attention)
    calm = call._replace(inputs=[x * np.array([10, 0.1], x.dtype)[:, None, None, None] for x in call.inputs])
    together = allowance(attention, truth_of(row, calm), 0)
    for i in range(2):
        alone = calm._replace(inputs=[x[i : i + 1] for x in calm.inputs])
        np.testing.assert_allclose(
            together[i : i + 1], allowance(attention, truth_of(row, alone), 0), rtol=1e-9
        )


@pytest.mark.parametrize("shown", ["scores", "capped", "masked", "probabilities"])
def test_what_an_attention_shows_of_its_scores_is_held_to_their_rounding(shown):
    attention = case("Attention", "gaussian-3", shape=(2, 2, 5, 8), opset=24, variant=f"past+{shown}")
    y = truth(attention).exact[3].astype(np.float32)
    assert used(attention, y, 3) <= 1
    assert used(attention, y * np.float32(1 + 1e-3), 3) > 1


def test_nearest_integers_are_judged_by_their_exact_value():
    quantized = case(
        "QLinearSigmoid", "gaussian-3", dtype="uint8", shape=(13, 37), opset=1, domain="com.microsoft"
    )
    known = truth(quantized)
    allowed = allowance(quantized, known, 0)
    assert (allowed >= 0.5).all()
    assert (allowed < 0.51).all()


@pytest.mark.parametrize("opset", [12, 13])
def test_a_quantised_softmax_without_an_axis_has_the_bound_of_the_last(opset):
    quantized = case(
        "QLinearSoftmax", "gaussian-3", dtype="uint8", shape=(5, 13, 7), opset=1, domain="com.microsoft"
    )
    call = call_of(quantized)
    default, last = (
        allowance(
            quantized, truth_of(row_of(quantized), call._replace(attributes={"opset": opset, **axis})), 0
        )
        for axis in ({}, {"axis": -1})
    )
    np.testing.assert_array_equal(default, last)


@pytest.mark.parametrize(
    ("bound", "dtype", "error"),
    [("onnx", "float32", 5e-4), ("onnx", "bfloat16", 8e-3), ("webnn", "float32", 1e-5)],
)
def test_other_peoples_bounds(bound, dtype, error):
    softmax = case("Softmax", "gaussian-1", dtype=dtype, axis=1)
    exact = truth(softmax).exact[0]
    y = (exact * (1 + error)).astype(np.float32).astype(truth(softmax).dtypes[0])
    assert used(softmax, y) > 1
    assert used(softmax, y, bound=bound) <= 1
    worse = (exact * (1 + 30 * error)).astype(np.float32).astype(truth(softmax).dtypes[0])
    assert used(softmax, worse, bound=bound) > 1


@pytest.mark.parametrize(
    ("op", "opset", "dtype", "ulps"),
    [
        ("Softmax", 13, "float32", 3 * 37 + 3),
        ("ReduceLogSumExp", 13, "float32", 2 * 37 + 18),
        ("Softplus", 22, "float32", 18),
        ("Sigmoid", 13, "float32", 34),
        ("Sigmoid", 13, "float16", 10),
    ],
)
def test_bounds_of_the_web_platform_tests(op, opset, dtype, ulps):
    """By the table of tolerances in webnn/resources/utils.js of web-platform-tests, in ULP of the result."""
    axis = 1 if op in ("Softmax", "ReduceLogSumExp") else None
    asked = case(op, "gaussian-1", dtype=dtype, shape=(13, 37), opset=opset, axis=axis)
    y = truth(asked).exact[0].astype(dtype)
    up = np.spacing(np.abs(y)) * np.sign(y)
    assert (
        used(asked, y + (ulps - 1) * up, bound="webnn") <= 1 < used(asked, y + (ulps + 1) * up, bound="webnn")
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_the_divergence_allows_what_the_logarithms_may_be_off_by(sign):
    """q = p·exp(±a) is off by Σ p·(exp(±a) − 1 ∓ a), however large a is."""
    logs = case("LogSoftmax", "gaussian-1", dtype="float64", axis=1)
    known = truth(logs)
    exact = known.exact[0].astype(np.longdouble)
    for a in (1e-6, 0.25, 1):
        allowed = np.full(exact.shape, a)

        def judged(off, allowed=allowed):
            found = against_exact((exact + sign * off).astype(np.float64), exact, allowed)
            return kl(Lines(logs, known.call.inputs[0], found), False)[0].passed

        assert judged(0.999 * a)
        assert not judged(3 * a)
