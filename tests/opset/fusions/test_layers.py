"""Layers of networks that are spelled out: Gelu, LayerNormalization, RMSNormalization."""

import math

import numpy as np
import pytest
from fusing import both, found, kinds, parsed

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 3, 5), np.float32) * 2
WEIGHT, BIAS = RANDOM.standard_normal((2, 5), np.float32)
CONSTANTS = {
    "one": np.float32(1),
    "two": np.float32(2),
    "three": np.float32(3),
    "half": np.float32(0.5),
    "root": np.float32(math.sqrt(2)),
    "inverse": np.float32(math.sqrt(0.5)),
    "small": np.float32(0.044715),
    "factor": np.float32(math.sqrt(2 / math.pi)),
    "short": np.float32(0.7978845608),
    "epsilon": np.float32(1e-5),
    "last": np.array([-1]),
    "w": WEIGHT,
    "b": BIAS,
}


def model(body, *, opset=17, outputs="float[N,S,C] y"):
    return parsed(body, "float[N,S,C] x", outputs, opset=opset, constants=CONSTANTS)


def exact_gelu(x, *, tanh=False):
    wide = x.astype(np.float64)
    if tanh:
        return 0.5 * wide * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
    return 0.5 * wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))


BY_ERF = "e = Erf(d) a = Add(e, one) "
BY_TANH = "m = Mul(c, small) s = Add(x, m) i = Mul(factor, s) t = Tanh(i) a = Add(one, t) "
GELUS = {
    "torch": ("d = Div(x, root) " + BY_ERF + "u = Mul(x, a) y = Mul(u, half)", False),
    "by the inverse": ("d = Mul(x, inverse) " + BY_ERF + "u = Mul(half, x) y = Mul(u, a)", False),
    "half of the sum": ("d = Div(x, root) " + BY_ERF + "u = Mul(a, half) y = Mul(x, u)", False),
    "by a tanh": ("c = Pow(x, three) " + BY_TANH + "u = Mul(x, half) y = Mul(u, a)", True),
    "by products": (
        "q = Mul(x, x) c = Mul(q, x) "
        + BY_TANH.replace("factor", "short")
        + "u = Mul(x, a) y = Mul(half, u)",
        True,
    ),
}


@pytest.mark.parametrize("opset", [7, 13, 21])
@pytest.mark.parametrize(("body", "tanh"), GELUS.values(), ids=GELUS)
def test_gelu(body, tanh, opset):
    if "Erf" in body and opset < 9:
        pytest.skip("Erf came with opset 9")
    layer = model(body, opset=opset)
    assert kinds(layer) == ["gelu"]
    (fused,), (plain,) = both(layer, X)
    np.testing.assert_allclose(fused, exact_gelu(X, tanh=tanh), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "outputs", "missed"),
    [
        (GELUS["torch"][0].replace("root", "two"), "", []),
        (GELUS["torch"][0] + " z = Neg(e)", ", float[N,S,C] z", [("gelu", "'e' inside is also read by Neg")]),
    ],
)
def test_what_is_no_gelu(body, outputs, missed):
    layer = model(body, outputs="float[N,S,C] y" + outputs)
    assert found(layer) == ([], missed)
    for fused, plain in zip(*both(layer, X), strict=True):
        np.testing.assert_array_equal(fused, plain)


def test_gelu_of_special_values():
    (fused,), (plain,) = both(
        model(GELUS["torch"][0]), np.array([[[0, -0.0, np.inf, np.nan, 30]]], np.float32)
    )
    np.testing.assert_array_equal(fused, plain)


CENTRED = "m = ReduceMean<axes = [-1]>(x) d = Sub(x, m) "
SPREAD = "v = ReduceMean<axes = [-1]>(q) e = Add(v, epsilon) s = Sqrt(e) "
LAYER_NORMS = {
    "torch": CENTRED + "q = Pow(d, two) " + SPREAD + "n = Div(d, s) u = Mul(n, w) y = Add(u, b)",
    "twice centred": CENTRED
    + "g = Sub(x, m) q = Mul(g, g) "
    + SPREAD
    + "n = Div(d, s) u = Mul(w, n) y = Add(b, u)",
    "by the reciprocal": CENTRED
    + "q = Mul(d, d) "
    + SPREAD
    + "r = Reciprocal(s) n = Mul(d, r) u = Mul(n, w) y = Add(u, b)",
    "without a bias": CENTRED + "q = Pow(d, two) " + SPREAD + "r = Div(one, s) n = Mul(d, r) y = Mul(n, w)",
}


def exact_layer_norm(x, bias):
    wide = x.astype(np.float64)
    return (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5) * WEIGHT + bias


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
@pytest.mark.parametrize("body", LAYER_NORMS.values(), ids=LAYER_NORMS)
def test_layer_normalization(body, opset):
    bias = BIAS if "b)" in body or "(b" in body else 0
    if opset >= 18:
        body = body.replace("<axes = [-1]>(x)", "(x, last)").replace("<axes = [-1]>(q)", "(q, last)")
    layer = model(body, opset=opset)
    assert kinds(layer) == ["layer normalization"]
    (fused,), (plain,) = both(layer, X)
    np.testing.assert_allclose(fused, exact_layer_norm(X, bias), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def test_a_sum_with_something_else_is_no_bias():
    """The residual of a network."""
    body = LAYER_NORMS["torch"].replace("Add(u, b)", "Add(u, x)")
    assert found(model(body))[0] == [
        ("layer normalization", ["ReduceMean", "Sub", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul"])
    ]
    (fused,), _ = both(model(body), X)
    np.testing.assert_allclose(fused, exact_layer_norm(X, X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("square", ["Pow(x, two)", "Mul(x, x)"])
@pytest.mark.parametrize(
    "whole", ["n = Div(x, s)", "r = Reciprocal(s) n = Mul(x, r)", "r = Div(one, s) n = Mul(r, x)"]
)
def test_rms_normalization(square, whole):
    layer = model(f"q = {square} {SPREAD} {whole} y = Mul(w, n)")
    assert kinds(layer) == ["RMS normalization"]
    (fused,), (plain,) = both(layer, X)
    wide = X.astype(np.float64)
    wanted = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5) * WEIGHT
    np.testing.assert_allclose(fused, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def test_rms_normalization_cast_to_float32():
    """As transformers writes it."""
    layer = model(
        f"c = Cast<to = 1>(x) q = Pow(c, two) {SPREAD} r = Div(one, s) n = Mul(c, r) f = Cast<to = 1>(n) y = Mul(w, f)"
    )
    assert kinds(layer) == ["RMS normalization"]
    (fused,), (plain,) = both(layer, X)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def test_over_another_axis_the_nodes_run_one_by_one():
    layer = model(LAYER_NORMS["torch"].replace("axes = [-1]", "axes = [1]"))
    (fused,), (plain,) = both(layer, X)
    np.testing.assert_array_equal(fused, plain)


def test_over_different_axes_is_none():
    body = LAYER_NORMS["torch"].replace("<axes = [-1]>(q)", "<axes = [1]>(q)")
    assert found(model(body)) == ([], [])
